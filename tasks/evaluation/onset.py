"""Where does a network start to overfit? Loss curves in, an onset with its uncertainty out.

A curve holds one negative log-likelihood (NLL, in nats per image) per epoch, without weight penalty and in
inference mode, on the validation set and on a fixed sample of the training set. Epochs count from 1.

The onset is the epoch after the lowest point of the smoothed validation loss, if the loss then rises by more than
chance and stays above that point to the end, while the train loss does not rise. How the rule was chosen, how
often it is right and where it fails: docs/onset.md.

`python -m tasks.evaluation.onset LOG...` answers for the logs of any training.
"""

import math
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.curves import (
    Curve,
    Losses,
    Valley,
    as_curve,
    peak_of,
    reaches,
    valley_of,
    without_spikes,
)
from tasks.evaluation.plateaus import assumed, autocorrelation, beyond_a_plateau
from tasks.results.enums import OnsetStatus
from tasks.results.run import OnsetOverSeeds
from tasks.results.training import Onset

ImageLosses = NDArray[np.floating[Any]]  # (epochs, images): each validation image's loss after each epoch

SHORTEST_CURVE = 8  # epochs; fewer say nothing about a trend
EPOCHS_AFTER_LOWEST = 4  # a rise in fewer may be a spike
SMALLEST_RISE = 0.02  # of the lowest level; a smaller rise does not matter, however sure it is
EXCLUDED_RISE = 0.05  # of the lowest level; where a larger one is excluded, the verdict says so


def find_onset(
    validation_nll: Losses, train_nll: Losses | None = None, image_losses: ImageLosses | None = None
) -> Onset:
    """Judge one training by its losses per epoch.

    Statuses, the first that holds: diverged, too_short, overfits or degrading, recovered, rise_excluded,
    undecided.
    `overfits` and `degrading` (the training loss rises too) carry an epoch and an interval, `diverged` does
    where the epochs before the break overfit. With `image_losses` (epochs, images), whose mean over images is the
    validation curve, the intervals hold the luck of the images too.

    None, NaN and infinity mark a diverged epoch; a training curve of another length, or without any number, is
    not used, nor are losses of images for another number of epochs. Never raises on a list of numbers.
    """
    validation = as_curve(validation_nll)
    train = as_curve(train_nll) if train_nll is not None else None
    finite = np.isfinite(validation)
    if train is not None and len(train) == len(validation) and np.isfinite(train).any():
        finite &= np.isfinite(train)
    else:
        train = None
    if image_losses is not None and len(image_losses) != len(validation):
        image_losses = None
    with np.errstate(all="ignore"):  # infinities and NaN answer False to every comparison below
        if finite.all():
            return _judge(validation, train, image_losses)
        broken = int(np.argmin(finite))
        before = _judge(
            validation[:broken],
            None if train is None else train[:broken],
            None if image_losses is None else image_losses[:broken],
        )
    change: dict[str, object] = {"status": OnsetStatus.DIVERGED, "before_divergence": before.status}
    if before.status is OnsetStatus.DEGRADING:  # no onset of overfitting
        change |= dict.fromkeys(("epoch", "interval"))
    return before.model_copy(update=change)


@dataclass(frozen=True)
class _Rise:
    """The end of a curve above its lowest point, in the unit of the curve, with its 95 % interval."""

    valley: Valley
    correlation: float
    size: float
    low: float
    high: float

    @property
    def stays(self) -> bool:
        """Whether the end lies above the lowest point, surely and by more than a trifle, long enough after it."""
        after = len(self.valley.curve) - 1 - self.valley.best
        matters = self.size > SMALLEST_RISE * abs(self.valley.lowest)
        return after >= EPOCHS_AFTER_LOWEST and matters and self.low > 0


def _judge(validation: Curve, train: Curve | None, image_losses: ImageLosses | None) -> Onset:
    """Judge a finite curve; the training curve tells overfitting from a training that fails altogether."""
    epochs = len(validation)
    if epochs < SHORTEST_CURVE:
        return Onset(status=OnsetStatus.TOO_SHORT, epochs=epochs)
    curve, exponent = _about_one(without_spikes(validation))
    losses = None if image_losses is None else np.ldexp(image_losses.astype(np.float32), exponent)
    rise = _rise(curve, losses)
    seen = beyond_a_plateau(rise.valley.evidence, epochs, rise.correlation)
    passed = None if seen and rise.stays else _passing_rise(curve)
    if passed:  # what it leaves over is no noise
        rise = _rise(curve, losses, like=passed)
    valley = rise.valley
    facts: dict[str, Any] = {
        "epochs": epochs,
        "images": None if losses is None else losses.shape[1],
        "lowest_at": valley.best + 1,
        "severity": _percent(rise.size, valley.lowest),
        "severity_interval": _percents((rise.low, rise.high), valley.lowest),
        "smoothed_from": valley.first + 1,
        "smoothed": np.ldexp(valley.smoothed, -exponent).tolist(),
    }
    # After a rise that passed only what has not fallen back to its low is the same rise.
    risen = seen or (passed is not None and valley.best < len(passed.valley.curve))
    if rise.stays and risen:
        return Onset(
            status=OnsetStatus.DEGRADING if _fails(train) else OnsetStatus.OVERFITS,
            epoch=valley.best + 2,
            interval=_interval(rise, losses),
            **facts,
        )
    status = OnsetStatus.UNDECIDED
    excluded = rise.high <= EXCLUDED_RISE * abs(valley.lowest)
    if passed and (excluded or epochs - valley.best <= EPOCHS_AFTER_LOWEST):
        status = OnsetStatus.RECOVERED
    elif excluded:
        status = OnsetStatus.RISE_EXCLUDED
    return Onset(status=status, earlier_low=passed.valley.best + 1 if passed else None, **facts)


