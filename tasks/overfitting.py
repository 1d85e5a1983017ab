"""Where does a network start to overfit? Loss curves in, an onset with its uncertainty out (numpy only).

A curve holds one negative log-likelihood (NLL, in nats per image) per epoch, without weight penalty and in
inference mode, on the validation set and on a fixed sample of the training set. Epochs count from 1.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]
Losses = Sequence[float | None]

SHORTEST_CURVE = 8  # epochs; fewer say nothing about a trend
EPOCHS_AFTER_MINIMUM = 6  # a rise needs that many epochs to be told from noise
SMALLEST_RISE = 0.02  # of the minimum; a smaller rise does not matter, however sure it is
TREND_Z = 2.33  # one-sided 1 % point of the normal distribution


@dataclass(frozen=True)
class Onset:
    """The verdict on one training; `epoch` is the first after the best one, None where no onset is seen."""

    status: str
    epoch: int | None
    interval: tuple[int, int] | None
    severity: float | None  # percent by which the validation NLL ends above its minimum
    smallest_detectable_rise: float | None  # percent
    sentence: str


def find_onset(validation_nll: Losses, train_nll: Losses | None = None) -> Onset:
    """Judge one training. Never raises on a list of numbers; None, NaN and infinity mean a diverged epoch."""
    validation = _as_curve(validation_nll)
    train = _as_curve(train_nll) if train_nll is not None else None
    if train is not None and (len(train) != len(validation) or not np.isfinite(train).any()):
        train = None
    finite = np.isfinite(validation) if train is None else np.isfinite(validation) & np.isfinite(train)
    if finite.all():
        return _judge(validation, train)
    broken = int(np.argmin(finite))
    before = _judge(validation[:broken], None if train is None else train[:broken])
    sentence = f"Diverged: the loss is not a finite number from epoch {broken + 1} on."
    if before.epoch is not None:
        sentence += f" Before that: {before.sentence[0].lower()}{before.sentence[1:]}"
    return Onset(
        "diverged", before.epoch, before.interval, before.severity, before.smallest_detectable_rise, sentence
    )


def _judge(validation: Curve, train: Curve | None) -> Onset:
    """Judge a finite curve."""
    epochs = len(validation)
    if epochs < SHORTEST_CURVE:
        return Onset(
            "too_short",
            None,
            None,
            None,
            None,
            f"{epochs} epochs are too few to judge; {SHORTEST_CURVE} are needed.",
        )
    with np.errstate(all="ignore"):
        smooth = _median_of_3(validation)
        lowest = float(smooth.min())
        best = int(np.argmax(smooth <= lowest + 0.001 * abs(lowest)))
        noise = _noise(validation)
        window = max(3, math.ceil(epochs / 10))
        threshold = max(SMALLEST_RISE * abs(lowest), 2 * noise)
        detectable = _percent(threshold, lowest)
        after = epochs - 1 - best
        rises = (
            after >= EPOCHS_AFTER_MINIMUM
            and float(np.median(smooth[-window:])) - lowest > threshold
            and mann_kendall_z(validation[best + 1 :]) >= TREND_Z
        )
        if rises:
            onset = best + 2 if best else 1
            low = np.flatnonzero(smooth <= lowest + noise)
            first, last = (int(low[0]) + 2 if low[0] else 1), min(int(low[-1]) + 2, epochs)
            severity = _percent(float(np.median(smooth[-window:])) - lowest, lowest)
            interval = (min(first, onset), max(last, onset))
            fitted = train is None or float(np.median(train[-window:])) <= float(_median_of_3(train)[best])
            return Onset(
                "overfits" if fitted else "degrading",
                onset,
                interval,
                severity,
                detectable,
                f"Overfits from epoch {onset} ({interval[0]}-{interval[1]})."
                if fitted
                else f"Both losses rise from epoch {onset} on: the training itself fails.",
            )
        peak = int(np.argmax(smooth[: best + 1] - np.minimum.accumulate(smooth[: best + 1])))
        if best and _judge(validation[: peak + 1], None).status == "overfits":
            return Onset(
                "recovered",
                None,
                None,
                None,
                detectable,
                f"The validation loss rose up to epoch {peak + 1}, then fell below its earlier minimum.",
            )
        if after < EPOCHS_AFTER_MINIMUM:
            return Onset(
                "inconclusive",
                None,
                None,
                None,
                detectable,
                f"Still improving at epoch {best + 1} of {epochs}; train longer to see.",
            )
        return Onset(
            "not_observed",
            None,
            None,
            None,
            detectable,
            f"Not observed in {epochs} epochs; a rise of {detectable or 0:.0f} % would have been seen.",
        )


def best_epoch(validation_nll: Losses) -> int | None:
    """The epoch of the lowest finite value (1-based; the first of equals), None if there is none."""
    curve = _as_curve(validation_nll)
    finite = np.isfinite(curve)
    return int(np.argmin(np.where(finite, curve, np.inf))) + 1 if finite.any() else None


def early_stopping_rules(validation_nll: Losses, train_nll: Losses | None) -> dict[str, int | None]:
    """The epoch at which usual early-stopping rules would have ended the training, None: not at all.

    keras_patience_5: five epochs in a row without a new minimum. gl_5, pq (quotient above 1, strips of 5) and
    up_3 (rises at the ends of 3 strips of 5 in a row): Prechelt, "Early stopping - but when?" (1998).
    """
    validation = _as_curve(validation_nll)
    train = _as_curve(train_nll) if train_nll is not None else None
    strip = 5
    stops: dict[str, int | None] = dict.fromkeys(("keras_patience_5", "gl_5", "pq", "up_3"))
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
    return stops


def onset_over_seeds(onsets: Sequence[Onset], epochs: int) -> dict[str, object]:
    """Summarise several seeds; a seed without an onset is right-censored at `epochs`, never averaged away.

    The median is given where it is identified: when more than half of the seeds show an onset.
    """
    seen = sorted(o.epoch for o in onsets if o.status in ("overfits", "diverged") and o.epoch is not None)
    seeds = len(onsets)
    ordered = [*map(float, seen), *[math.inf] * (seeds - len(seen))]
    middle = (ordered[(seeds - 1) // 2] + ordered[seeds // 2]) / 2 if seeds else math.inf
    median = middle if math.isfinite(middle) else None
    sentence = f"{len(seen)} of {seeds} seeds overfit within {epochs} epochs"
    if median is not None:
        sentence += f", median epoch {median:g}"
    if seen:
        sentence += f" ({seen[0]}-{seen[-1]})" if median is not None else f", at epochs {seen[0]}-{seen[-1]}"
    return {
        "observed": len(seen),
        "seeds": seeds,
        "median_epoch": median,
        "range": [seen[0], seen[-1]] if seen else None,
        "status_counts": dict(sorted(Counter(onset.status for onset in onsets).items())),
        "sentence": sentence + ".",
    }


def mann_kendall_z(values: Curve) -> float:
    """The z of the Mann-Kendall trend test, tie-corrected (Mann 1945, Kendall 1975); 0 if undefined."""
    n = len(values)
    signs = np.sign(values[None, :] - values[:, None])
    score = float(np.triu(signs, 1).sum())
    ties = np.unique(values, return_counts=True)[1]
    variance = (n * (n - 1) * (2 * n + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18
    return (score - math.copysign(1, score)) / math.sqrt(variance) if score and variance > 0 else 0.0


def _as_curve(values: Losses) -> Curve:
    return np.array([math.nan if value is None else float(value) for value in values], dtype=np.float64)


def _median_of_3(values: Curve) -> Curve:
    """Running median of three; the two ends stay as they are."""
    smooth = values.copy()
    if len(values) >= 3:
        smooth[1:-1] = np.median(np.stack([values[:-2], values[1:-1], values[2:]]), axis=0)
    return smooth


def _noise(values: Curve) -> float:
    """Standard deviation of one epoch's noise, from the differences after the first fifth (robust: MAD)."""
    steps = np.diff(values[len(values) // 5 :])
    return float(1.4826 * np.median(np.abs(steps - np.median(steps))) / math.sqrt(2))


def _percent(part: float, whole: float) -> float | None:
    value = 100 * part / abs(whole) if whole else math.inf
    return value if math.isfinite(value) else None
