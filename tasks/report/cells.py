"""The cells of the report: numbers of one training or one model with their uncertainty, as Markdown text.

Whatever may be missing (a failed training, a loss that is not finite) is shown as a dash, never as a number.
"""

import math
from collections.abc import Sequence
from typing import Any

from tasks.evaluation.onset import UNDECIDED
from tasks.markdown import DASH, escape
from tasks.wording import percent, percent_with_interval, points, span

Training = dict[str, Any]
Model = dict[str, Any]

STATUS_WORDS = {
    "overfits": "overfits",
    "not_observed": "not observed",
    "inconclusive": "inconclusive",
    "too_short": "too few epochs to judge",
    "diverged": "diverged",
    "degrading": "both losses rise",
    "recovered": "rose, then recovered",
}


def finished(model: Model) -> list[Training]:
    """Return the trainings of a model that have results, in the order of results.json."""
    return [t for t in model.get("trainings") or [] if t.get("history") and t.get("test")]


def sound(model: Model) -> list[Training]:
    """Return the finished trainings of a model whose loss stayed finite."""
    return [training for training in finished(model) if not training["diverged"]]


def has_several_seeds(results: dict[str, Any]) -> bool:
    """Say whether any model was trained, or was to be trained, with more than one seed."""
    return any(len(model.get("trainings") or []) > 1 for model in results["models"].values())


def share(values: dict[str, Any] | None) -> str:
    """Return `accuracy` with its interval, in percent."""
    if not values or values.get("accuracy") is None:
        return DASH
    interval = values.get("accuracy_ci95")
    return percent_with_interval(values["accuracy"], interval) if interval else percent(values["accuracy"])


def nll(test: dict[str, Any]) -> str:
    """Return the negative log-likelihood with its interval, in nats per image."""
    if test.get("nll") is None:
        return "not finite"
    interval = test.get("nll_ci95")
    return f"{test['nll']:.4f}" + (f" ({interval[0]:.4f} to {interval[1]:.4f})" if interval else "")


def calibration(test: dict[str, Any]) -> str:
    """Return the expected calibration error with its interval, in percentage points."""
    if test.get("calibration_error") is None:
        return DASH
    interval = test.get("calibration_error_ci95")
    return points(test["calibration_error"]) + (f" ({span(interval)})" if interval else "")


def gap(training: Training) -> str:
    """Return train minus test accuracy in points, with Newcombe's 95 % interval (1998, method 10).

    It joins the Wilson intervals of two independent shares: the distances from each share to the end of its
    interval that matters, squared and added.
    """
    train, test = training.get("train") or {}, training["test"]
    if train.get("accuracy") is None or not train.get("accuracy_ci95") or not test.get("accuracy_ci95"):
        return DASH
    difference = train["accuracy"] - test["accuracy"]
    below = math.hypot(
        train["accuracy"] - train["accuracy_ci95"][0], test["accuracy_ci95"][1] - test["accuracy"]
    )
    above = math.hypot(
        train["accuracy_ci95"][1] - train["accuracy"], test["accuracy"] - test["accuracy_ci95"][0]
    )
    return f"{points(difference)} ({span((difference - below, difference + above))})"


def onset(training: Training) -> str:
    """Return the onset with its interval, or in a few words why there is none."""
    found = training.get("onset") or {}
    status, epoch, interval = found.get("status"), found.get("epoch"), found.get("interval")
    words = escape(STATUS_WORDS.get(str(status), status or "not judged"))
    if epoch is not None:
        place = f"epoch {epoch:g}" + (f" ({interval[0]:g} to {interval[1]:g})" if interval else "")
        return place if status == "overfits" else f"{words}; {place}"
    rise = found.get("smallest_detectable_rise")
    return words + (
        f" (a rise of {rise:.1f} % would show)" if status == "not_observed" and rise is not None else ""
    )


def onset_over_seeds(model: Model) -> str:
    """Return in how many seeds an onset was seen, and where; and how many neither show one nor exclude it."""
    found = (model.get("aggregate") or {}).get("onset") or {}
    if not found:
        return DASH
    text = f"{found.get('observed', 0)} of {found.get('seeds', 0)} seeds"
    if found.get("median_epoch") is not None:
        text += f", median epoch {found['median_epoch']:g}"
    if found.get("range"):
        text += f" ({found['range'][0]:g} to {found['range'][1]:g})"
    if undecided := sum((found.get("status_counts") or {}).get(status, 0) for status in UNDECIDED):
        text += f", {undecided} undecided"
    return text


def epochs(training: Training, planned: int | None) -> str:
    """Return how many epochs a training had; of how many, if it was to have more."""
    trained = len((training.get("history") or {}).get("val_nll") or [])
    return f"{trained} of {planned}" if planned and trained != planned else f"{trained}"


def duration(seconds: float | None) -> str:
    """Return seconds for a person: "0.8 s", "95 s", "13 min 32 s", "2 h 5 min"."""
    if seconds is None or not math.isfinite(seconds):
        return DASH
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def probability(value: float | None) -> str:
    """Return a probability in percent, never rounded up to certainty."""
    if value is None or not math.isfinite(value):
        return "unknown"
    return "> 99.99 %" if value > 0.9999 else f"{100 * value:.2f} %"


def p_value(p: float | None) -> str:
    """Return a p-value with two digits that matter."""
    if p is None:
        return DASH
    return "< 0.0001" if p < 0.0001 else f"{p:.2g}" if p < 0.1 else f"{p:.2f}"


def whole(number: int | None) -> str:
    """Return a count with thousands marked, or a dash."""
    return DASH if number is None else f"{number:,}"


def last_value(values: Sequence[float | None] | None) -> float | None:
    """Return the last value of a curve, None where it is missing or not finite."""
    return values[-1] if values else None
