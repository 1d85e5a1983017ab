"""Predictions to measures: accuracy, negative log-likelihood (NLL), calibration, each with its uncertainty.

Pure functions of log-probabilities of shape (n, classes) and labels of shape (n,). Those of a diverged training
may not be finite: an image without a finite highest log-probability has no prediction and counts as wrong,
and averages that are not finite become None.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tasks.evaluation.statistics import ALPHA
from tasks.results.training import Interval, Measures, Mistake, TestMeasures

Array = NDArray[Any]

NO_PREDICTION = -1  # as predicted label
CALIBRATION_BINS = 15
RESAMPLES = 1000
LISTED_MISTAKES = 12

# Test images of MNIST whose label people judged wrong: Northcutt, Athalye and Mueller 2021, labelerrors.com.
KNOWN_LABEL_ERRORS = frozenset(
    (947, 1621, 1901, 2130, 2462, 2597, 2654, 3520, 3558, 5937, 6651, 6783, 8527, 9679, 9729)
)


def wilson_interval(correct: int, n: int) -> Interval:
    """95 % interval of a share (Wilson 1927); unlike Wald's it stays sensible near 0 and 1."""
    interval = stats.binomtest(correct, n).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def predicted_labels(log_probabilities: Array) -> NDArray[np.int64]:
    """The most probable class of each image, shape (n,); NO_PREDICTION where the values are not finite."""
    labels: NDArray[np.int64] = log_probabilities.argmax(axis=1)
    labels[~np.isfinite(log_probabilities.max(axis=1))] = NO_PREDICTION
    return labels


def nll_of_images(log_probabilities: Array, labels: Array) -> NDArray[np.float64]:
    """Minus the log-probability of the true class of each image, in nats, shape (n,)."""
    return -log_probabilities[np.arange(len(labels)), labels].astype(np.float64)


def calibration_gaps(log_probabilities: Array, labels: Array) -> NDArray[np.float64]:
    """Correct (0 or 1) minus confidence of each image, in the column of its confidence bin, shape (n, bins).

    The bins are 15 equal slices of the confidence, the probability of the predicted class, in (0, 1]. So the
    expected calibration error (Naeini et al. 2015; Guo et al. 2017) is the sum over columns of |column mean|.
    """
    confidence = np.exp(log_probabilities.max(axis=1).astype(np.float64))
    correct = predicted_labels(log_probabilities) == labels
    slices = np.ceil(np.nan_to_num(confidence) * CALIBRATION_BINS).astype(int) - 1
    gaps = np.zeros((len(labels), CALIBRATION_BINS))
    gaps[np.arange(len(labels)), slices.clip(0, CALIBRATION_BINS - 1)] = correct - confidence
    return gaps


def bootstrap_means(columns: Array, resamples: int = RESAMPLES, seed: int = 0) -> NDArray[np.float64]:
    """Means of columns (n, k) over resamples of the n images, with replacement: shape (resamples, k).

    The resamples depend on n and the seed alone, so all models are judged on the same ones. A mean over a
    resample is a product with how often each image was drawn, so one matrix product serves all columns.
    """
    n = len(columns)
    generator = np.random.default_rng(seed)
    means = []
    for start in range(0, resamples, 100):  # in chunks: 100 x 10,000 counts are 8 MB
        rows = min(100, resamples - start)
        drawn = generator.integers(0, n, size=(rows, n)) + n * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)
        means.append(counts @ columns / n)
    return np.concatenate(means)


def measures_of(correct: int, n: int, nll: float) -> Measures:
    """Accuracy with its interval and mean NLL, from the number of images, of right ones, and the mean."""
    return Measures(
        n=n, correct=correct, accuracy=correct / n, accuracy_ci95=wilson_interval(correct, n), nll=finite(nll)
    )


