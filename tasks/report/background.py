"""What the report says beside the results: the data, how to read the figures, how to repeat the run."""

from collections.abc import Callable
from typing import Any

from tasks.markdown import DASH, bullets, code, code_block, escape, paragraphs, table
from tasks.report.cells import Model, duration, finished, has_several_seeds, last_value, whole
from tasks.report.names import PREVIEW
from tasks.wording import percent

Results = dict[str, Any]
Picture = Callable[[str, str], str]
SPLITS = ("train", "validation", "test")


GUIDE = """\
## How to read this

**Train, validation, test.** The networks learn from the train images ({train}). The validation images
({validation}) are not learned from; best epoch and onset are found on them. The test images ({test}) are
looked at once, at the end. Results are those of the weights after the last epoch.

**Loss (NLL).** The negative logarithm of the probability that the network gave to the right class, averaged
over images, in nats: 0 is perfect, guessing among ten classes gives 2.30. A confident mistake costs much.

**Two kinds of train loss.** The loss that Keras logs while it trains is an average over an epoch in which
the weights change, with dropout on and the L2 penalty added. The train loss in this report is measured
after each epoch, with dropout off and without the penalty, on as many images as validation has. Only so can
train and validation be compared.

**Onset of overfitting.** The epoch after the one with the lowest validation loss, if the loss then rises by
more than its own noise explains while the train loss goes on falling. From there on the network learns its
train images by heart. The interval in brackets holds the epochs that the noise does not let us tell apart:
a flat minimum gives a wide one.

**Where no onset is named.** *Not observed* does not mean that the network does not overfit, but that no
rise was seen in these epochs; "visible from" says how large a rise would have been seen. *Inconclusive*:
training ended too soon after the lowest loss to tell. *Rose, then recovered*: a later minimum was lower.
*Both losses rise*: the training itself failed. *Diverged*: the loss stopped being a finite number.

**Loss and accuracy.** The loss can rise while the accuracy still grows: the network gets more images right,
and is more sure of itself where it is wrong. So accuracy has its own verdict: the weights of the best epoch
against the last ones.

**Why a regularised network looks worse in training.** {below_validation}

**95 % interval.** The range that would contain the true value in 95 of 100 cases, could we draw {test} test
images again and again. It covers the luck of the images, not the luck of a training: that takes several
seeds.

**Tied.** With one seed: two networks disagree on some test images, and each wins about as many of these as a
fair coin would give it. With three or more: the difference changes so much from seed to seed that its mean
may as well be zero. The data cannot tell the networks apart; that does not prove them equal.

**p, and p by Holm.** How often two equally good networks would differ at least this much by luck. Who
compares many pairs finds a lucky difference sooner or later; Holm's adjustment makes up for that.

**Calibration error.** How far, on average, the probability that a network states lies from how often it is
right, in percentage points. **Gap.** Train accuracy (dropout off) minus test accuracy, in percentage
points.

**Trained, resumed, reused.** Trained from scratch in this run; taken up where an interrupted training had
stopped; or taken unchanged from an earlier run, because nothing that determines it has changed.
"""
LABEL_ERRORS = """\
**Known label errors.** 15 labels of MNIST's 10,000 test images were judged wrong by people (Northcutt and
others, 2021). Beyond about 99.85 % a network only learns these errors.
"""
SEEDS = """\
**Seeds.** A seed fixes the initial weights and the order of the images. The standard deviation over seeds
is the luck of a training. A seed without an onset is counted as such and never averaged away. From three
seeds on a verdict is about the network; from two there is none.
"""
BELOW_VALIDATION = """\
Keras logs train accuracy with dropout on: a random half of the units is silent, and the network answers
with what is left. On validation images it answers with all units. So its train accuracy lies below its
validation accuracy, and nothing is wrong; compare with dropout off."""


def the_data(results: Results, picture: Picture, first_zero: list[list[int]] | None) -> str:
    """Return the tutorial's look at the data: shapes, labels, balance of classes, pictures, pixel values."""
    data = results.get("dataset") or {}
    name, source = data.get("name") or "unknown data", data.get("source") or "an unknown source"
    shapes = ", ".join(f"{key} {tuple(shape)}" for key, shape in (data.get("shapes") or {}).items())
    head, tail = (" ".join(map(str, data.get(key) or [])) for key in ("y_test_head", "y_test_tail"))
    counts, classes = data.get("counts") or {}, data.get("class_counts") or {}
    rows = [
        [split, whole(counts.get(split)), *map(whole, classes.get(split) or [None] * 10)] for split in SPLITS
    ]
    scaled = "divided by 255" if data.get("pixel_scaling") == "unit" else "as stored, 0..255"
    grid = "\n".join("".join(f"{pixel:4d}" for pixel in row)[1:] for row in first_zero or [])
    return paragraphs(
        "## The data",
        f"Data set {code(name)}, from {escape(source)}. Shapes: {escape(shapes)}; `y_test` = "
        f"{code(f'[{head} ... {tail}]')}. Pixels: {scaled}.",
        "Images in each split, and in each class of it:",
        table(["split", "images", *map(str, range(10))], rows),
        picture("One picture of each class, and x_train[1]", PREVIEW),
        "*The first image of each class, and `x_train[1]`.*",
        paragraphs("The pixels of `x_train[1]` as stored:", code_block(grid)) if grid else "",
    )


