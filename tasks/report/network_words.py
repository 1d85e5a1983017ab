"""One network in words: its accuracy, its onset of overfitting.

Plain text, not Markdown. A sentence ends with a full stop, a phrase or the cell of a table does not.
"""

from tasks.evaluation.onset import EXCLUDED_RISE, SHORTEST_CURVE
from tasks.results.enums import AccuracyChange, OnsetStatus
from tasks.results.run import Aggregate, ModelResult, OnsetOverSeeds
from tasks.results.training import Interval, Onset, TrainingResult
from tasks.wording import (
    and_list,
    counted,
    p_value,
    percent,
    percent_with_interval,
    points,
    span,
)

EXCLUDED = f"{100 * EXCLUDED_RISE:.0f} %"
STATUS_WORDS = {
    OnsetStatus.OVERFITS: "overfits",
    OnsetStatus.RISE_EXCLUDED: f"rise of more than {EXCLUDED} excluded",
    OnsetStatus.UNDECIDED: "undecided",
    OnsetStatus.TOO_SHORT: "too few epochs to judge",
    OnsetStatus.DIVERGED: "diverged",
    OnsetStatus.DEGRADING: "both losses rise",
    OnsetStatus.RECOVERED: "rose, then recovered",
}


def over_seeds(model: ModelResult) -> Aggregate:
    """Return what the trainings of a network say together; it must have a result."""
    assert model.aggregate is not None
    return model.aggregate


def accuracy_limits(model: ModelResult) -> Interval:
    """Return the 95 % interval of the test accuracy, of several seeds that of their mean."""
    limits = over_seeds(model).test_accuracy.interval
    assert limits is not None
    return limits


def accuracy_cell(model: ModelResult) -> str:
    """Return a network's test accuracy and its limits: "98.66 % (98.49 to 98.86)"."""
    return percent_with_interval(over_seeds(model).test_accuracy.mean, accuracy_limits(model))


def accuracy(model: ModelResult) -> str:
    """Return a network's test accuracy with what belongs to it: interval, and images or seeds."""
    found = over_seeds(model).test_accuracy
    if found.n == 1:
        return f"{accuracy_cell(model)} on {model.finished[0].test.n:,} images"
    limits = span(accuracy_limits(model))
    return f"{percent(found.mean)} ({limits} on other images and in other trainings; mean of {found.n} seeds)"


def onset_cell(onset: Onset) -> str:
    """Return the onset of one training with its interval, or in a few words why there is none."""
    words = STATUS_WORDS[onset.status]
    if onset.interval is not None:
        place = f"epoch {onset.epoch} ({onset.interval[0]} to {onset.interval[1]})"
        return place if onset.status is OnsetStatus.OVERFITS else f"{words}; {place}"
    rise = final_rise(onset)
    return f"{words} (rise {rise})" if onset.status is OnsetStatus.UNDECIDED and rise else words


def final_rise(onset: Onset) -> str | None:
    """Return how far a validation loss ends above its lowest point: "65.4 % (60.1 to 70.7 %)"."""
    if onset.severity is None or onset.severity_interval is None:
        return None
    return "{:.1f} % ({:.1f} to {:.1f} %)".format(onset.severity, *onset.severity_interval)


def luck(onset: Onset) -> str:
    """Return what the intervals of an onset allow for."""
    return "the noise of the epochs" + (
        f" and the luck of {onset.images:,} images" if onset.images else " alone"
    )


def network_onset_cell(model: ModelResult) -> str:
    """Return the onset of a network's one training, or in how many seeds one is seen, and where."""
    if len(model.finished) == 1:
        return onset_cell(model.finished[0].onset)
    onset = over_seeds(model).onset
    seen = f"seen in {onset.observed} of {onset.seeds} seeds{_where(onset, ' to ')}"
    return seen + _not_decided(onset, ", ")


def _where(onset: OnsetOverSeeds, to: str, of: str = "") -> str:
    """Return at which epochs seeds show an onset: ", median epoch 8 (seeds: 8 to 11)", ", at epoch 8"."""
    if onset.range is None:
        return ""
    first, last = onset.range
    epochs = f"{first}" if first == last else f"{first}{to}{last}"
    if onset.median_epoch is not None:
        return f", median epoch {onset.median_epoch:g}{of} (seeds: {epochs})"
    return f", at epoch{'' if first == last else 's'} {epochs}"


def _not_decided(onset: OnsetOverSeeds, before: str) -> str:
    too_short = onset.status_counts.get(OnsetStatus.TOO_SHORT, 0)
    undecided = onset.undecided - too_short
    parts = [f"{undecided} undecided"] if undecided else []
    parts += [f"{too_short} with too few epochs to judge"] if too_short else []
    parts += [f"{onset.failed} failed in training"] if onset.failed else []
    return f"{before}{and_list(parts)}" if parts else ""


