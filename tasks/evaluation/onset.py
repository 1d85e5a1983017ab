"""Where does a network start to overfit? Loss curves in, an onset with its uncertainty out (numpy only).

A curve holds one negative log-likelihood (NLL, in nats per image) per epoch, without weight penalty and in
inference mode, on the validation set and on a fixed sample of the training set. Epochs count from 1.
How the rule was chosen, what it was tested on and where it fails: docs/onset.md.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tasks.evaluation.curves import (
    Curve,
    end_level,
    lowest_of,
    mann_kendall_z,
    noise_of,
    running_means,
    widening,
    without_spikes,
    zigzag,
)
from tasks.results.enums import OnsetStatus
from tasks.results.run import OnsetOverSeeds
from tasks.results.training import EarlyStopping, Onset

Losses = Sequence[float | None]

SHORTEST_CURVE = 8  # epochs; fewer say nothing about a trend
EPOCHS_AFTER_MINIMUM = 6  # so many it takes to tell a rise from noise
SMALLEST_RISE = 0.02  # of the minimum; a smaller rise does not matter, however sure it is
CLEAR_RISE = 3.0  # in units of the noise; a higher rise needs no trend test
TREND_Z = 2.33  # one-sided 1 % point of the normal distribution
NEAR = 3.0  # in zigzags; the best epoch is sought where the curve comes that near to its minimum
VALLEY = 1.25  # in standard errors; the interval holds the epochs whose mean is that near to the lowest


def find_onset(validation_nll: Losses, train_nll: Losses | None = None) -> Onset:
    """Judge one training by its losses per epoch.

    Statuses, the first that holds: diverged, too_short, overfits or degrading, recovered, inconclusive,
    not_observed. `overfits` and `degrading` (the training loss rises too) carry an epoch and an interval,
    `diverged` does where the epochs before the break overfit.

    None, NaN and infinity mark a diverged epoch; a training curve of another length, or without any number, is
    not used. Never raises on a list of numbers.
    """
    validation = _as_curve(validation_nll)
    train = _as_curve(train_nll) if train_nll is not None else None
    finite = np.isfinite(validation)
    if train is not None and len(train) == len(validation) and np.isfinite(train).any():
        finite &= np.isfinite(train)
    else:
        train = None
    with np.errstate(all="ignore"):  # infinities and NaN answer False to every comparison below
        if finite.all():
            return _judge(validation, train)
        broken = int(np.argmin(finite))
        before = _judge(validation[:broken], None if train is None else train[:broken])
    change: dict[str, Any] = {"status": OnsetStatus.DIVERGED, "before_divergence": before.status}
    if before.status is OnsetStatus.DEGRADING:  # no onset of overfitting
        change |= dict.fromkeys(("epoch", "interval", "severity"))
    return before.model_copy(update=change)


def _judge(validation: Curve, train: Curve | None) -> Onset:
    """Judge a finite curve; the training curve tells overfitting from a training that fails altogether."""
    epochs = len(validation)
    if epochs < SHORTEST_CURVE:
        return Onset(status=OnsetStatus.TOO_SHORT, epochs=epochs)
    valley = _valley_of(validation)
    best = valley.best + 1
    detectable = _percent(_detectable_rise(valley, epochs), valley.lowest)
    facts: dict[str, Any] = {"epochs": epochs, "lowest_at": best, "smallest_detectable_rise": detectable}
    if _rises(valley):
        onset = best + 1 if best > 1 else 1
        fails = train is not None and _rises(_valley_of(train, valley.best))
        return Onset(
            status=OnsetStatus.DEGRADING if fails else OnsetStatus.OVERFITS,
            epoch=onset,
            interval=_interval(valley, onset),
            severity=_percent(end_level(valley.curve) - valley.lowest, valley.lowest),
            **facts,
        )
    earlier = _best_before_a_passing_rise(validation[:best])
    if earlier is not None:
        return Onset(status=OnsetStatus.RECOVERED, earlier_low=earlier, **facts)
    too_near_the_end = epochs - best < EPOCHS_AFTER_MINIMUM
    return Onset(status=OnsetStatus.INCONCLUSIVE if too_near_the_end else OnsetStatus.NOT_OBSERVED, **facts)


class _Valley(NamedTuple):
    """A curve without spikes, its noise, its running means with their counts, and the index of the best epoch."""

    curve: Curve
    noise: float
    means: Curve
    counts: Curve
    best: int

    @property
    def lowest(self) -> float:
        return float(self.means[self.best])


def _valley_of(losses: Curve, best: int | None = None) -> _Valley:
    """The best epoch, unless given: of those that zigzags cannot tell from the minimum, the one of lowest mean.

    Of equals it is the last, after which the loss rises; but the first if the loss stays there to the end.
    """
    curve = without_spikes(losses)
    noise, (means, counts) = noise_of(curve), running_means(curve)
    if best is None:
        near = np.flatnonzero(curve <= curve.min() + NEAR * zigzag(curve))
        first, end = int(near[0]), int(near[-1]) + 1
        best = first + lowest_of(means[first:end], takes_last=end < len(curve))
    return _Valley(curve, noise, means, counts, best)


def _rises(valley: _Valley) -> bool:
    """Does the curve end above its valley by more than a trifle, and by more than noise would make it?

    Yes if it ends three times the noise above, or once and with a trend: the Mann-Kendall test on the epochs
    after the best, its variance widened if their detrended values are significantly autocorrelated.
    """
    after = valley.curve[valley.best + 1 :]
    rise = end_level(valley.curve) - valley.lowest
    trifle = max(SMALLEST_RISE * abs(valley.lowest), valley.noise)
    if len(after) < EPOCHS_AFTER_MINIMUM or not rise > trifle:
        return False
    return rise > CLEAR_RISE * valley.noise or mann_kendall_z(after) >= TREND_Z * widening(after)


def _interval(valley: _Valley, onset: int) -> tuple[int, int]:
    """First and last onset after an epoch of lowest loss, or whose mean is not clearly above the lowest mean.

    Clearly: by more than VALLEY standard errors of the difference of the two means.
    """
    error = valley.noise * np.sqrt(1 / valley.counts + 1 / valley.counts[valley.best])
    low = np.flatnonzero(
        (valley.means <= valley.lowest + VALLEY * error) | (valley.curve <= valley.curve.min())
    )
    first = int(low[0]) + 2 if low[0] else 1
    last = min(int(low[-1]) + 2, len(valley.curve))
    return min(first, onset), max(last, onset)


def _best_before_a_passing_rise(losses: Curve) -> int | None:
    """The best epoch before a rise that the last of `losses`, a lower minimum, undid; None without such a rise."""
    if len(losses) <= SHORTEST_CURVE:
        return None
    curve = without_spikes(losses)
    peak = int(np.argmax(curve - np.minimum.accumulate(curve)))
    if not SHORTEST_CURVE <= peak + 1 < len(losses):
        return None
    valley = _valley_of(losses[: peak + 1])
    return valley.best + 1 if _rises(valley) else None


def best_epoch(validation_nll: Losses) -> int | None:
    """The epoch of the lowest finite value (1-based; the first of equals), None if there is none."""
    curve = _as_curve(validation_nll)
    finite = np.isfinite(curve)
    return int(np.argmin(np.where(finite, curve, np.inf))) + 1 if finite.any() else None


def early_stopping(validation_nll: Losses, train_nll: Losses | None) -> EarlyStopping:
    """The epoch at which usual early-stopping rules would have ended the training, None: not at all.

    keras_patience_5: five epochs in a row without a new minimum. gl_5, pq (quotient above 1, strips of 5) and
    up_3 (rises at the ends of 3 strips of 5 in a row): Prechelt, "Early stopping - but when?" (1998).
    """
    validation = _as_curve(validation_nll)
    train = _as_curve(train_nll) if train_nll is not None else None
    strip = 5
    stops: dict[str, int | None] = dict.fromkeys(EarlyStopping.model_fields)
    lowest, waited, rises = math.inf, 0, 0
    with np.errstate(all="ignore"):
        for epoch, value in enumerate(validation.tolist(), start=1):
            waited = 0 if value < lowest else waited + 1
            lowest = min(lowest, value) if value == value else lowest
            loss_of_generalisation = 100 * (value / lowest - 1) if lowest not in (0.0, math.inf) else 0.0
            fired = {"keras_patience_5": waited >= 5, "gl_5": loss_of_generalisation > 5}
            if epoch % strip == 0:
                if epoch > strip:
                    rises = rises + 1 if value > validation[epoch - 1 - strip] else 0
                fired["up_3"] = rises >= 3
                if train is not None and len(train) >= epoch:
                    part = train[epoch - strip : epoch]
                    least = float(part.min())
                    if least > 0:
                        fired["pq"] = loss_of_generalisation > 1000 * (
                            float(part.sum()) / (strip * least) - 1
                        )
            for rule, stop in fired.items():
                if stop and stops[rule] is None:
                    stops[rule] = epoch
    return EarlyStopping(**stops)


def onset_over_seeds(onsets: Sequence[Onset], epochs: int) -> OnsetOverSeeds:
    """Summarise several seeds; a seed without an onset is right-censored at `epochs`, never averaged away.

    The median is given where it is identified: when more than half of the seeds show an onset.
    """
    seen = sorted(onset.epoch for onset in onsets if onset.status.shows_onset and onset.epoch is not None)
    seeds = len(onsets)
    ordered = [*map(float, seen), *[math.inf] * (seeds - len(seen))]
    middle = (ordered[(seeds - 1) // 2] + ordered[seeds // 2]) / 2 if seeds else math.inf
    return OnsetOverSeeds(
        observed=len(seen),
        seeds=seeds,
        epochs=epochs,
        median_epoch=middle if math.isfinite(middle) else None,
        range=(seen[0], seen[-1]) if seen else None,
        status_counts=dict(sorted(Counter(onset.status for onset in onsets).items())),
    )


def _as_curve(values: Losses) -> Curve:
    """As an array, times a power of two: no result depends on it, no sum of squares overflows or vanishes."""
    curve = np.array([math.nan if value is None else float(value) for value in values], dtype=np.float64)
    exponents = np.frexp(curve[np.isfinite(curve) & (curve != 0)])[1]
    if len(exponents):  # the usual loss becomes about 1, unless the largest then would be too large
        curve = np.ldexp(curve, min(-int(np.median(exponents)), 1000 - int(exponents.max())))
    return curve


def _detectable_rise(valley: _Valley, epochs: int) -> float:
    """The rise (nats) that would be seen in 19 of 20 runs if it began half-way and went on steadily.

    Normal approximation of the Mann-Kendall test: z = rise sqrt(n) / (2 sqrt(pi) noise) with n epochs of rise,
    to reach TREND_Z + 1.64; at most what needs no trend test. The end level wavers by about half the noise.
    """
    trend = 2 * math.sqrt(math.pi) * (TREND_Z + 1.64) * valley.noise / math.sqrt(epochs / 2)
    clear = (CLEAR_RISE + 1) * valley.noise
    return max(SMALLEST_RISE * abs(valley.lowest) + valley.noise, min(trend, clear))


def _percent(part: float, whole: float) -> float | None:
    value = 100 * part / abs(whole) if whole else math.inf
    return value if math.isfinite(value) else None
