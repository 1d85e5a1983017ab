"""This run beside an earlier one."""

import logging
from pathlib import Path

import numpy as np
import pytest
from synthetic import make_data, make_header, make_run

from tasks.comparison.compare import Header
from tasks.comparison.previous import (
    Earlier,
    compare_with_previous,
    earlier_runs,
    find_baselines,
    find_previous,
    read_answers,
    with_answers,
)
from tasks.evaluation.statistics import RightBySeed
from tasks.results.comparison import Difference, PreviousRun
from tasks.results.enums import Change
from tasks.results.file import read_results
from tasks.results.run import Plan

DIGEST = "ab" * 32  # of the invented data


def right(wrong: int) -> np.ndarray:
    """Truth values of 1,000 images of which the first `wrong` are not recognised."""
    return np.arange(1_000) >= wrong


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> Header:
    """What is known of a run of dense and cnn beside its trainings."""
    prepared = make_data(tmp_path_factory.mktemp("data"), 100)
    return make_header("1-now", prepared, ("dense", "cnn"), (0,), None)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An earlier run of dense alone."""
    return make_run(tmp_path_factory.mktemp("earlier"), models=("dense",), test_images=100)


def section(
    header: Header, run: Path, before: dict[str, RightBySeed], now: dict[str, RightBySeed]
) -> PreviousRun:
    """This run beside the earlier one, given which images they recognised."""
    earlier = Earlier(read_results(run), right=before)
    return compare_with_previous(earlier, header.parameters, header.provenance, header.plans, now)


@pytest.mark.parametrize(
    ("before", "now", "change"),
    [
        (50, 10, Change.BETTER),
        (10, 50, Change.WORSE),
        (10, 16, Change.WITHIN_CHANCE),
        (10, 10, Change.UNCHANGED),
    ],
)
def test_changes(header: Header, run: Path, before: int, now: int, change: Change) -> None:
    """40 mistakes of 1,000 are a change, six may be a retraining's luck, and the same images are no change."""
    (line,) = section(header, run, {"cnn": {0: right(before)}}, {"cnn": {0: right(now)}}).trainings
    assert line.change is change


def test_a_change_is_now_minus_before(header: Header, run: Path) -> None:
    """30 of 1,000 images gained and 10 lost: 2 points better, with interval and p-value."""
    (line,) = section(header, run, {"cnn": {0: right(30)}}, {"cnn": {0: right(10)[::-1]}}).trainings
    assert (line.accuracy_before, line.accuracy_now, line.difference) == (0.97, 0.99, 0.02)
    assert line.difference_ci95[0] < 0.02 < line.difference_ci95[1]
    assert line.p_value == line.p_adjusted == pytest.approx(0.174, abs=0.001)


def test_many_lines_raise_no_more_false_alarms(header: Header, run: Path) -> None:
    """24 images lost and none gained are a change alone, not among two trainings."""
    before = {"cnn": {0: right(10), 1: right(10)}}
    now = {"cnn": {0: right(34), 1: right(10)}}
    first, _ = section(header, run, before, now).trainings
    assert first.p_value < 0.05 < first.p_adjusted == 2 * first.p_value
    assert first.change is Change.WITHIN_CHANCE


def test_what_changed_is_listed(header: Header, run: Path) -> None:
    """Parameters, plans and versions that differ are listed with both values; models and seeds are not."""
    parameters = header.parameters | {"batch_size": 64}
    plan = Plan(epochs=5, learning_rate=0.001, learning_rate_schedule="constant")
    provenance = header.provenance.model_copy(update={"versions": {"keras": "3.16.0"}, "python": "3.12.0"})
    plans = {"dense": plan, "cnn": plan}
    found = compare_with_previous(Earlier(read_results(run)), parameters, provenance, plans, {})
    assert found.parameters_changed == [
        Difference(name="batch_size", before="128", now="64"),
        Difference(name="dense epochs", before="50", now="5"),
    ]
    changed = {each.name: (each.before, each.now) for each in found.versions_changed}
    assert (changed["keras"], changed["python"]) == (("3.15.1", "3.16.0"), ("3.11.2", "3.12.0"))


def test_nothing_in_common(header: Header, run: Path) -> None:
    """Runs without a common model and seed have no lines."""
    assert section(header, run, {"cnn": {0: right(1)}}, {"cnn": {1: right(1)}}).trainings == []


def unclosed(path: Path) -> None:
    """Flip the one bit that makes "(" of ")" in the header of an array."""
    path.write_bytes(path.read_bytes().replace(b"(100,)", b"(100,("))


def of_another_training(path: Path) -> None:
    """Put the sound file of another training there."""
    path.write_bytes(path.with_name("dense-0.npz").read_bytes())


