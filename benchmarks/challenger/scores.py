"""The challenger on the test images: each training of a run, their ensemble, and trainings on all 60,000 images.

    python flows/mnist_pipeline.py --models challenger --seeds 0 1 2 3 4 5 6 7 8 9
    python -m benchmarks.challenger.scores artifacts/latest
    python -m benchmarks.challenger.scores --all-images FOLDER [--seeds 0 1 2 3 4]

--all-images trains on the validation images too, for as many epochs as the challenger has, and keeps each seed's
predictions of the test images in FOLDER; two commands with different seeds may run at the same time. Either writes
its part of scores.json and prints it as a table.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmarks.common import circumstances, mnist, run
from tasks.errors import UserError
from tasks.evaluation.measures import wilson_interval
from tasks.evaluation.statistics import estimate
from tasks.files import atomic_write, lock, make_folder, read_json, write_json
from tasks.markdown import table
from tasks.results.file import read_results
from tasks.store.layout import Artifacts
from tasks.training.networks import MODELS, scale
from tasks.training.precision import resolve_precision
from tasks.training.specification import AVERAGING

RESULTS = Path(__file__).with_name("scores.json")
MODEL = "challenger"
Array = npt.NDArray[Any]


def scored(log_probabilities: Array, labels: Array, seconds: list[float]) -> dict[str, Any]:
    """Return what trainings reach, and their ensemble: the mean of their probabilities.

    `log_probabilities` has the shape (seeds, n, classes). The mean accuracy has two 95 % intervals: Student's for
    other trainings on these images, and one for other trainings and other images.
    """
    right = log_probabilities.argmax(axis=-1) == labels
    losses = -log_probabilities[:, np.arange(len(labels)), labels]
    accuracies = right.mean(axis=1)
    mean, error = accuracies.mean(), stats.sem(accuracies)
    together = np.exp(log_probabilities.astype(np.float64)).mean(axis=0)
    correct = int((together.argmax(axis=1) == labels).sum())
    return {
        "test_accuracy": accuracies.tolist(),
        "test_nll": losses.mean(axis=1, dtype=np.float64).tolist(),
        "seconds_of_fitting": seconds,
        "mean": float(mean),
        "standard_deviation": float(accuracies.std(ddof=1)),
        "interval_trainings": list(stats.t.interval(0.95, len(accuracies) - 1, mean, error)),
        "interval_trainings_and_images": list(estimate(right).interval(0.0, 1.0)),
        "ensemble": {
            "test_accuracy": correct / len(labels),
            "interval_images": list(wilson_interval(correct, len(labels))),
            "test_nll": float(-np.log(together[np.arange(len(labels)), labels]).mean()),
        },
    }


def of_run(folder: Path, labels: Array) -> dict[str, Any]:
    """Return the scores of a run's trainings."""
    results = read_results(folder)
    trainings, predictions = results.models[MODEL].finished, []
    for training in trainings:
        with np.load(Artifacts.of(folder).root / training.folder / "predictions.npz") as stored:
            predictions.append(stored["final_test"])
    scores = scored(np.array(predictions), labels, [training.seconds for training in trainings])
    how = {name: getattr(results.provenance, name) for name in ("run", "commit", "processor", "cores")}
    by_epoch = np.mean([training.history.val_accuracy for training in trainings], axis=0).tolist()
    return {
        "seeds": [training.seed for training in trainings],
        "keys": [training.key for training in trainings],
        **how,
        "validation_accuracy_by_epoch": by_epoch,
        **scores,
    }


def of_all_images(folder: Path, seeds: tuple[int, ...], labels: Array) -> dict[str, Any]:
    """Return the scores of trainings on all training images; train what FOLDER does not hold."""
    make_folder(folder)
    for seed in seeds:
        path = folder / f"{MODEL}-{seed}.npz"
        if not path.exists():
            predicted, seconds = train_on_all(seed)
            with atomic_write(path) as temporary:
                np.savez(temporary, predicted=predicted, seconds=seconds)
    kept = sorted(folder.glob(f"{MODEL}-*.npz"))
    stored = [np.load(path, allow_pickle=False) for path in kept]
    predictions = np.array([each["predicted"] for each in stored])
    scores = scored(predictions, labels, [float(each["seconds"]) for each in stored])
    return {"seeds": [int(path.stem.rpartition("-")[2]) for path in kept], **circumstances(), **scores}


def train_on_all(seed: int) -> tuple[Array, float]:
    """Return the log-probabilities of the test images (n, classes), and the seconds of fitting."""
    import tensorflow as tf

    from benchmarks.training import new_network
    from tasks.training import loop

    recipe = MODELS[MODEL]
    with np.load(mnist(), allow_pickle=False) as stored:
        x_train, y_train, x_test = stored["x_train"][..., np.newaxis], stored["y_train"], stored["x_test"]
    network = new_network(
        recipe.build,
        len(y_train),
        seed=seed,
        epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        learning_rate_schedule=recipe.learning_rate_schedule,
        precision=resolve_precision("auto", MODEL),
        code={AVERAGING: ""} if recipe.averages_weights else {},
        threads=1,
    )
    images, labels = tf.constant(scale(x_train, "unit")), tf.constant(y_train.astype(np.int32))
    started = time.monotonic()
    for epoch in range(1, recipe.epochs + 1):
        loop.train_epoch(network, images, labels, epoch, lambda fraction: None)
    return network.predict(x_test[..., np.newaxis]), time.monotonic() - started


def scores_table(scores: dict[str, Any]) -> str:
    """Return each seed's scores, and below them what they come to."""
    rows = [
        [str(seed), f"{accuracy:.2%}", f"{nll:.4f}", f"{seconds:.0f}"]
        for seed, accuracy, nll, seconds in zip(
            *(scores[name] for name in ("seeds", "test_accuracy", "test_nll", "seconds_of_fitting")),
            strict=True,
        )
    ]
    lines = [table(["seed", "test accuracy", "test NLL", "seconds of fitting"], rows)]
    lines.append(f"mean {scores['mean']:.3%}, standard deviation {scores['standard_deviation']:.3%}")
    for name in ("interval_trainings", "interval_trainings_and_images"):
        lines.append("{}: {:.3%} to {:.3%}".format(name, *scores[name]))
    ensemble = scores["ensemble"]
    low, high = ensemble["interval_images"]
    lines.append(
        f"ensemble: {ensemble['test_accuracy']:.2%} ({low:.2%} to {high:.2%}), NLL {ensemble['test_nll']:.4f}"
    )
    if by_epoch := scores.get("validation_accuracy_by_epoch"):
        lines.append("validation accuracy by epoch: " + ", ".join(f"{accuracy:.2%}" for accuracy in by_epoch))
    return "\n".join(lines)


def main(
    run: Path | None = None, *, all_images: Path | None = None, seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
) -> None:
    """Score a run, or train on all images and score that; print the table."""
    if (run is None) == (all_images is None):
        raise UserError("Expected a run's folder or --all-images FOLDER.")
    with np.load(mnist(), allow_pickle=False) as stored:
        labels = stored["y_test"]
    part = {"run": of_run(run, labels)} if run else {"all_images": of_all_images(all_images, seeds, labels)}
    with lock(RESULTS.parent):
        write_json(RESULTS, (read_json(RESULTS) if RESULTS.exists() else {}) | part)
    print(scores_table(*part.values()))


if __name__ == "__main__":
    run(main)