def onset_phrase(model: ModelResult) -> str:
    """Return what follows a network's name in a sentence: " from epoch 11 (9-14)"."""
    if len(model.finished) > 1:
        return f", {seeds_that_overfit(over_seeds(model).onset)}"
    onset = model.finished[0].onset
    epochs = counted(onset.epochs, "epoch")
    first_last = "" if onset.interval is None else "{}-{}".format(*onset.interval)
    words = {
        OnsetStatus.OVERFITS: f"from epoch {onset.epoch} ({first_last})",
        OnsetStatus.RISE_EXCLUDED: f"without a rise of more than {EXCLUDED} in {epochs}",
        OnsetStatus.UNDECIDED: f"undecided after {epochs}",
        OnsetStatus.TOO_SHORT: f"undecided, {epochs} being too few to judge",
        OnsetStatus.DIVERGED: "diverged (loss not finite)",
        OnsetStatus.DEGRADING: f"getting worse on both sets from epoch {onset.epoch} on, which is not overfitting",
        OnsetStatus.RECOVERED: "recovered (the loss rose, then fell back)",
    }
    return f" {words[onset.status]}"


def seeds_that_overfit(onset: OnsetOverSeeds) -> str:
    """Return the onset over seeds: "seen in 3 of 5 seeds within 20 epochs, median epoch 8 (seeds: 8-11)"."""
    decided = onset.observed + onset.excluded
    of = "" if decided == onset.seeds else f" of the {decided} decided"
    words = f"seen in {onset.observed} of {onset.seeds} seeds within {counted(onset.epochs, 'epoch')}"
    words += _where(onset, "-", of)
    if onset.excluded:
        words += f"; {onset.excluded} without a rise of more than {EXCLUDED} that lasts"
    return words + _not_decided(onset, "; ")


def network_onset_sentence(model: ModelResult) -> str:
    """Return what is known of a network's onset, of its one training or over its seeds."""
    if len(model.finished) == 1:
        return onset_sentence(model.finished[0].onset, model.learning_rate_schedule)
    return f"Overfitting is {seeds_that_overfit(over_seeds(model).onset)}."


def onset_sentence(onset: Onset, learning_rate_schedule: str = "constant") -> str:
    """Return what is known of the onset of one training; more epochs are no advice where a schedule has ended."""
    if onset.status is not OnsetStatus.DIVERGED:
        return _judged(onset.status, onset) + _near_the_end(onset, learning_rate_schedule)
    words = f"Diverged: the loss is not a finite number at epoch {onset.epochs + 1}."
    if onset.before_divergence in (OnsetStatus.OVERFITS, OnsetStatus.DEGRADING):
        words += f" Judged up to there: {_judged(onset.before_divergence, onset)}"
    return words


def _judged(status: OnsetStatus, onset: Onset) -> str:
    place = ""
    if onset.interval is not None:
        place = f" from epoch {onset.epoch} on (between {onset.interval[0]} and {onset.interval[1]})"
    epochs, rise = counted(onset.epochs, "epoch"), final_rise(onset)
    end = (
        ""
        if rise is None
        else f" It ends {rise} above its lowest point; the intervals allow for {luck(onset)}."
    )
    return {
        OnsetStatus.OVERFITS: f"Overfits: the validation loss rises{place}.{end}",
        OnsetStatus.DEGRADING: f"Degrading, not overfitting:{place} both losses rise; the training itself fails.",
        OnsetStatus.RECOVERED: f"Recovered: the validation loss rose after epoch {onset.earlier_low}, then fell "
        f"back (lowest at epoch {onset.lowest_at}).{end}",
        OnsetStatus.UNDECIDED: f"Undecided: the validation loss of {epochs} neither shows a rise nor excludes one "
        f"of more than {EXCLUDED}.{_earlier_rise(onset)}{end}",
        OnsetStatus.TOO_SHORT: f"Too short to judge: {epochs}, at least {SHORTEST_CURVE} are needed.",
        OnsetStatus.RISE_EXCLUDED: f"A rise of the validation loss of more than {EXCLUDED} is excluded up to "
        f"epoch {onset.epochs}.{end}",
    }[status]


def _earlier_rise(onset: Onset) -> str:
    """What was seen of a rise that may have passed."""
    if onset.earlier_low is None:
        return ""
    return f" It rose after epoch {onset.earlier_low}; whether that rise has passed is open."


def _near_the_end(onset: Onset, learning_rate_schedule: str) -> str:
    """What a lowest point in the last six epochs means where no onset is seen."""
    if not onset.status.may_rise_later or onset.lowest_at is None or onset.epochs - onset.lowest_at >= 6:
        return ""
    words = f" The lowest point, epoch {onset.lowest_at}, is near the end"
    if learning_rate_schedule == "constant":
        return f"{words}: more epochs may show a rise."
    return f"{words}, where the learning rate has come to the end of its schedule."


def after_best_epoch(training: TrainingResult) -> str:
    """Return whether the accuracy on test changed after the epoch of the lowest validation loss."""
    after = training.after_best
    change = (
        f"than after epoch {training.best_epoch} ({points(after.difference)} points, "
        f"{span(after.difference_ci95)}, on {after.n:,} test images: {after.best_only:,} right only with the best "
        f"epoch's weights, {after.final_only:,} only with the last; p by Holm {p_value(after.p_adjusted)})."
    )
    return {
        AccuracyChange.ROSE: f"After the last epoch accuracy is higher {change}",
        AccuracyChange.FELL: f"After the last epoch accuracy is lower {change}",
        AccuracyChange.NOT_MEASURABLE: f"After the last epoch accuracy is not measurably other {change}",
        AccuracyChange.LAST_EPOCH_IS_BEST: "The last epoch has the lowest validation loss: there is no training "
        "on to judge.",
        AccuracyChange.NO_FINITE_LOSS: "No epoch has a finite validation loss.",
    }[after.change]
