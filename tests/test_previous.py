"""This run beside an earlier one."""

from pathlib import Path

import numpy as np
import pytest
from synthetic import make_run

from tasks.comparison.previous import PreviousRun, compare_with_previous, read_previous, read_right
from tasks.files import read_json, write_json

DIGEST = "ab" * 32
NOW = {"parameters": {"epochs": 5}, "provenance": {"versions": {"keras": "3.15.1"}, "commit": "b"}}


def right(wrong: int) -> np.ndarray:
    """Truth values of 1,000 images of which the first `wrong` are not recognised."""
    return np.arange(1_000) >= wrong


def compared(before: int, now: int) -> dict[str, object]:
    """The one line about a model whose number of mistakes changed."""
    previous = PreviousRun("earlier", right={"cnn": {0: right(before)}})
    (line,) = compare_with_previous(previous, NOW, {"cnn": {0: right(now)}})["models"]
    return line


def test_a_change_is_now_minus_before() -> None:
    """20 mistakes fewer in 1,000: 2 points better, with interval and p-value."""
    line = compared(30, 10)
    assert (line["accuracy_before"], line["accuracy_now"], line["difference"]) == (0.97, 0.99, 0.02)
    assert line["ci95"][0] < 0.02 < line["ci95"][1]
    assert line["p_value"] == pytest.approx(2 * 0.5**20)
    assert line["verdict"].startswith("better than before (2.00 points, ")


def test_a_loss_is_named() -> None:
    """20 mistakes more: worse than before."""
    assert compared(10, 30)["verdict"].startswith("worse than before (-2.00 points, ")


def test_a_small_change_may_be_chance() -> None:
    """Three mistakes more are no change beyond chance."""
    assert compared(10, 13)["verdict"].startswith("no change beyond chance (-0.30 points, ")


def test_the_same_answers_are_unchanged() -> None:
    """A reused training recognises the same images."""
    assert compared(10, 10)["verdict"] == "unchanged: the same test images are recognised"


def test_what_changed_is_listed() -> None:
    """Parameters and versions that differ are listed with both values; what is only new, as None before."""
    before = {
        "parameters": {"batch_size": 128, "epochs": None},
        "models": {"dense": {"epochs": 50}, "cnn": {}},
        "provenance": {"versions": {"keras": "3.14.0"}, "commit": "b", "python": None},
    }
    now = NOW | {"models": {"dense": {"epochs": 5, "learning_rate": 0.001}, "cnn": {"epochs": 5}}}
    section = compare_with_previous(PreviousRun("earlier", before), now, {})
    assert section["parameters_changed"] == ["batch_size: 128 -> None", "dense epochs: 50 -> 5"]
    assert section["versions_changed"] == ["keras: 3.14.0 -> 3.15.1"]


def test_nothing_in_common_is_said() -> None:
    """Runs without a common model and seed give no lines and a note."""
    section = compare_with_previous(PreviousRun("earlier"), NOW, {"cnn": {0: right(1)}})
    assert section["models"] == []
    assert section["note"] == "it has no model and seed in common with this run"


def test_a_missing_run_is_a_note(tmp_path: Path) -> None:
    """A previous run whose folder is gone is no error."""
    assert read_previous(tmp_path / "gone", DIGEST).note == (
        "its results.json cannot be read (FileNotFoundError)"
    )


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"models": {"cnn": {"trainings": [{}]}}}'])
def test_a_damaged_run_is_a_note(tmp_path: Path, content: str) -> None:
    """Whatever is wrong with an earlier results.json, this run goes on."""
    (tmp_path / "results.json").write_text(content)
    assert str(read_previous(tmp_path, DIGEST).note).startswith("its results.json cannot be read")


def test_another_data_set_is_a_note(tmp_path: Path) -> None:
    """Runs on other data are not compared."""
    run = make_run(tmp_path, models=("dense",), test_images=100)
    previous = read_previous(run, "other digest")
    assert (previous.right, previous.note) == ({}, "it used another data set")


def unclosed(path: Path) -> None:
    """Flip the one bit that makes "(" of ")" in the header of an array."""
    path.write_bytes(path.read_bytes().replace(b"(100,)", b"(100,("))


@pytest.mark.parametrize("damage", [Path.unlink, unclosed])
def test_missing_predictions_are_a_note_and_the_rest_is_read(tmp_path: Path, damage) -> None:
    """A training whose npz is gone or damaged is named; the others are compared."""
    run = make_run(tmp_path, models=("dense", "cnn"), test_images=100)
    damage(run / "trainings" / "cnn-0.npz")
    previous = read_previous(run, DIGEST)
    assert list(previous.right) == ["dense"]
    assert previous.note == "its predictions cannot be read: cnn with seed 0"


def test_failed_trainings_of_the_earlier_run_are_not_looked_for(tmp_path: Path) -> None:
    """A training that failed then has no predictions to miss."""
    run = make_run(tmp_path, models=("dense", "cnn"), missing=("cnn",), test_images=100)
    previous = read_previous(run, DIGEST)
    assert (list(previous.right), previous.note) == (["dense"], None)


def test_right_is_read_back(tmp_path: Path) -> None:
    """What `evaluate` wrote about the test images agrees with the accuracy in results.json."""
    run = make_run(tmp_path, models=("dense",), test_images=100)
    test = read_json(run / "results.json")["models"]["dense"]["trainings"][0]["test"]
    assert read_right(run, "dense", 0).sum() == test["correct"]


def test_an_older_schema_without_provenance_is_survived(tmp_path: Path) -> None:
    """An earlier results.json without parameters and provenance is compared without lists of changes."""
    results = {"models": {}, "dataset": {"digest": DIGEST}}
    write_json(tmp_path / "results.json", results)
    section = compare_with_previous(read_previous(tmp_path, DIGEST), NOW, {})
    assert (section["parameters_changed"], section["versions_changed"]) == ([], [])