@pytest.mark.parametrize("damage", [Path.unlink, unclosed, of_another_training])
def test_missing_predictions_are_noted_and_the_rest_is_read(tmp_path: Path, damage) -> None:
    """A training whose npz is gone, damaged or another's is named; the others are compared."""
    run = make_run(tmp_path, models=("dense", "cnn"), test_images=100)
    damage(run / "trainings" / "cnn-0.npz")
    previous = with_answers(run, read_results(run))
    assert list(previous.right) == ["dense"]
    assert previous.unreadable == ["cnn with seed 0"]


def test_failed_trainings_of_the_earlier_run_are_not_looked_for(tmp_path: Path) -> None:
    """A training that failed then has no predictions to miss."""
    run = make_run(tmp_path, models=("dense", "cnn"), missing=("cnn",), test_images=100)
    previous = with_answers(run, read_results(run))
    assert (list(previous.right), previous.unreadable) == (["dense"], [])


def test_right_is_read_back(run: Path) -> None:
    """What `evaluate` wrote about the test images agrees with the accuracy in results.json."""
    (training,) = read_results(run).models["dense"].finished
    right, nll = read_answers(run, "dense", 0)
    assert (right.sum(), nll.mean()) == (training.test.correct, pytest.approx(training.test.nll))


def test_the_previous_run(tmp_path: Path) -> None:
    """The run before is the newest that succeeded, of the same deployment and with the same data."""
    for name, missing in (("20260101-older", ()), ("20260102-newer", ()), ("20260103-failed", ("dense",))):
        make_run(tmp_path, models=("dense",), missing=missing, test_images=100, name=name)
    now = tmp_path / "runs" / "20260104-now"
    found = find_previous(now, None, DIGEST)
    assert found is not None
    assert found.results.provenance.run == "20260102-newer"
    assert find_previous(now, "nightly", DIGEST) is None
    assert find_previous(now, None, "fashion") is None


def baselines(artifacts: Path, header: Header, *models: str, **changed: object) -> dict[str, str]:
    """Against which run each of these networks with seed 0 is held, with some parameters changed."""
    right = {model: {0: np.ones(100, dtype=bool)} for model in models}
    earlier = earlier_runs(artifacts / "runs" / "20260109-now", None, DIGEST)
    found = find_baselines(earlier, header.parameters | changed, header.plans, right)
    return {model: baseline.run for model, baseline in found.items()}


def test_baselines(tmp_path: Path, header: Header) -> None:
    """Each network is held against the newest run that has it with the same settings and a seed of this run."""
    earlier = [
        ("20260101-both", {"models": ("dense", "cnn")}),
        ("20260102-dense", {"models": ("dense",)}),
        ("20260103-short", {"models": ("dense", "cnn"), "epochs": 10}),
        ("20260104-other-seed", {"models": ("dense", "cnn"), "seeds": (1,)}),
    ]
    for name, arguments in earlier:
        make_run(tmp_path, name=name, test_images=100, **arguments)  # type: ignore[arg-type]
    both = {"dense": "20260102-dense", "cnn": "20260101-both"}
    assert baselines(tmp_path, header, "dense", "cnn") == both
    assert baselines(tmp_path, header, "dense", "cnn", min_test_accuracy=0.9, training_timeout=60.0) == both
    assert baselines(tmp_path, header, "dense", "cnn", train_samples=500) == {}


def test_results_of_another_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Sound results that lie in another run's folder are passed over with a warning that names both."""
    first, second = (make_run(tmp_path, test_images=100, name=name) for name in ("1-first", "2-second"))
    (second / "results.json").write_bytes((first / "results.json").read_bytes())
    with caplog.at_level(logging.WARNING):
        found = find_previous(tmp_path / "runs" / "3-now", None, DIGEST)
    assert found is not None
    assert found.results.provenance.run == "1-first"
    assert "2-second/results.json holds the results of another run, 1-first." in caplog.text


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"status": "completed"}', "[" * 100_000, None])
def test_damaged_results(tmp_path: Path, damage: str | None, caplog: pytest.LogCaptureFixture) -> None:
    """Damaged results, were it a single digit, are passed over with a warning that names them."""
    make_run(tmp_path, models=("dense",), test_images=100, name="20260101-sound")
    path = make_run(tmp_path, models=("dense",), test_images=100, name="20260102-damaged") / "results.json"
    path.write_text(path.read_text().replace("754.0", "755.0") if damage is None else damage)
    with caplog.at_level(logging.WARNING):
        found = find_previous(tmp_path / "runs" / "20260103-now", None, DIGEST)
    assert found is not None
    assert found.results.provenance.run == "20260101-sound"
    assert "20260102-damaged" in caplog.text
