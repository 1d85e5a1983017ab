"""What stands in the sections of the report."""

import re
from pathlib import Path

from hand_made import DATASET, against_previous, failure, gate, network, on_test, previous, run, training
from synthetic import make_run

from tasks.report.page import report_markdown
from tasks.results.comparison import Difference
from tasks.results.enums import Change, GateOutcome, GateReason, Status
from tasks.results.file import read_results
from tasks.results.run import Results
from tasks.results.training import FailedTraining


def section(results: Results, heading: str) -> str:
    """Return the part of a run's report below a heading of the second level."""
    return report_markdown(results).split(f"## {heading}\n")[1].split("\n## ")[0]


def test_failures_are_not_hidden() -> None:
    """Failures stand before any result, each with its network, seed and whole error text."""
    models = {"dense": network(FailedTraining(seed=1, error="Killed.\nMore."), training(2)), "cnn": network()}
    failures = [failure("dense", 1, "Killed.\nMore."), failure("cnn", 3, "No memory.", task="evaluate")]
    before = section(run(models, status=Status.FAILED, failures=failures), "How the run ended")
    assert before.startswith("\n**Failed** after 12 min 34 s: 2 of 3 trainings have results")
    assert "**Failed: train dense (seed 1)**\n\n```text\nKilled.\nMore.\n```" in before
    assert "**Failed: evaluate cnn (seed 3)**\n\n```text\nNo memory.\n```" in before


def test_a_long_error_is_cut() -> None:
    """Of an error text the last 3,000 characters are shown; the log has the rest."""
    markdown = report_markdown(run({"cnn": network()}, failures=[failure(error="x" * 4_000)]))
    assert f"```text\n…\n{'x' * 3_000}\n```" in markdown


def test_gates_that_did_not_hold() -> None:
    """A gate that did not hold is in bold; one that was not judged is not called held."""
    gates = [
        gate(outcome=GateOutcome.NOT_HELD, reason=GateReason.NO_RESULT),
        gate(outcome=GateOutcome.NOT_JUDGED, reason=GateReason.NOT_IN_THIS_RUN, model="dense"),
    ]
    before = section(run({"cnn": network()}, gates=gates), "How the run ended")
    assert "results, 0 of 2 gates held, 1 not judged." in before
    words = "cnn has no result to hold against the 97.00 % required"
    assert f"| **not held** | min_test_accuracy | {words} |" in before
    assert "| not judged | min_test_accuracy | dense was not part of this run |" in before


def test_several_seeds(tmp_path: Path) -> None:
    """With several seeds: mean, deviation and range; onsets counted; every training has its row."""
    several = read_results(make_run(tmp_path, seeds=[0, 1, 2], test_images=200))
    markdown = report_markdown(several)
    assert "| seeds with results | 3 of 3 | 3 of 3 | 3 of 3 |" in markdown
    spread = several.accuracy("dense")
    accuracy = f"{100 * spread.mean:.2f} % ± {100 * (spread.standard_deviation or 0):.2f}"
    assert f"| test accuracy | {accuracy} |" in markdown
    assert re.search(r"\| overfitting onset \| seen in 3 of 3 seeds, median epoch \d+", markdown)
    assert len(re.findall(r"^\| regularized_cnn \| [012] \|", markdown, flags=re.MULTILINE)) == 3
    assert re.search(r"\n\*The \d+ most confident mistakes of seed 0 on the test images\.\*\n", markdown)
    assert "**Seeds.**" in markdown
    losses = [f"{pair.loss.difference:.4f}" for pair in several.comparisons if pair.loss]
    row = r"^\| \w+ \| \w+ \| 3 \| .+? \| .+? \| .+? \| (-?[\d.]+) \("
    assert re.findall(row, markdown, flags=re.MULTILINE) == losses