def how_to_read(results: Results) -> str:
    """Return what the words of this report mean."""
    data = results.get("dataset") or {}
    counts = {split: whole((data.get("counts") or {}).get(split)) for split in SPLITS}
    return paragraphs(
        GUIDE.format(**counts, below_validation=below_validation(results)).rstrip(),
        LABEL_ERRORS.rstrip() if data.get("is_mnist") else "",
        SEEDS.rstrip() if has_several_seeds(results) else "",
    )


def below_validation(results: Results) -> str:
    """Explain why train accuracy can lie below validation accuracy, with this run's own figures."""
    trainings = finished(results["models"].get("regularized_cnn") or {})
    if not trainings:
        return BELOW_VALIDATION
    keys = ("accuracy", "train_accuracy_inference", "val_accuracy")
    on, off, validation = (last_value(trainings[0]["history"].get(key)) for key in keys)
    if on is None or off is None or validation is None:
        return BELOW_VALIDATION
    return (
        f"{BELOW_VALIDATION} Here, in the last epoch of regularized_cnn (seed {trainings[0]['seed']}): "
        f"{percent(on)} on train with dropout on, {percent(off)} with dropout off, "
        f"{percent(validation)} on validation."
    )


def learning_rate(name: str, model: Model) -> str:
    """Return a network's learning rate, such as "challenger 0.003 (cosine)"; older results do not tell it."""
    schedule = model.get("learning_rate_schedule", "constant")
    return f"{name} {model.get('learning_rate', DASH)}{'' if schedule == 'constant' else f' ({schedule})'}"


def reproducibility(results: Results) -> str:
    """Return all that is needed to repeat the run."""
    made = results.get("provenance") or {}
    data = results.get("dataset") or {}
    changes = {True: ", with uncommitted changes", False: "", None: ""}[made.get("uncommitted_changes")]
    memory = made.get("memory_bytes")
    precision = sorted(set((made.get("precision") or {}).values()))
    facts = {
        "run": code(made.get("run") or ""),
        "flow run": f"{escape(made.get('flow_run_name') or DASH)} {code(made.get('flow_run_id') or '')}",
        "deployment": escape(made.get("deployment") or "none, started as a script"),
        "started": escape(made.get("started") or DASH),
        "wall time of the run": duration(made.get("duration_seconds")),
        "fitting, all trainings": duration(
            sum(t.get("seconds") or 0.0 for m in results["models"].values() for t in finished(m))
        ),
        "commit": code(made.get("commit") or "") + changes,
        "digest of the results": code(made.get("digest") or ""),
        "digest of the data": code(data.get("digest") or ""),
        "digest of the prepared data": code(data.get("prepared_digest") or ""),
        "processor": f"{escape(made.get('processor') or DASH)}, {made.get('cores') or DASH} cores"
        + (f", {memory / 2**30:.1f} GiB memory" if memory else ""),
        "platform": escape(made.get("platform") or DASH),
        "Python": escape(made.get("python") or DASH),
        **{escape(name): escape(version) for name, version in (made.get("versions") or {}).items()},
        "learning rate": escape(", ".join(learning_rate(name, m) for name, m in results["models"].items())),
        "precision": escape(", ".join(map(str, precision)) or DASH),
        "threads per training": str(made.get("threads") or DASH),
        "trainings at a time": str(made.get("trainings_at_a_time") or DASH),
    }
    parameters = [
        f"{code(name)}: {'not set' if value is None else code(value)}"
        for name, value in (results.get("parameters") or {}).items()
    ]
    return paragraphs(
        "## Reproducing this run",
        code_block(made.get("command") or "unknown"),
        "The same command on the same machine gives the same numbers, bit for bit; on another machine, the "
        "same within the spread over seeds.",
        "Parameters:" if parameters else "",
        bullets(parameters),
        table(["what", "value"], [[name, value] for name, value in facts.items()], left=2),
    )
