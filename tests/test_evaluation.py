"""From a training's folder to its entry in results.json."""

import json
from pathlib import Path

import numpy as np
from synthetic import make_data, make_history, make_log_probabilities, make_training

from tasks.evaluation.evaluate import accuracy_verdict, evaluate, evaluate_training

LABELS = np.arange(100) % 10


def answers(right: int) -> np.ndarray:
    """Log-probabilities (100, 10) of a network that recognises the first `right` images."""
    probabilities = np.full((100, 10), 0.01)
    predicted = np.where(np.arange(100) < right, LABELS, (LABELS + 1) % 10)
    probabilities[np.arange(100), predicted] = 0.91
    return np.log(probabilities)


def test_accuracy_that_rises_after_the_best_epoch() -> None:
    """Ten images more by the final weights and none fewer: accuracy rose, whatever the loss did."""
    verdict = accuracy_verdict(answers(80), answers(90), LABELS, 7, 20)
    assert (verdict["best_only"], verdict["final_only"]) == (0, 10)
    assert verdict["verdict"].startswith("Accuracy rose after epoch 7 (10.00 points, ")
    assert verdict["p_value"] == 2 * 0.5**10


def test_accuracy_that_falls_after_the_best_epoch() -> None:
    """Ten images fewer by the final weights: accuracy fell."""
    verdict = accuracy_verdict(answers(90), answers(80), LABELS, 7, 20)["verdict"]
    assert verdict.startswith("Accuracy fell after epoch 7 (-10.00 points, ")


def test_three_images_more_are_no_verdict_on_accuracy() -> None:
    """Three of a hundred images may be chance."""
    verdict = accuracy_verdict(answers(80), answers(83), LABELS, 7, 20)["verdict"]
    assert verdict.startswith("Accuracy did not change measurably after epoch 7 (3.00 points, ")


def test_nothing_to_judge_when_the_last_epoch_is_the_best() -> None:
    """If the last epoch has the lowest loss, the best weights are the final ones."""
    verdict = accuracy_verdict(answers(80), answers(80), LABELS, 20, 20)
    assert verdict["p_value"] == 1.0
    assert verdict["verdict"].startswith("The last epoch has the lowest validation loss")


def measured(**changes: object) -> dict[str, object]:
    """An evaluated training of ten epochs, with changes to its predictions."""
    generator = np.random.default_rng(0)
    predictions = {
        "final_test": make_log_probabilities(LABELS, 0.9, generator),
        "final_validation": make_log_probabilities(LABELS, 0.9, generator),
        "best_validation": make_log_probabilities(LABELS, 0.9, generator),
        "final_train_nll": np.float64(20.0),
        "final_train_correct": np.int64(190),
    } | changes
    fitted = {
        "history": make_history("cnn", 10, generator),
        "seconds": 10.0,
        "epoch_seconds": [1.0] * 10,
        "diverged": False,
    }
    return evaluate_training(
        fitted, predictions, validation_labels=LABELS, test_labels=LABELS, train_count=200, is_mnist=True
    )


def test_train_is_measured_over_the_whole_fitted_set() -> None:
    """Accuracy and NLL on train come from the sums that the training process made: 190 of 200, 20 nats."""
    train = measured()["train"]
    assert (train["accuracy"], train["nll"], train["n"]) == (0.95, 0.1, 200)
    assert train["accuracy_ci95"][0] < 0.95 < train["accuracy_ci95"][1]


def test_the_headline_is_the_final_epoch() -> None:
    """Test accuracy and mistakes come from the final weights."""
    entry = measured(final_test=answers(95))
    assert entry["test"]["accuracy"] == 0.95
    assert [mistake["index"] for mistake in entry["mistakes"]] == [95, 96, 97, 98, 99]


def test_a_training_without_numbers_survives() -> None:
    """Predictions and sums that are NaN give nulls and a verdict, and strict JSON."""
    nothing = np.full((100, 10), np.nan)
    entry = measured(
        final_test=nothing,
        final_validation=nothing,
        best_validation=nothing,
        final_train_nll=np.float64(np.nan),
        final_train_correct=np.float64(np.nan),
    )
    assert (entry["test"]["accuracy"], entry["test"]["nll"], entry["train"]["nll"]) == (0.0, None, None)
    json.dumps(entry, allow_nan=False)


def test_a_history_without_numbers_survives() -> None:
    """A loss that was never finite has no best epoch, and says so."""
    never = make_history("cnn", 10, np.random.default_rng(0)) | {"val_nll": [float("nan")] * 10}
    fitted = {"history": never, "seconds": 1.0, "epoch_seconds": [0.1] * 10, "diverged": True}
    predictions = dict.fromkeys(("final_test", "final_validation", "best_validation"), answers(10))
    predictions |= {"final_train_nll": np.float64(1), "final_train_correct": np.int64(1)}
    entry = evaluate_training(
        fitted, predictions, validation_labels=LABELS, test_labels=LABELS, train_count=200, is_mnist=True
    )
    assert entry["best_epoch"] is None
    assert entry["onset"]["status"] == "diverged"
    assert entry["onset"]["accuracy"]["verdict"] == "No epoch has a finite validation loss."
    assert entry["history"]["val_nll"] == [None] * 10


def test_evaluate_writes_numbers_and_predicted_labels_into_the_run_folder(tmp_path: Path) -> None:
    """The json holds the entry, the npz predicted labels, which are right, and pictures of the mistakes."""
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
        assert stored["predicted"].dtype == np.uint8
        assert np.array_equal(stored["right"], stored["predicted"] == data["y_test"])
        assert stored["right"].sum() == entry["test"]["correct"]
        indices = [mistake["index"] for mistake in entry["mistakes"]]
        assert np.array_equal(stored["mistakes"], data["x_test"][indices, :, :, 0])


def test_a_perfect_training_has_no_pictures_of_mistakes() -> None:
    """Without a mistake the list is empty."""
    assert measured(final_test=answers(100))["mistakes"] == []
