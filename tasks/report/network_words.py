"""One network in words: its accuracy, its onset of overfitting, its mistakes.

Plain text, not Markdown. A sentence ends with a full stop, a phrase or the cell of a table does not.
"""

from collections.abc import Sequence

import numpy as np

from tasks.evaluation.onset import SHORTEST_CURVE
from tasks.results.enums import AccuracyChange, OnsetStatus
from tasks.results.run import Aggregate, ModelResult, OnsetOverSeeds
from tasks.results.training import Interval, Mistake, Onset, TrainingResult
from tasks.wording import counted, p_value, percent, percent_with_interval, points, probability, span

STATUS_WORDS = {
    OnsetStatus.OVERFITS: "overfits",
    OnsetStatus.NOT_OBSERVED: "not observed",
    OnsetStatus.INCONCLUSIVE: "inconclusive",
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
    rise = onset.smallest_detectable_rise
    if onset.status is OnsetStatus.NOT_OBSERVED and rise is not None:
        return f"{words} (a rise of {rise:.1f} % would show)"
    return words


def network_onset_cell(model: ModelResult) -> str:
    """Return the onset of a network's one training, or in how many seeds one is seen, and where."""
    if len(model.finished) == 1:
        return onset_cell(model.finished[0].onset)
    onset = over_seeds(model).onset
    median = "" if onset.median_epoch is None else f", median epoch {onset.median_epoch:g}"
    limits = "" if onset.range is None else f" ({onset.range[0]} to {onset.range[1]})"
    undecided = f", {onset.undecided} undecided" if onset.undecided else ""
    return f"{onset.observed} of {onset.seeds} seeds{median}{limits}{undecided}"


def onset_phrase(model: ModelResult) -> str:
    """Return what follows a network's name in a sentence: " from epoch 11 (9-14)"."""
    if len(model.finished) > 1:
        return f", {seeds_that_overfit(over_seeds(model).onset)}"
    onset = model.finished[0].onset
    epochs = counted(onset.epochs, "epoch")
    first_last = "" if onset.interval is None else "{}-{}".format(*onset.interval)
    words = {
        OnsetStatus.OVERFITS: f"from epoch {onset.epoch} ({first_last})",
        OnsetStatus.NOT_OBSERVED: f"not observed in {epochs}",
        OnsetStatus.INCONCLUSIVE: f"undecided after {epochs} (lowest loss near the end)",
        OnsetStatus.TOO_SHORT: f"undecided, {epochs} being too few to judge",
        OnsetStatus.DIVERGED: "diverged (loss not finite)",
        OnsetStatus.DEGRADING: f"getting worse on both sets from epoch {onset.epoch} on, which is not overfitting",
        OnsetStatus.RECOVERED: "recovered (the loss rose, then fell below its earlier minimum)",
    }
    return f" {words[onset.status]}"


def seeds_that_overfit(onset: OnsetOverSeeds) -> str:
    """Return the onset over seeds: "3 of 5 seeds overfit within 20 epochs, median epoch 8 (8-11); 1 undecided"."""
    words = f"{onset.observed} of {onset.seeds} seeds overfit within {counted(onset.epochs, 'epoch')}"
    first_last = "" if onset.range is None else "{}-{}".format(*onset.range)
    if onset.median_epoch is not None:
        words += f", median epoch {onset.median_epoch:g} ({first_last})"
    elif first_last:
        words += f", at epochs {first_last}"
    return words + (f"; {onset.undecided} undecided" if onset.undecided else "")


def network_onset_sentence(model: ModelResult) -> str:
    """Return what is known of a network's onset, of its one training or over its seeds."""
    if len(model.finished) == 1:
        return onset_sentence(model.finished[0].onset)
    return f"{seeds_that_overfit(over_seeds(model).onset)}."


def onset_sentence(onset: Onset) -> str:
    """Return what is known of the onset of one training."""
    if onset.status is not OnsetStatus.DIVERGED:
        return _judged(onset.status, onset)
    words = f"Diverged: the loss is not a finite number at epoch {onset.epochs + 1}."
    if onset.before_divergence in (OnsetStatus.OVERFITS, OnsetStatus.DEGRADING):
        words += f" Judged up to there: {_judged(onset.before_divergence, onset)}"
    return words


def _judged(status: OnsetStatus, onset: Onset) -> str:
    place = (
        f" from epoch {onset.epoch} (between {{}} and {{}})".format(*onset.interval) if onset.interval else ""
    )
    severity, rise = onset.severity, onset.smallest_detectable_rise
    end = "" if severity is None else f" It ends {severity:.0f} % above its lowest level."
    seen = "" if rise is None else f"; a rise of {rise:.1f} % would have been seen"
    epochs = counted(onset.epochs, "epoch")
    return {
        OnsetStatus.OVERFITS: f"Overfits: the validation loss rises{place}.{end}",
        OnsetStatus.DEGRADING: f"Degrading, not overfitting:{place} both losses rise; the training itself fails.",
        OnsetStatus.RECOVERED: f"Recovered: the loss rose after epoch {onset.earlier_low}, then fell to a new low "
        f"(epoch {onset.lowest_at}).",
        OnsetStatus.INCONCLUSIVE: f"Inconclusive: lowest at epoch {onset.lowest_at} of {onset.epochs}, too near "
        "the end; train longer to see.",
        OnsetStatus.TOO_SHORT: f"Too short to judge: {epochs}, at least {SHORTEST_CURVE} are needed.",
        OnsetStatus.NOT_OBSERVED: f"No overfitting observed in {epochs}{seen}.",
    }[status]


def after_best_epoch(training: TrainingResult) -> str:
    """Return whether the accuracy on test changed after the epoch of the lowest validation loss."""
    after = training.after_best
    change = (
        f"after epoch {training.best_epoch} ({points(after.difference)} points, {span(after.difference_ci95)}, on "
        f"{after.n:,} test images: {after.best_only:,} right only with the best epoch's weights, "
        f"{after.final_only:,} only with the last; p by Holm {p_value(after.p_adjusted)})."
    )
    return {
        AccuracyChange.ROSE: f"Accuracy rose {change}",
        AccuracyChange.FELL: f"Accuracy fell {change}",
        AccuracyChange.NOT_MEASURABLE: f"Accuracy did not change measurably {change}",
        AccuracyChange.LAST_EPOCH_IS_BEST: "The last epoch has the lowest validation loss: there is no training "
        "on to judge.",
        AccuracyChange.NO_FINITE_LOSS: "No epoch has a finite validation loss.",
    }[after.change]


def confusion(trainings: Sequence[TrainingResult]) -> str:
    """Return how many mistakes the trainings of a network make together, and which is the most frequent."""
    counts = np.sum([training.test.confusion for training in trainings], axis=0)  # (classes, classes)
    images = sum(training.test.n for training in trainings)
    unanswered = images - counts.sum()
    np.fill_diagonal(counts, 0)
    mistakes = counts.sum()
    added = f" (all {len(trainings)} seeds added)" if len(trainings) > 1 else ""
    if unanswered:
        return (
            f"{unanswered:,} of {images:,} test images{added} have no answer: no probability is finite. "
            f"{counted(mistakes, 'mistake')} on the others."
        )
    if not mistakes:
        return f"No mistake on {images:,} test images{added}."
    (truth, said), *others = np.argwhere(counts == counts.max())
    as_often = f" (as often: {counted(len(others), 'other pair')})" if others else ""
    times = counted(counts.max(), "time")
    return (
        f"{counted(mistakes, 'mistake')} on {images:,} test images{added}; most often, {times}, "
        f"{an(truth)} was taken for {an(said)}{as_often}."
    )


def mistakes_shown(name: str, mistakes: Sequence[Mistake]) -> str:
    """Return what the picture of the mistakes shows, for those who cannot see it."""
    listed = [
        f"#{mistake.index}, {an(mistake.truth)} taken for {an(mistake.prediction)} "
        f"({probability(mistake.probability)}{', known label error' if mistake.known_label_error else ''})"
        for mistake in mistakes
    ]
    return f"The most confident mistakes of {name}: {'; '.join(listed) or 'none'}"


def an(digit: int) -> str:
    """Return a digit with its article: "a 7", "an 8"."""
    return f"an {digit}" if digit == 8 else f"a {digit}"