def _rise(curve: Curve, image_losses: ImageLosses | None = None, like: _Rise | None = None) -> _Rise:
    """The final rise, its interval by the autocorrelation of the curve, or by that of another one, `like`.

    The interval is that of the ratio of the end to the lowest point, both uncertain (Fieller 1954): the ratios r
    for which end - r * lowest may be zero. It leaves out r = 1 exactly where the difference leaves out zero.
    """
    valley = valley_of(curve)
    correlation = like.correlation if like else autocorrelation(valley.residual_correlation, len(curve))
    of_end, of_lowest = valley.weights_of_end, valley.weights_of_lowest
    each = np.array([of_end, of_lowest, of_end - of_lowest])
    end, lowest, size = map(float, each @ curve)
    squares = reaches(curve, each, assumed(correlation), image_losses) ** 2
    end_square, lowest_square, size_square = map(float, squares)
    low, high = size - math.sqrt(size_square), size + math.sqrt(size_square)
    if lowest > 0:
        together = (end_square + lowest_square - size_square) / 2
        divisor = lowest**2 - lowest_square
        middle = end * lowest - together
        root = math.sqrt(max(0.0, middle**2 - divisor * (end**2 - end_square)))
        low, high = (
            (lowest * ((middle + sign * root) / divisor - 1) if divisor > 0 else sign * math.inf)
            for sign in (-1, 1)
        )
    return _Rise(valley, correlation, size, low, high)


def _passing_rise(curve: Curve) -> _Rise | None:
    """The rise up to the highest epoch above an earlier one, if it is more than chance; the loss fell after it."""
    peak = peak_of(curve)
    if not SHORTEST_CURVE <= peak + 1 < len(curve):
        return None
    rise = _rise(curve[: peak + 1])
    seen = beyond_a_plateau(rise.valley.evidence, len(curve), rise.correlation, up_to_peak=True)
    return rise if seen and rise.stays else None


def _fails(train: Curve | None) -> bool:
    """Whether the training loss rises too, and stays above its lowest point."""
    if train is None:
        return False
    rise = _rise(_about_one(without_spikes(train))[0])
    return rise.stays and beyond_a_plateau(rise.valley.evidence, len(train), rise.correlation)


def _interval(rise: _Rise, image_losses: ImageLosses | None) -> tuple[int, int]:
    """First and last onset after an epoch of the valley whose smoothed loss is not clearly above the lowest."""
    valley = rise.valley
    above = valley.weights - valley.weights_of_lowest
    allowed = reaches(valley.curve, above, assumed(rise.correlation), image_losses)
    rounding = 1e-9 * abs(valley.lowest)
    near = valley.first + np.flatnonzero(above @ valley.curve <= allowed + rounding)
    return min(int(near[0]), valley.best) + 2, min(max(int(near[-1]), valley.best) + 2, len(valley.curve))


def onset_over_seeds(onsets: Sequence[Onset], epochs: int) -> OnsetOverSeeds:
    """Summarise several seeds; the median is that of the decided ones, if more than half of these show an onset.

    A seed whose rise is excluded, or passed, has no onset up to `epochs`: right-censored, never averaged away. An
    undecided one may have an onset at any epoch or none, and a training that fails says nothing of overfitting.
    """
    seen = sorted(onset.epoch for onset in onsets if onset.status.shows_onset and onset.epoch is not None)
    statuses = [onset.status for onset in onsets]
    censored = sum(status.excludes_onset for status in statuses)
    undecided = sum(status.undecided for status in statuses)
    middle = median([*seen, *[math.inf] * censored]) if seen else math.inf
    return OnsetOverSeeds(
        observed=len(seen),
        excluded=censored,
        undecided=undecided,
        failed=len(onsets) - len(seen) - censored - undecided,
        seeds=len(onsets),
        epochs=epochs,
        median_epoch=middle if math.isfinite(middle) else None,
        range=(seen[0], seen[-1]) if seen else None,
        status_counts=dict(sorted(Counter(statuses).items())),
    )


def _about_one(curve: Curve) -> tuple[Curve, int]:
    """The curve times a power of two, and its exponent: no sum of squares overflows or vanishes."""
    exponents = np.frexp(curve[curve != 0])[1]
    if not len(exponents):
        return curve, 0
    # The usual loss becomes about 1, unless the square of the largest would then be too large.
    exponent = min(-int(np.median(exponents)), 400 - int(exponents.max()))
    return np.ldexp(curve, exponent), exponent


def _percent(part: float, whole: float) -> float | None:
    value = 100 * part / abs(whole) if whole else math.inf
    return value if math.isfinite(value) else None


def _percents(parts: tuple[float, float], whole: float) -> tuple[float, float] | None:
    low, high = (_percent(part, whole) for part in parts)
    return None if low is None or high is None else (low, high)


if __name__ == "__main__":
    from tasks.report.onset_of_logs import main  # sentences and pictures are made there

    sys.exit(main())
