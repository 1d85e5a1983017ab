"""Tests and intervals over test images and trainings (numpy, scipy). How often they err: docs/statistics.md.

Two models that saw the same test images are a matched pair: only the images that exactly one of them gets
right carry information. `b` counts those that only the first gets right, `c` those that only the second does.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from tasks.results.training import Interval

Right = NDArray[np.bool_]  # one truth value per test image: did the training recognise it?
RightBySeed = Mapping[int, Right]
Values = NDArray[Any]  # (seeds, n): of each training and test image, whether it is right, or its loss

ALPHA = 0.05
# How much more a harmless retraining (other random numbers) changes than a coin tossed for each image on which the
# two trainings differ: the mean of (b - c)^2 / (b + c) over pairs of seeds, on MNIST, is 5.2 for 25 seeds of dense
# and 5.3 for 4 of cnn. McNemar's test takes it to be 1.
RETRAINING = 5.3


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Two-sided p-value of the exact McNemar test (McNemar 1947; binomial): are b and c equally likely?"""
    discordant = only_first + only_second
    if discordant == 0:
        return 1.0
    return float(stats.binomtest(min(only_first, only_second), discordant, 0.5).pvalue)


def difference_interval(only_first: int, only_second: int, n: int) -> Interval:
    """95 % interval of the difference of two accuracies (fractions) on the same `n` images (Agresti and Min 2005).

    Wald's interval after adding half an image to each of the four cells; its centre (b - c) / (n + 2) lies a
    little nearer to zero than the observed difference (b - c) / n.
    """
    total = n + 2
    net = only_first - only_second
    centre = net / total
    error = math.sqrt(only_first + only_second + 1 - net**2 / total) / total
    reach = float(stats.norm.isf(ALPHA / 2)) * error
    return max(-1.0, centre - reach), min(1.0, centre + reach)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the order given (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    steps = np.asarray(p_values)[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.minimum(np.maximum.accumulate(steps), 1)
    return [float(adjusted[place]) for place in np.argsort(order)]


class Estimate(NamedTuple):
    """A mean over test images and trainings, or a difference of two, and the variance it owes to either's luck."""

    value: float
    images: float  # variance over draws of the test images
    trainings: float = 0.0  # variance over trainings; 0 where only these trainings are meant
    freedom: float = math.inf  # degrees of freedom of the latter

    def reach(self, alpha: float = ALPHA) -> float:
        """Half the width of the two-sided interval at level 1 - alpha.

        The reaches of the two sources, normal for the images and Student's for the trainings, squared and added
        (Howe 1974; Zou and Donner 2008). So few seeds never borrow certainty from many images.
        """
        images = stats.norm.isf(alpha / 2) ** 2 * self.images
        trainings = stats.t.isf(alpha / 2, self.freedom) ** 2 * self.trainings if self.trainings else 0.0
        return math.sqrt(images + trainings)

    def interval(self, low: float = -math.inf, high: float = math.inf) -> Interval:
        """The 95 % interval, as far as it lies between what is possible."""
        return max(low, self.value - self.reach()), min(high, self.value + self.reach())

    def at_least(self, alpha: float = ALPHA) -> float:
        """The one-sided lower bound at level 1 - alpha."""
        return self.value - self.reach(2 * alpha)

    def p_value(self) -> float:
        """Two-sided, of "the value is zero": the alpha whose interval ends at zero, at least 1e-12."""
        least = 1e-12
        if self.reach(least) <= abs(self.value):
            return least if self.value else 1.0
        return float(optimize.brentq(lambda alpha: self.reach(alpha) - abs(self.value), least, 1.0))


def estimate(first: Values, second: Values | None = None) -> Estimate:
    """Return the mean of `first`, or its difference to that of `second`, for other test images and trainings.

    Rows are trainings, columns the same test images: shape (seeds, n). The images' variance is that of each
    image's mean over seeds, by n; for truth values it is at least that of one image. The trainings' is that of
    the seeds' means, by their number, of each side by itself, with Welch's degrees of freedom (1947): equal seeds
    of two networks share nothing but the order of the images. What a training adds to single images counts
    in both, which makes the interval a little too wide.
    """
    sides = [first] if second is None else [first, second]
    (seeds, n), signs = first.shape, (1, -1)
    images = sum(sign * side.mean(axis=0) for sign, side in zip(signs, sides, strict=False))
    variance = float(np.var(images, ddof=1)) / n
    if first.dtype == np.bool_:
        variance = max(variance, 1 / n**2)
    trainings, freedom = 0.0, math.inf
    if seeds > 1:
        of_sides = [float(side.mean(axis=1).var(ddof=1)) / seeds for side in sides]
        trainings = sum(of_sides)
        if trainings:
            freedom = trainings**2 / sum(part**2 / (seeds - 1) for part in of_sides)
    value = sum(sign * side.sum() / side.size for sign, side in zip(signs, sides, strict=False))
    return Estimate(float(value), variance, trainings, freedom)


def retraining(first: Values, second: Values) -> Estimate:
    """Return the difference of two accuracies of one network trained anew, and what luck it owes to that.

    `first` and `second` are truth values, shape (seeds, n), row by row of the same seed. The images' variance is
    that of each image's mean difference, with half an image more of each kind (Agresti and Min 2005); the
    trainings' is RETRAINING - 1 times what a coin for each image and seed on which they differ would make.
    """
    seeds, n = first.shape
    differ = int((first != second).sum()) + 1
    net = int(first.sum()) - int(second.sum())
    images = first.sum(axis=0, dtype=int) - second.sum(axis=0, dtype=int)
    variance = (float((images**2).sum()) + 1 - net**2 / n) / (seeds * n) ** 2
    return Estimate(net / (seeds * n), variance, (RETRAINING - 1) * differ / (seeds * n) ** 2)


def agreement(first: Right, second: Right) -> tuple[int, int, int, int]:
    """Count the images that both, only the first, only the second, and neither recognise."""
    return (
        int((first & second).sum()),
        int((first & ~second).sum()),
        int((~first & second).sum()),
        int((~first & ~second).sum()),
    )


def excludes_zero(interval: Interval) -> bool:
    """Whether the whole interval lies on one side of zero."""
    return interval[0] > 0 or interval[1] < 0
