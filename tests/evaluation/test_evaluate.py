"""From a training's folder to its entry in results.json."""

import json
from pathlib import Path

import numpy as np
import pytest
from synthetic import make_data, make_history, make_log_probabilities, make_training

from tasks.evaluation.evaluate import after_best_epoch, evaluate, evaluate_training, judged
from tasks.results.enums import AccuracyChange, OnsetStatus, Origin
from tasks.results.training import History, Losses, TrainingResult
from tasks.training.fitted import FittedTraining
from tasks.training.train import Training

LABELS = np.arange(100) % 10


def answers(right: int) -> np.ndarray:
    """Log-probabilities (100, 10) of a network that recognises the first `right` images."""
    probabilities = np.full((100, 10), 0.01)
    predicted = np.where(np.arange(100) < right, LABELS, (LABELS + 1) % 10)
    probabilities[np.arange(100), predicted] = 0.91
    return np.log(probabilities)


def recognised(right: int) -> np.ndarray:
    """Truth values of 100 test images of which the first `right` are recognised."""
    return np.arange(100) < right


def test_accuracy_that_rises_after_the_best_epoch() -> None:
    """Ten images more by the final weights and none fewer: accuracy rose, whatever the loss did."""
    found = after_best_epoch(recognised(80), recognised(90), 7, 20)
    assert (found.change, found.best_only, found.final_only) == (AccuracyChange.ROSE, 0, 10)
    assert (found.difference, found.p_value) == (0.1, 2 * 0.5**10)


@pytest.mark.parametrize(
    ("best", "final", "best_epoch", "change"),
    [
        (90, 80, 7, AccuracyChange.FELL),
        (80, 83, 7, AccuracyChange.NOT_MEASURABLE),  # three of a hundred images may be chance
        (80, 80, 20, AccuracyChange.LAST_EPOCH_IS_BEST),
        (80, 80, None, AccuracyChange.NO_FINITE_LOSS),
    ],
)
def test_accuracy_after_the_best_epoch(
    best: int, final: int, best_epoch: int | None, change: AccuracyChange
) -> None:
    """Accuracy falls, does not measurably change, or there is nothing to compare, in 20 epochs."""
    assert after_best_epoch(recognised(best), recognised(final), best_epoch, 20).change is change


def test_many_trainings_judged_together_need_more_than_one_alone() -> None:
    """Eight images more and none fewer are a change (p = 0.008), but not if p is 0.06 after Holm's adjustment."""
    alone = after_best_epoch(recognised(80), recognised(88), 7, 20)
    together = judged(alone, 0.06)
    assert (alone.change, alone.p_adjusted) == (AccuracyChange.ROSE, alone.p_value)
    assert (together.change, together.p_adjusted) == (AccuracyChange.NOT_MEASURABLE, 0.06)


def test_the_accuracy_after_the_best_epoch_is_judged_on_test() -> None:
    """Validation images chose the epoch, so they do not judge it."""
    after = measured(best_test=answers(80), final_test=answers(90)).after_best
    assert (after.n, after.best_only, after.final_only) == (100, 0, 10)


def measured(curves: dict[str, Losses] | None = None, **changes: object) -> TrainingResult:
    """An evaluated training of ten epochs, with changes to its predictions."""
    generator = np.random.default_rng(0)
    predictions = {
        "final_test": make_log_probabilities(LABELS, 0.9, generator),
        "final_validation": make_log_probabilities(LABELS, 0.9, generator),
        "best_test": make_log_probabilities(LABELS, 0.9, generator),
        "final_train_nll": np.float64(20.0),
        "final_train_correct": np.int64(190),
        "validation_losses": np.full((10, len(LABELS)), 0.1, np.float16),
    } | changes
    fitted = FittedTraining(
        parameter_count=1,
        summary="",
        history=History(**make_history("cnn", 10, generator) | (curves or {})),
        epoch_seconds=[1.0] * 10,
        seconds=10.0,
        resumed_after=[],
        diverged=False,
    )
    training = Training("cnn", 0, Origin.TRAINED, "nothing to reuse", "ab", "cnn-0-ab", "float32", 2)
    return evaluate_training(
        training,
        fitted,
        predictions,
        folder="trainings/cnn-0-ab",
        validation_labels=LABELS,
        test_labels=LABELS,
        train_count=200,
        is_mnist=True,
    )


def test_train_is_measured_over_the_whole_fitted_set() -> None:
    """Accuracy and NLL on train come from the sums that the training process made: 190 of 200, 20 nats."""
    train = measured().train
    assert (train.accuracy, train.nll, train.n) == (0.95, 0.1, 200)
    assert train.accuracy_ci95 is None  # the whole set, not a sample


def test_the_headline_is_the_final_epoch() -> None:
    """Test accuracy and mistakes come from the final weights."""
    entry = measured(final_test=answers(95))
    assert entry.test.accuracy == 0.95
    assert [mistake.index for mistake in entry.mistakes] == [95, 96, 97, 98, 99]


def test_a_training_without_numbers_survives() -> None:
    """Predictions and sums that are NaN give an accuracy of 0 and no NLL."""
    nothing = np.full((100, 10), np.nan)
    predictions = dict.fromkeys(("final_test", "final_validation", "best_test"), nothing)
    sums = dict.fromkeys(("final_train_nll", "final_train_correct"), np.float64(np.nan))
    entry = measured(**predictions, **sums)
    assert (entry.test.accuracy, entry.test.nll, entry.train.nll) == (0.0, None, None)


def test_a_history_without_numbers_survives() -> None:
    """A loss that was never finite has no best epoch, and says so."""
    entry = measured(curves={"val_nll": [None] * 10})
    assert entry.best_epoch is None
    assert entry.onset.status is OnsetStatus.DIVERGED
    assert entry.after_best.change is AccuracyChange.NO_FINITE_LOSS


def test_evaluate_writes_numbers_and_pictures_into_the_run_folder(tmp_path: Path) -> None:
    """The json holds the entry, the npz which images are right, and pictures of the mistakes."""
    prepared = make_data(tmp_path, 200)
    training = make_training(tmp_path, prepared, "dense", 3)
    run_folder = tmp_path / "runs" / "one"
    evaluation = evaluate.fn(training, prepared, str(run_folder))
    assert evaluation.path == str(run_folder / "trainings" / "dense-3.json")
    written = json.loads(Path(evaluation.path).read_text())
    entry = written["training"]
    assert (written["model"], written["parameter_count"]) == ("dense", 51_450)
    assert (entry["seed"], entry["error"], entry["folder"]) == (3, None, "trainings/dense-3-0123456789ab")
    with np.load(prepared.path) as data, np.load(Path(evaluation.path).with_suffix(".npz")) as stored:
        assert stored["right"].dtype == np.bool_
        assert stored["right"].sum() == entry["test"]["correct"]
        indices = [mistake["index"] for mistake in entry["mistakes"]]
        assert np.array_equal(stored["mistakes"], data["x_test"][indices, :, :, 0])


def test_a_perfect_training_has_no_pictures_of_mistakes() -> None:
    """Without a mistake the list is empty."""
    assert measured(final_test=answers(100)).mistakes == []
