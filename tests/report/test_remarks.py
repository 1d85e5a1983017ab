"""What a run is remarked on for."""

from hand_made import DATASET, run, seeds_with

from tasks.report.remarks import remarks
from tasks.report.summary import closing_lines


def test_an_ordinary_run_needs_no_remark() -> None:
    """Enough validation images, none repeated, none blank, and a network that has learnt something."""
    assert remarks(run({"cnn": seeds_with([0.98])})) == []


def test_odd_images() -> None:
    """Few validation images, repeated test images and blank ones are said before the report's path."""
    counts = {"train": 500, "validation": 50, "test": 10_000}
    facts = {"counts": counts, "repeated_test_images": 1_234, "blank_images": 2, "broken_pictures": 3}
    results = run({"cnn": seeds_with([0.98])}, dataset=DATASET.model_copy(update=facts))
    expected = [
        "Only 50 validation images: losses and onsets rest on few images.",
        "1,234 of 10,000 test images are training images too: on them accuracy shows memory, not recognition.",
        "3 pictures could not be read, and took no part.",
        "2 images are blank.",
    ]
    assert remarks(results) == expected
    assert closing_lines(results, "report.md")[-5:] == [*expected, "Report: report.md"]


def test_accuracy_at_the_level_of_chance() -> None:
    """A network whose accuracy may be no more than that of the most frequent class is named."""
    model = seeds_with([0.5])
    test = model.finished[0].test.model_copy(update={"per_class_n": [5_000, 5_000]})
    model = model.model_copy(update={"trainings": [model.finished[0].model_copy(update={"test": test})]})
    [remark] = remarks(run({"dense": model}))
    assert remark.startswith("dense (seed 0) is not shown to be better than always answering")
    assert "50.00 % of the test images" in remark