def measure(log_probabilities: Array, labels: Array) -> Measures:
    """Accuracy and NLL of images, from log-probabilities (n, classes) and labels (n,)."""
    correct = int((predicted_labels(log_probabilities) == labels).sum())
    return measures_of(correct, len(labels), nll_of_images(log_probabilities, labels).mean())


def measure_test(log_probabilities: Array, labels: Array) -> TestMeasures:
    """All that is measured on the test images, from log-probabilities (n, classes) and labels (n,)."""
    predicted = predicted_labels(log_probabilities)
    nll = nll_of_images(log_probabilities, labels)
    gaps = calibration_gaps(log_probabilities, labels)
    means = bootstrap_means(nll[:, None])
    classes = log_probabilities.shape[1]
    per_class_n = np.bincount(labels, minlength=classes)
    answered = predicted != NO_PREDICTION
    pairs, counts = np.unique(np.stack([labels, predicted])[:, answered], axis=1, return_counts=True)
    hits = np.bincount(labels[predicted == labels], minlength=classes)
    per_class = [
        int(right) / int(count) if count else None for right, count in zip(hits, per_class_n, strict=True)
    ]
    error = float(np.abs(gaps.mean(axis=0)).sum())
    return TestMeasures(
        **dict(measure(log_probabilities, labels)),
        nll_ci95=percentile_interval(means[:, 0]),
        calibration_error=finite(error),
        calibration_error_by_chance=calibration_error_by_chance(log_probabilities),
        per_class_accuracy=per_class,
        per_class_n=per_class_n.tolist(),
        confusion=[(int(truth), int(said), int(n)) for (truth, said), n in zip(pairs.T, counts, strict=True)],
    )


def percentile_interval(values: Array) -> Interval | None:
    """95 % interval between the percentiles of bootstrap values (Efron 1979); None if not finite.

    Rounded to 12 decimals: the last bits of a matrix product depend on the number of threads.
    """
    if not np.isfinite(values).all():
        return None
    low, high = np.quantile(values, [ALPHA / 2, 1 - ALPHA / 2])
    return round(float(low), 12), round(float(high), 12)


def calibration_error_by_chance(log_probabilities: Array, resamples: int = RESAMPLES) -> float | None:
    """The calibration error below which 95 % of perfectly calibrated networks stay, with these confidences.

    Each image is right with the probability that the network gave (consistency resampling, Broecker, Smith 2007).
    An interval of the error itself would need more: it is biased upwards by noise, and the bootstrap adds noise.
    """
    confidence = np.exp(log_probabilities.max(axis=1).astype(np.float64))
    if not np.isfinite(confidence).all():
        return None
    generator = np.random.default_rng(0)
    slices = np.ceil(confidence * CALIBRATION_BINS).astype(int).clip(1, CALIBRATION_BINS) - 1
    errors = []
    for _ in range(resamples):
        gaps = (generator.random(len(confidence)) < confidence) - confidence
        errors.append(np.abs(np.bincount(slices, gaps)).sum() / len(confidence))
    return round(float(np.quantile(errors, 1 - ALPHA)), 12)


def worst_mistakes(log_probabilities: Array, labels: Array, is_mnist: bool) -> list[Mistake]:
    """The wrongly recognised images, most confident first, at most 12; without prediction, not listed."""
    predicted = predicted_labels(log_probabilities)
    highest = log_probabilities.max(axis=1)
    wrong = np.flatnonzero((predicted != labels) & (predicted != NO_PREDICTION))
    listed = wrong[np.argsort(-highest[wrong], kind="stable")][:LISTED_MISTAKES]
    return [
        Mistake(
            index=int(index),
            truth=int(labels[index]),
            prediction=int(predicted[index]),
            probability=min(1.0, float(np.exp(highest[index]))),
            known_label_error=is_mnist and int(index) in KNOWN_LABEL_ERRORS,
        )
        for index in listed
    ]


def finite(value: float | None) -> float | None:
    """The value as a float, None in place of NaN and infinity, which strict JSON cannot hold."""
    return None if value is None or not np.isfinite(value) else float(value)
