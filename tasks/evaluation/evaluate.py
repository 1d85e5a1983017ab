"""One finished training to its entry in results.json, and the one task that reads the test labels."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.data.prepare import PreparedData
from tasks.evaluation.measures import (
    Array,
    accuracy_and_nll,
    finite,
    measure,
    predicted_labels,
    wilson_interval,
    worst_mistakes,
)
from tasks.evaluation.onset import best_epoch, early_stopping_rules, find_onset
from tasks.evaluation.statistics import ALPHA, agreement, difference_interval, mcnemar_p
from tasks.files import atomic_write, read_json, write_json
from tasks.training.train import Training
from tasks.wording import points, span


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` wrote into the run folder about one training."""

    model: str
    seed: int
    # json: model, parameter_count, summary, and the training's entry in results.json. Beside it an npz of the same
    # name: predicted (n,) uint8, right (n,) bool on test; mistakes (k, 28, 28) uint8
    path: str


def accuracy_verdict(
    best: Array, final: Array, labels: Array, best_epoch: int | None, epochs: int
) -> dict[str, Any]:
    """Did training on after the best epoch change the accuracy on validation? Exact McNemar.

    `best` and `final` are log-probabilities by the weights of the lowest validation NLL and by the last ones.
    A network's loss may overfit while its accuracy still rises (Guo et al. 2017), so both are judged.
    """
    _, best_only, final_only, _ = agreement(
        predicted_labels(best) == labels, predicted_labels(final) == labels
    )
    p_value = mcnemar_p(best_only, final_only)
    gain = (final_only - best_only) / len(labels)
    interval = difference_interval(final_only, best_only, len(labels))
    change = f"({points(gain)} points, {span(interval)}, on {len(labels):,} validation images)"
    if best_epoch is None:
        verdict = "No epoch has a finite validation loss."
    elif best_epoch == epochs:
        verdict = "The last epoch has the lowest validation loss: there is no training on to judge."
    elif p_value > ALPHA:
        verdict = f"Accuracy did not change measurably after epoch {best_epoch} {change}."
    else:
        verdict = f"Accuracy {'rose' if gain > 0 else 'fell'} after epoch {best_epoch} {change}."
    return {"best_only": best_only, "final_only": final_only, "p_value": p_value, "verdict": verdict}


def evaluate_training(
    fitted: Mapping[str, Any],
    predictions: Mapping[str, Array],
    *,
    validation_labels: Array,
    test_labels: Array,
    train_count: int,
    is_mnist: bool,
) -> dict[str, Any]:
    """The measured part of a TRAINING in results.json, from its training.json and predictions.npz."""
    history = {curve: [finite(value) for value in values] for curve, values in fitted["history"].items()}
    onset = find_onset(history["val_nll"], history["train_nll"])
    best = best_epoch(history["val_nll"])
    train_correct = int(np.nan_to_num(predictions["final_train_correct"]))
    return {
        "seconds": fitted["seconds"],
        "epoch_seconds": fitted["epoch_seconds"],
        "diverged": fitted["diverged"],
        "history": history,
        "test": measure(predictions["final_test"], test_labels),
        "train": {
            "n": train_count,
            "accuracy": train_correct / train_count,
            "accuracy_ci95": wilson_interval(train_correct, train_count),
            "nll": finite(float(predictions["final_train_nll"]) / train_count),
        },
        "validation": accuracy_and_nll(predictions["final_validation"], validation_labels),
        "best_epoch": best,
        "onset": {
            "status": onset.status,
            "epoch": onset.epoch,
            "interval": None if onset.interval is None else list(onset.interval),
            "severity": finite(onset.severity),
            "smallest_detectable_rise": finite(onset.smallest_detectable_rise),
            "sentence": onset.sentence,
            "rules": early_stopping_rules(history["val_nll"], history["train_nll"]),
            "accuracy": accuracy_verdict(
                predictions["best_validation"],
                predictions["final_validation"],
                validation_labels,
                best,
                len(history["val_nll"]),
            ),
        },
        "mistakes": worst_mistakes(predictions["final_test"], test_labels, is_mnist),
    }


@task(name="evaluate", task_run_name="evaluate-{training.model}-{training.seed}", cache_policy=NO_CACHE)
def evaluate(training: Training, prepared: PreparedData, run_folder: str) -> Evaluation:
    """Measure one finished training and write its numbers and predicted test labels into the run folder."""
    folder = Path(training.folder)
    fitted = read_json(folder / "training.json")
    with np.load(folder / "predictions.npz") as stored:
        predictions = dict(stored)
    with np.load(prepared.path) as data:
        test_images, test_labels, validation_labels = data["x_test"], data["y_test"], data["y_validation"]
    measured = evaluate_training(
        fitted,
        predictions,
        validation_labels=validation_labels,
        test_labels=test_labels,
        train_count=prepared.counts["train"],
        is_mnist=prepared.dataset.is_mnist,
    )
    entry = {
        "seed": training.seed,
        "origin": training.origin,
        "origin_reason": training.origin_reason,
        "error": None,
        "key": training.key,
        "folder": os.path.relpath(folder, Path(run_folder).parent.parent),  # from the artifacts folder
        "precision": training.precision,
        "threads": training.threads,
        **measured,
    }
    path = Path(run_folder) / "trainings" / f"{training.model}-{training.seed}.json"
    predicted = predicted_labels(predictions["final_test"])
    mistakes = np.array([mistake["index"] for mistake in measured["mistakes"]], dtype=int)
    with atomic_write(path.with_suffix(".npz")) as temporary:
        np.savez(
            temporary,
            predicted=predicted,
            right=predicted == test_labels,
            mistakes=test_images[mistakes, :, :, 0],
        )
    facts = {key: fitted[key] for key in ("parameter_count", "summary")}
    write_json(path, {"model": training.model, **facts, "training": entry})
    return Evaluation(training.model, training.seed, str(path))
