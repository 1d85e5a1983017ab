"""What can be said of one noisy curve: its noise, the valley it falls into, and how surely it rises from there."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import isotonic_regression

Losses = Sequence[float | None]
Curve = NDArray[np.float64]

NORMAL_95 = 1.96  # standard errors to either side of a 95 % interval
# What lag-1 second differences show of AR(1) noise of autocorrelation 0.4 is smaller by this factor.
MOST_NOISE = 1.4
# Of `noise_of_steps` squared, for each epoch: simulated at 15 to 100 epochs, autocorrelation 0 and 0.4.
DEGREES_OF_FREEDOM = 0.4
VALLEY = 16.0  # in squared noises of misfit: epochs that are no worse as the lowest one make the valley


@dataclass(frozen=True)
class Valley:
    """A curve read as a fall and a rise.

    Attributes:
        curve: without spikes, (epochs,).
        noise: standard deviation of one epoch's noise.
        residual_correlation: lag-1 autocorrelation of what the fall and the rise leave over.
        evidence: share of the best falling curve's misfit that the rise explains, 0 to 1.
        first: index of the first epoch that may be the lowest one.
        weights: of the curve's epochs in each value of the smoothed curve, (epochs of the valley, epochs).
        best: index of the lowest value of the smoothed curve.
    """

    curve: Curve
    noise: float
    residual_correlation: float
    evidence: float
    first: int
    weights: Curve
    best: int

    @property
    def smoothed(self) -> Curve:
        smoothed: Curve = self.weights @ self.curve
        return smoothed

    @property
    def weights_of_lowest(self) -> Curve:
        weights: Curve = self.weights[self.best - self.first]
        return weights

    @property
    def lowest(self) -> float:
        return float(self.weights_of_lowest @ self.curve)

    @property
    def weights_of_end(self) -> Curve:
        """Of the mean of the last tenth of the epochs, three at least."""
        epochs = len(self.curve)
        last = min(epochs, max(3, math.ceil(epochs / 10)))
        weights: Curve = np.zeros(epochs)
        weights[-last:] = 1 / last
        return weights


def valley_of(curve: Curve) -> Valley:
    """Read a curve without spikes as a fall and a rise, by least squares (isotonic regression).

    An epoch belongs to the valley if a curve that is lowest there fits almost as well as the best. In the valley
    the smoothed curve is a parabola in the logarithm of the epoch (training slows in proportion to its length); a
    valley of three epochs or fewer is not smoothed.
    """
    epochs = len(curve)
    misfits = falls_then_rises(curve)
    nothing = 1e-12 * float(((curve - curve.mean()) ** 2).sum())  # what rounding may leave
    misfits = np.where(misfits > nothing, misfits, 0.0)
    turn = int(np.argmin(misfits))
    falls = isotonic_regression(curve[:turn], increasing=False).x if turn else curve[:0]
    rises = isotonic_regression(curve[turn:]).x if turn < epochs else curve[:0]
    fitted = np.concatenate([falls, rises])
    rest = curve - fitted
    square = float(rest @ rest)
    # Meyer and Woodroofe (2000): each level of the fit takes 1.5 degrees of freedom. Bumps make this too large,
    # bends the other estimate.
    freedom = max(epochs - 1.5 * len(np.unique(fitted)), epochs / 4)
    of_fit = math.sqrt(float(misfits.min()) / freedom)
    noise = min(noise_of(curve), MOST_NOISE * noise_of(curve, lags=1), of_fit)
    lowest_here = np.maximum(misfits[:-1], misfits[1:])  # an epoch that ends the fall and starts the rise
    near = np.flatnonzero(lowest_here <= lowest_here.min() + VALLEY * noise**2)
    first, end = int(near[0]), int(near[-1]) + 1
    weights = np.zeros((end - first, epochs))
    weights[:, first:end] = _parabola(first, end)
    return Valley(
        curve=curve,
        noise=noise,
        residual_correlation=float(rest[1:] @ rest[:-1]) / square if square > nothing else 0.0,
        evidence=1 - float(misfits.min() / misfits[-1]) if misfits[-1] else 0.0,
        first=first,
        weights=weights,
        best=first + int(np.argmin(weights @ curve)),
    )


def _parabola(first: int, end: int) -> Curve:
    """The matrix that smooths the values of these epochs (indices); it leaves fewer than four as they are."""
    if end - first < 4:
        return np.eye(end - first)
    time = np.log(np.arange(first + 1, end + 1))
    basis = np.linalg.qr(np.vander(time - time.mean(), 3)).Q
    smoother: Curve = basis @ basis.T
    return smoother


def falls_then_rises(curve: Curve) -> Curve:
    """Return the sum of squares that the best curve leaves which falls over the first s epochs, then rises.

    One value for each s from 0 (rises only) to all epochs (falls only); at s it may jump up or down.
    """
    centred = curve - curve.mean()
    falls, rises = _falls(centred), _falls(centred[::-1])[::-1]
    misfits: Curve = np.concatenate([[0.0], falls]) + np.concatenate([rises, [0.0]])
    return misfits


def _falls(values: Curve) -> Curve:
    """The sum of squares that the best falling curve leaves of the first 1, 2, ... values, by pooling."""
    left = np.empty(len(values))
    sums: list[float] = []
    counts: list[int] = []
    total = explained = 0.0
    for index, value in enumerate(values.tolist()):
        total += value * value
        level, count = value, 1  # the sum of a pool, and how many values are in it
        while sums and sums[-1] * count <= level * counts[-1]:
            explained -= sums[-1] ** 2 / counts[-1]
            level, count = level + sums.pop(), count + counts.pop()
        sums.append(level)
        counts.append(count)
        explained += level * level / count
        left[index] = total - explained
    return left


def reaches(
    curve: Curve, weights: Curve, correlation: float, image_losses: NDArray[np.floating] | None
) -> Curve:
    """Return half the width of the 95 % interval of each weighted sum of the curve; `weights`: (k, epochs).

    Two kinds of luck: the epochs' noise, AR(1) with the autocorrelation given, and, if each image's losses are
    known, (epochs, n), which images were drawn. Their reaches are squared and added (Howe 1974), Student's for the
    noise, whose size is estimated, normal for the images.

    The noise is that of the lag-1 second differences. Their variance is 6 - 8 r + 2 r^2 times that of AR(1) noise
    of autocorrelation r, whatever bends, jumps or follows the fit. So its size goes with the autocorrelation.
    """
    time = np.arange(len(curve))
    together = correlation ** np.abs(time[:, None] - time[None, :])
    noise = noise_of_steps(curve) / math.sqrt(1 - (4 * correlation - correlation**2) / 3)
    squares = student_95(len(curve)) ** 2 * noise**2 * np.einsum("ki,ij,kj->k", weights, together, weights)
    if image_losses is not None:
        used = weights.any(axis=0)
        sums = weights[:, used].astype(np.float32) @ image_losses[used].astype(np.float32)  # (k, n)
        squares = squares + NORMAL_95**2 * sums.var(axis=1, dtype=np.float64) / sums.shape[1]
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))


@cache
def student_95(epochs: int) -> float:
    """Standard errors to either side of a 95 % interval, for noise that so many epochs tell."""
    return float(stats.t.isf(0.025, DEGREES_OF_FREEDOM * epochs))


def as_curve(values: Losses) -> Curve:
    """As an array; None becomes NaN."""
    return np.array([math.nan if value is None else float(value) for value in values], dtype=np.float64)


def peak_of(curve: Curve) -> int:
    """Index of the epoch that lies highest above the lowest one before it."""
    return int(np.argmax(curve - np.minimum.accumulate(curve)))


def without_spikes(curve: Curve) -> Curve:
    """Epochs that stand out above both neighbours by three times the noise become the mean of the two.

    The first has one neighbour only: what it is above that by more than a hundred times the range of all others
    is cut off, which leaves the fall a fall and keeps rounding small.
    """
    clean, limit = curve.copy(), 3 * noise_of(curve, lags=1)
    left, middle, right = curve[:-2], curve[1:-1], curve[2:]
    spikes = middle - np.maximum(left, right) > limit
    clean[1:-1][spikes] = left[spikes] / 2 + right[spikes] / 2
    clean[0] = min(clean[0], clean[1] + 100 * np.ptp(clean[1:]))
    return clean


def noise_of_steps(curve: Curve) -> float:
    """Standard deviation of independent noise that would make the second differences at lag 1, as in `noise_of`.

    The root of their mean square, each counted as 2.5 robust deviations at most: it scatters half as much as the
    median, and a jump or two do not matter.
    """
    rest = curve[len(curve) // 5 :]
    bends = rest[:-2] - 2 * rest[1:-1] + rest[2:]
    most = 2.5 * math.sqrt(6) * noise_of(curve, lags=1)
    return math.sqrt(float(np.mean(np.minimum(np.abs(bends), most) ** 2)) / 6)


def noise_of(curve: Curve, lags: int = 3) -> float:
    """Standard deviation of one epoch's noise, after the first fifth of the epochs.

    From second differences x[t-k] - 2 x[t] + x[t+k], in which a steady slope cancels and whose variance is six
    times that of independent noise; robustly (median absolute value). Autocorrelated noise shows less of itself
    in neighbouring epochs, so the largest of the estimates at lags k = 1 to 3 counts.
    """
    rest = curve[len(curve) // 5 :]
    bends = [rest[: -2 * k] - 2 * rest[k:-k] + rest[2 * k :] for k in range(1, lags + 1)]
    return max(1.4826 * float(np.median(np.abs(bend))) for bend in bends) / math.sqrt(6)
