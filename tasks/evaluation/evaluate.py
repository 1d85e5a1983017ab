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
    measure,
    measure_test,
    measures_of,
    predicted_labels,
    worst_mistakes,
)
from tasks.evaluation.onset import find_onset
from tasks.evaluation.statistics import ALPHA, agreement, difference_interval, mcnemar_p
from tasks.files import atomic_write, write_json
from tasks.layout import Artifacts
from tasks.results.enums import AccuracyChange
from tasks.results.training import AfterBestEpoch, Record, TrainingResult
from tasks.training.fitted import FittedTraining, read_fitted
from tasks.training.train import Training


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` wrote into the run folder about one training."""

    model: str
    seed: int
    # json: an EvaluatedTraining. Beside it an npz: right (n,) bool on test; mistakes (k, 28, 28) uint8
    path: str


class EvaluatedTraining(Record):
    """What a run folder holds of one training before all of them come together."""

    model: str
    parameter_count: int
    summary: str
    training: TrainingResult


def after_best_epoch(
    best: Array, final: Array, labels: Array, best_epoch: int | None, epochs: int
) -> AfterBestEpoch:
    """Did training on after the best epoch change the accuracy on validation? Exact McNemar.

    `best` and `final` are log-probabilities (n, 10) by the weights of the lowest validation NLL and by the last
    ones. A network's loss may overfit while its accuracy still rises (Guo et al. 2017), so both are judged.
    """
    _, best_only, final_only, _ = agreement(
        predicted_labels(best) == labels, predicted_labels(final) == labels
    )
    p_value = mcnemar_p(best_only, final_only)
    if best_epoch is None:
        change = AccuracyChange.NO_FINITE_LOSS
    elif best_epoch == epochs:
        change = AccuracyChange.LAST_EPOCH_IS_BEST
    elif p_value > ALPHA:
        change = AccuracyChange.NOT_MEASURABLE
    else:
        change = AccuracyChange.ROSE if final_only > best_only else AccuracyChange.FELL
    return AfterBestEpoch(
        change=change,
        n=len(labels),
        best_only=best_only,
        final_only=final_only,
        difference=(final_only - best_only) / len(labels),
        difference_ci95=difference_interval(final_only, best_only, len(labels)),
        p_value=p_value,
    )


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
        train=measures_of(correct, train_count, float(predictions["final_train_nll"]) / train_count),
        validation=measure(predictions["final_validation"], validation_labels),
        best_epoch=best,
        onset=find_onset(history.val_nll, history.train_nll, predictions["validation_losses"]),
        early_stopping=early_stopping(history.val_nll, history.train_nll),
        after_best=after_best_epoch(
            predictions["best_validation"],
            predictions["final_validation"],
            validation_labels,
            best,
            len(history.val_nll),
        ),
        mistakes=worst_mistakes(predictions["final_test"], test_labels, is_mnist),
    )


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
    mistakes = np.array([mistake.index for mistake in result.mistakes], dtype=int)
    with atomic_write(path.with_suffix(".npz")) as temporary:
        np.savez(temporary, right=right, mistakes=test_images[mistakes, :, :, 0])
    evaluated = EvaluatedTraining(
        model=training.model, parameter_count=fitted.parameter_count, summary=fitted.summary, training=result
    )
    write_json(path, evaluated.model_dump(mode="json"))
    return Evaluation(training.model, training.seed, str(path))