def test_previous_run() -> None:
    """What changed since the run before, with both values, and a row per training in common."""
    line = against_previous(Change.WORSE, difference=-0.01)
    changed = {
        "parameters_changed": [Difference(name="dense epochs", before="50", now="5")],
        "versions_changed": [Difference(name="keras", before="3.14.0", now="3.15.1")],
    }
    before = previous(line, **changed, unreadable=["dense with seed 0", "dense with seed 1"])
    assert section(run({"cnn": network()}, previous_run=before), "Compared with the previous run") == (
        "\nThe run before is earlier. Changed since: dense epochs: 50 -\\> 5; keras: 3.14.0 -\\> 3.15.1.\n\n"
        "- cnn, seed 0: worse than before (-1.00 points, -1.50 to -0.50).\n\n"
        "| network | seed | before | now | change (points) | p |\n"
        "| --- | --: | --: | --: | --: | --: |\n"
        "| cnn | 0 | 98.00 % | 97.00 % | -1.00 (-1.50 to -0.50) | 0.01 |\n\n"
        "Not all trainings were compared: its predictions cannot be read: "
        "dense with seed 0, dense with seed 1.\n"
    )


def test_nothing_in_common_with_the_previous_run() -> None:
    """A run that shares no training with the one before says so."""
    assert section(run({"cnn": network()}, previous_run=previous()), "Compared with the previous run") == (
        "\nThe run before is earlier. Parameters and versions are the same.\n\n"
        "No training was compared: it has no model and seed in common with this run.\n"
    )


def test_other_data_is_not_compared_with_the_tutorial() -> None:
    """For data that are not MNIST neither the tutorial nor MNIST's label errors are mentioned."""
    data = DATASET.model_copy(update={"name": "fashion-mnist", "is_mnist": False})
    markdown = report_markdown(run({"cnn": network()}, dataset=data))
    assert markdown.startswith("# fashion-mnist: cnn\n")
    assert "tutorial" not in markdown
    assert "Northcutt" not in markdown


def test_classes_have_their_names() -> None:
    """Accuracy by class and the images of each split; of many classes the worst, and the range of the counts."""
    clothes = {"is_mnist": False, "class_names": ["T-shirt/top", "a|b"], "test_set_aside": True}
    results = run({"cnn": network()}, dataset=DATASET.model_copy(update=clothes))
    assert "| T-shirt/top | 75.0 % | 4 |\n| a\\|b | 100.0 % | 5 |" in section(results, "Each network")
    data = section(results, "The data")
    assert "| T-shirt/top | 27,000 | 3,000 | 5,000 |" in data
    assert "The test images are a fifth of those of each class that were given for training" in data
    many = 300
    test = on_test(per_class_n=[5] * many, per_class_accuracy=[1.0] * 299 + [0.2], confusion=[(299, 0, 4)])
    counts = {split: list(range(1, many + 1)) for split in ("train", "validation", "test")}
    names = {"class_names": [f"class {label}" for label in range(many)], "class_counts": counts}
    results = run({"cnn": network(training(test=test))}, dataset=DATASET.model_copy(update=clothes | names))
    assert "| accuracy, the 20 worst classes | cnn | test images |" in section(results, "Each network")
    assert section(results, "Each network").count("| class ") == 20
    assert "| class 299 | 20.0 % | 5 |" in section(results, "Each network")
    assert "| median class | 150 | 150 | 150 |" in section(results, "The data")


def test_tutorial_says_why() -> None:
    """Beside the tutorial's figures stand the reasons for which this run's differ."""
    models = {"dense": network(epochs=5), "cnn": network(), "regularized_cnn": network(epochs=30)}
    raw = DATASET.model_copy(update={"pixel_scaling": "none"})
    part = section(run(models, dataset=raw), "Beside the tutorial")
    assert "| cnn | last validation accuracy | 98.65 % | 97.00 % (96.80 to 97.20) |" in part
    assert "| cnn | last validation loss | 0.0942 | 0.1000 |" in part
    assert "- This run was not the tutorial's programme: dense epochs 5, not 50.\n" in part
    assert "trained on raw pixels 0..255" in part
    assert "**What L2 and dropout cost.** With raw pixels" in part
