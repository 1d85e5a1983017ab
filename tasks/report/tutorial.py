"""The figures that the tutorial printed beside those of this run, and why they differ."""

from typing import Any

from tasks.markdown import DASH, bullets, escape, paragraphs, table
from tasks.report.cells import finished, last_value, nll, onset, onset_over_seeds, share
from tasks.wording import percent, span

Results = dict[str, Any]
Model = dict[str, Any]

# What the tutorial (2019, TensorFlow 1.x and 2.0) prints or says of each network: quantity to text.
PRINTED = {
    "dense": {
        "test accuracy": "96.31 %",
        "test loss": "0.2137",
        "last validation accuracy": "96.78 %",
        "overfitting starts": "about epoch 20",
    },
    "cnn": {
        "last validation accuracy": "98.65 %",
        "last validation loss": "0.0942",
        "overfitting starts": "epoch 8",
    },
    "regularized_cnn": {
        "test accuracy": "97.53 %",
        "test loss": "0.3757 (with L2)",
        "train accuracy, dropout off": "97.51 %",
        "train loss, dropout off": "0.3810 (with L2)",
        "overfitting starts": "not in 30 epochs",
    },
}
EPOCHS = {"dense": 50, "cnn": 20, "regularized_cnn": 30}


def beside_the_tutorial(results: Results) -> str:
    """Return the comparison with the tutorial; nothing for data that are not MNIST."""
    if not (results.get("dataset") or {}).get("is_mnist"):
        return ""
    rows = [
        [escape(name), quantity, printed, ours(model, quantity)]
        for name, model in results["models"].items()
        if finished(model)
        for quantity, printed in PRINTED.get(name, {}).items()
    ]
    if not rows:
        return paragraphs(
            "## Beside the tutorial", "None of the tutorial's networks has a result in this run."
        )
    return paragraphs(
        "## Beside the tutorial",
        table(["network", "quantity", "tutorial", "this run"], rows, left=2),
        "The tutorial's figures come from one training each and 10,000 test or 6,000 validation images. "
        "In brackets: 95 % intervals, or the range over seeds.",
        "Why they differ:",
        bullets(reasons(results)),
        cost_of_regularisation(results),
    )


def ours(model: Model, quantity: str) -> str:
    """Return this run's value of a quantity that the tutorial prints."""
    trainings = finished(model)
    first = trainings[0]
    if quantity == "overfitting starts":
        return onset(first) if len(trainings) == 1 else onset_over_seeds(model)
    if len(trainings) > 1:
        return over_seeds([number_of(training, quantity) for training in trainings], "accuracy" in quantity)
    if quantity == "test accuracy":
        return share(first["test"])
    if quantity == "train accuracy, dropout off":
        return share(first.get("train"))
    if quantity == "last validation accuracy":
        return share(first.get("validation"))
    if quantity == "test loss":
        return nll(first["test"])
    value = number_of(first, quantity)
    return DASH if value is None else f"{value:.4f}"


def number_of(training: dict[str, Any], quantity: str) -> float | None:
    """Return a quantity as a number; losses are free of the penalty, but for Keras's own validation loss."""
    if quantity == "last validation loss":
        return last_value(training["history"].get("val_loss"))
    part, key = quantity.replace("last ", "").replace(", dropout off", "").split()
    value = (training.get(part) or {}).get({"accuracy": "accuracy", "loss": "nll"}[key])
    return None if value is None else float(value)


def over_seeds(values: list[float | None], is_share: bool) -> str:
    """Return mean and range over the seeds that have a value."""
    known = [value for value in values if value is not None]
    if not known:
        return DASH
    mean = sum(known) / len(known)
    if is_share:
        return f"{percent(mean)} ({span((min(known), max(known)))})"
    return f"{mean:.4f} ({min(known):.4f} to {max(known):.4f})"


def reasons(results: Results) -> list[str]:
    """Return why the figures differ, given the parameters of this run."""
    parameters = results.get("parameters") or {}
    given = [
        "One training differs from the next by chance: other initial weights, another order of the images, "
        "another TensorFlow (1.x or 2.0 in 2019).",
        "For regularized_cnn the tutorial's losses contain the L2 penalty. Losses here are penalty-free, but "
        "for the last validation loss, which is the one Keras logs.",
    ]
    if parameters.get("pixel_scaling", "unit") == "unit":
        given.insert(
            0,
            "The tutorial explains scaling to 0..1, but its code trained on raw pixels 0..255. This run "
            "divides by 255; `--pixel-scaling none` repeats what the tutorial did. With raw pixels the first "
            "losses are large, and the same L2 penalty weighs less.",
        )
    else:
        given.insert(0, "Like the tutorial's code, this run trained on raw pixels 0..255.")
    changed = [
        f"{name}: {model['epochs']} epochs, not {EPOCHS[name]}"
        for name, model in results["models"].items()
        if name in EPOCHS and model.get("epochs") not in (None, EPOCHS[name])
    ]
    for key, value in {"batch_size": 128, "learning_rate": 0.001, "validation_split": 0.1}.items():
        if parameters.get(key) not in (None, value):  # None: the network's own, which is the tutorial's
            changed.append(f"{key} {parameters[key]}, not {value}")
    if parameters.get("train_samples") is not None:
        changed.append(f"{parameters['train_samples']} training images only")
    if changed:
        given.insert(0, f"This run was not the tutorial's programme: {escape('; '.join(changed))}.")
    return given


def cost_of_regularisation(results: Results) -> str:
    """Return what L2 and dropout cost: regularized_cnn's accuracy beside its neighbours'."""
    names = [
        name
        for name in ("regularized_cnn", "cnn", "deep_cnn")
        if name in results["models"] and finished(results["models"][name])
    ]
    if names[:1] != ["regularized_cnn"] or len(names) < 2:
        return ""
    scaled = (results.get("parameters") or {}).get("pixel_scaling", "unit") == "unit"
    meaning = (
        "With pixels scaled to 0..1 the first layer needs weights 255 times larger for the same effect, so "
        "an L2 factor of 0.01 presses much harder than it did in the tutorial, which reached 97.53 %."
        if scaled
        else "With raw pixels the first layer gets by with small weights; an L2 of 0.01 presses little."
    )
    described = {
        "regularized_cnn": "regularized_cnn",
        "cnn": "cnn (two convolutions, neither dropout nor L2)",
        "deep_cnn": "deep_cnn (the layers of regularized_cnn, neither dropout nor L2)",
    }
    accuracies = [f"{described[name]} {ours(results['models'][name], 'test accuracy')}" for name in names]
    hint = (
        ""
        if "deep_cnn" in names
        else " cnn is also the shallower network; deep_cnn (`--models regularized_cnn deep_cnn`) would be "
        "the same layers without the two."
    )
    return (
        f"**What L2 and dropout cost.** {meaning} Test accuracy in this run: {'; '.join(accuracies)}.{hint}"
    )
