"""What can be said of one noisy curve: its noise, its means, its trend (numpy only)."""

import math

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]

WINDOW = 0.25  # the mean at epoch t covers t / 1.25 to 1.25 t: training slows in proportion to its length


def without_spikes(curve: Curve) -> Curve:
    """Epochs that stand out above both neighbours by three times the noise become the mean of the two."""
    clean, limit = curve.copy(), 3 * noise_of(curve, lags=1)
    left, middle, right = curve[:-2], curve[1:-1], curve[2:]
    spikes = middle - np.maximum(left, right) > limit
    clean[1:-1][spikes] = left[spikes] / 2 + right[spikes] / 2
    return clean


def running_means(curve: Curve) -> tuple[Curve, Curve]:
    """Means over epochs t / 1.25 to 1.25 t, one neighbour at least, and the number of epochs in each.

    Near the end a mean covers fewer epochs, at the last epoch that one alone.
    """
    epochs = len(curve)
    means, counts = np.empty(epochs), np.empty(epochs)
    for epoch in range(1, epochs + 1):
        right = min(max(1, round(WINDOW * epoch)), epochs - epoch)
        left = min(max(1, round(WINDOW / (1 + WINDOW) * epoch)), right, epoch - 1)
        means[epoch - 1] = curve[epoch - 1 - left : epoch + right].mean()
        counts[epoch - 1] = left + 1 + right
    return means, counts


def noise_of(curve: Curve, lags: int = 3) -> float:
    """Standard deviation of one epoch's noise, after the first fifth of the epochs.

    From second differences x[t-k] - 2 x[t] + x[t+k], in which a steady slope cancels and whose variance is six
    times that of independent noise; robustly (median absolute value). Autocorrelated noise shows less of itself
    in neighbouring epochs, so the largest of the estimates at lags k = 1 to 3 counts.
    """
    rest = curve[len(curve) // 5 :]
    bends = [rest[: -2 * k] - 2 * rest[k:-k] + rest[2 * k :] for k in range(1, lags + 1)]
    return max(1.4826 * float(np.median(np.abs(bend))) for bend in bends) / math.sqrt(6)


def zigzag(curve: Curve) -> float:
    """How far the curve goes back and forth; after the first fifth of the epochs, one epoch in five goes farther.

    An epoch at which the curve turns counts the smaller of its two steps, any other epoch 0. So slopes do not
    count: a curve that falls smoothly and then rises has none, however much of it there is.
    """
    steps = np.diff(curve[len(curve) // 5 :])
    before, after = steps[:-1], steps[1:]
    turns = np.sign(before) * np.sign(after) < 0
    return float(np.quantile(np.where(turns, np.minimum(np.abs(before), np.abs(after)), 0.0), 0.8))


def lowest_of(values: Curve, takes_last: bool) -> int:
    """Index of the minimum; the first or last of those equal up to rounding."""
    lowest = values.min()
    equal = np.flatnonzero(values <= lowest + 1e-9 * abs(lowest))
    return int(equal[-1] if takes_last else equal[0])


def end_level(curve: Curve) -> float:
    """Median of the last tenth of the epochs, three at least."""
    return float(np.median(curve[-max(3, math.ceil(len(curve) / 10)) :]))


def mann_kendall_z(values: Curve) -> float:
    """The z of the Mann-Kendall trend test, tie-corrected (Mann 1945, Kendall 1975); 0 if undefined."""
    n = len(values)
    score = float(np.triu(np.sign(values[None, :] - values[:, None]), 1).sum())
    ties = np.unique(values, return_counts=True)[1]
    variance = (n * (n - 1) * (2 * n + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18
    return (score - math.copysign(1, score)) / math.sqrt(variance) if score and variance > 0 else 0.0


def widening(values: Curve) -> float:
    """Factor on the standard deviation of a trend test: sqrt((1 + r) / (1 - r)), r the lag-1 autocorrelation.

    After Yue and Wang (2004), with values detrended by a straight line; 1 unless r is significant (5 %).
    """
    n = len(values)
    time = np.arange(n) - (n - 1) / 2
    rest = values - values.mean()
    rest = rest - time * (time @ rest) / (time @ time)
    r = float(rest[1:] @ rest[:-1] / (rest @ rest))
    return math.sqrt((1 + r) / (1 - r)) if 1.64 / math.sqrt(n) < r < 1 else 1.0
