"""One finished training to its entry in results.json, and the one task that reads the test labels."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.data.prepare import PreparedData
from tasks.evaluation.early_stopping import best_epoch, early_stopping
from tasks.evaluation.measures import (
    Array,
    finite,
    measure,
    measure_test,
    nll_of_images,
    predicted_labels,
    worst_mistakes,
)
from tasks.evaluation.onset import find_onset
from tasks.evaluation.statistics import ALPHA, Right, agreement, difference_interval, mcnemar_p
from tasks.files import atomic_write, sha256_of, write_json
from tasks.results.enums import AccuracyChange
from tasks.results.training import AfterBestEpoch, Measures, Record, TrainingResult
from tasks.store.layout import Artifacts
from tasks.training.fitted import FittedTraining, read_fitted
from tasks.training.train import Training


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` wrote into the run folder about one training."""

    model: str
    seed: int
    # json: an EvaluatedTraining. Beside it an npz: right (n,) bool and nll (n,) float64, in nats, on test;
    # mistakes (k, height, width) or (k, height, width, 3) uint8
    path: str


class EvaluatedTraining(Record):
    """What a run folder holds of one training before all of them come together."""

    model: str
    parameter_count: int
    summary: str
    training: TrainingResult


def after_best_epoch(best: Right, final: Right, best_epoch: int | None, epochs: int) -> AfterBestEpoch:
    """Did training on after the best epoch change the accuracy on test? Exact McNemar, this training alone.

    `best` and `final` tell which test images, shape (n,), the weights of the lowest validation loss and the last
    ones recognise. Test, because validation chose the epoch: its images flatter the choice. A network's loss may
    overfit while its accuracy still rises (Guo et al. 2017), so both are judged.
    """
    _, best_only, final_only, _ = agreement(best, final)
    p_value = mcnemar_p(best_only, final_only)
    change = AccuracyChange.NOT_MEASURABLE
    if best_epoch is None:
        change = AccuracyChange.NO_FINITE_LOSS
    elif best_epoch == epochs:
        change = AccuracyChange.LAST_EPOCH_IS_BEST
    alone = AfterBestEpoch(
        change=change,
        n=len(best),
        best_only=best_only,
        final_only=final_only,
        difference=(final_only - best_only) / len(best),
        difference_ci95=difference_interval(final_only, best_only, len(best)),
        p_value=p_value,
        p_adjusted=p_value,
    )
    return judged(alone, p_value)


def judged(after: AfterBestEpoch, p_adjusted: float) -> AfterBestEpoch:
    """Return the verdict anew, given the p-value adjusted for the trainings that are judged together."""
    change = after.change
    if after.trained_on:
        change = AccuracyChange.NOT_MEASURABLE
        if p_adjusted <= ALPHA:
            change = AccuracyChange.ROSE if after.difference > 0 else AccuracyChange.FELL
    return after.model_copy(update={"p_adjusted": p_adjusted, "change": change})


def evaluate_training(
    training: Training,
    fitted: FittedTraining,
    predictions: Mapping[str, Array],
    *,
    folder: str,
    validation_labels: Array,
    test_labels: Array,
    train_count: int,
    is_mnist: bool,
) -> TrainingResult:
    """Return all that is measured of one training, from its record and its predictions.npz.

    `folder` is where it lies below the artifacts folder, `train_count` the number of images it was fitted on.
    """
    history = fitted.history
    best = best_epoch(history.val_nll)
    correct = int(np.nan_to_num(predictions["final_train_correct"]))
    best_right, final_right = (
        predicted_labels(predictions[f"{weights}_test"]) == test_labels for weights in ("best", "final")
    )
    return TrainingResult(
        seed=training.seed,
        origin=training.origin,
        origin_reason=training.origin_reason,
        key=training.key,
        folder=folder,
        precision=training.precision,
        threads=training.threads,
        seconds=fitted.seconds,
        epoch_seconds=fitted.epoch_seconds,
        diverged=fitted.diverged,
        history=history,
        test=measure_test(predictions["final_test"], test_labels),
        train=Measures(
            n=train_count,
            correct=correct,
            accuracy=correct / train_count,
            accuracy_ci95=None,
            nll=finite(float(predictions["final_train_nll"]) / train_count),
        ),
        validation=measure(predictions["final_validation"], validation_labels),
        best_epoch=best,
        onset=find_onset(history.val_nll, history.train_nll, predictions["validation_losses"]),
        early_stopping=early_stopping(history.val_nll, history.train_nll),
        after_best=after_best_epoch(best_right, final_right, best, len(history.val_nll)),
        mistakes=worst_mistakes(predictions["final_test"], test_labels, is_mnist),
    )


def as_pictures(images: Array) -> Array:
    """Return images (k, height, width, channels) without the channel axis where they are grey."""
    return images[..., 0] if images.shape[-1] == 1 else images


@task(name="evaluate", task_run_name="evaluate-{training.model}-{training.seed}", cache_policy=NO_CACHE)
def evaluate(training: Training, prepared: PreparedData, run_folder: str) -> Evaluation:
    """Measure one finished training and write its numbers and predicted test labels into the run folder."""
    folder = Path(training.folder)
    fitted = read_fitted(folder)
    with np.load(folder / "predictions.npz") as stored:
        predictions = dict(stored)
    with np.load(prepared.path) as data:
        test_images, test_labels, validation_labels = data["x_test"], data["y_test"], data["y_validation"]
    result = evaluate_training(
        training,
        fitted,
        predictions,
        folder=os.path.relpath(folder, Artifacts.of(Path(run_folder)).root),
        validation_labels=validation_labels,
        test_labels=test_labels,
        train_count=prepared.counts["train"],
        is_mnist=prepared.dataset.is_mnist,
    )
    path = Path(run_folder) / "trainings" / f"{training.model}-{training.seed}.json"
    right = predicted_labels(predictions["final_test"]) == test_labels
    nll = nll_of_images(predictions["final_test"], test_labels)
    mistakes = np.array([mistake.index for mistake in result.mistakes], dtype=int)
    with atomic_write(path.with_suffix(".npz")) as temporary:
        np.savez(temporary, right=right, nll=nll, mistakes=as_pictures(test_images[mistakes]))
    result = result.model_copy(update={"answers_sha256": sha256_of(path.with_suffix(".npz"))})
    evaluated = EvaluatedTraining(
        model=training.model, parameter_count=fitted.parameter_count, summary=fitted.summary, training=result
    )
    write_json(path, evaluated.model_dump(mode="json"))
    return Evaluation(training.model, training.seed, str(path))
