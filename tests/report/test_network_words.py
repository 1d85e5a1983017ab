"""Facts about one network in, exact sentences out."""

import pytest
from hand_made import after_best, mistake, network, on_test, onset, seeds_with, training

from tasks.report.mistake_words import confusion, mistakes_shown
from tasks.report.network_words import (
    accuracy,
    accuracy_cell,
    after_best_epoch,
    network_onset_cell,
    network_onset_sentence,
    onset_cell,
    onset_phrase,
    onset_sentence,
)
from tasks.results.enums import AccuracyChange, OnsetStatus
from tasks.results.training import Onset


def test_accuracy_of_one_training() -> None:
    """It stands with its 95 % interval and the number of images."""
    assert accuracy(network()) == "98.00 % (97.80 to 98.20) on 10,000 images"


def test_accuracy_over_seeds() -> None:
    """The mean stands with the number of seeds and its interval; in a cell with the interval alone."""
    model = seeds_with([0.96, 0.98, 0.985])
    assert (
        accuracy(model) == "97.50 % (97.30 to 97.70 on other images and in other trainings; mean of 3 seeds)"
    )
    assert accuracy_cell(model) == "97.50 % (97.30 to 97.70)"


def diverged(before: OnsetStatus, epoch: int | None = None) -> Onset:
    """A training whose loss broke in epoch 13."""
    return onset(OnsetStatus.DIVERGED, epoch, epochs=12, before_divergence=before)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            onset(OnsetStatus.OVERFITS, 8, severity=65.4, severity_interval=(60.1, 70.7), images=6000),
            "Overfits: the validation loss rises from epoch 8 on (between 7 and 9). It ends 65.4 % "
            "(60.1 to 70.7 %) above its lowest point; the intervals allow for the noise of the epochs "
            "and the luck of 6,000 images.",
        ),
        (
            onset(OnsetStatus.OVERFITS, 8),
            "Overfits: the validation loss rises from epoch 8 on (between 7 and 9).",
        ),
        (
            onset(OnsetStatus.DEGRADING, 8),
            "Degrading, not overfitting: from epoch 8 on (between 7 and 9) both losses rise; "
            "the training itself fails.",
        ),
        (
            onset(OnsetStatus.RECOVERED, earlier_low=6, lowest_at=19),
            "Recovered: the validation loss rose after epoch 6, then fell back (lowest at epoch 19). "
            "The lowest point, epoch 19, is near the end: more epochs may show a rise.",
        ),
        (
            onset(OnsetStatus.UNDECIDED, lowest_at=14, severity=5.2, severity_interval=(-1.0, 11.4)),
            "Undecided: the validation loss of 20 epochs neither shows a rise nor excludes one of more than 5 %. "
            "It ends 5.2 % (-1.0 to 11.4 %) above its lowest point; the intervals allow for the noise "
            "of the epochs alone.",
        ),
        (
            onset(OnsetStatus.UNDECIDED, earlier_low=6, lowest_at=7),
            "Undecided: the validation loss of 20 epochs neither shows a rise nor excludes one of more than 5 %. "
            "It rose after epoch 6; whether that rise has passed is open.",
        ),
        (onset(OnsetStatus.TOO_SHORT, epochs=7), "Too short to judge: 7 epochs, at least 8 are needed."),
        (
            onset(lowest_at=18),
            "A rise of the validation loss of more than 5 % is excluded up to epoch 20. "
            "The lowest point, epoch 18, is near the end: more epochs may show a rise.",
        ),
        (onset(), "A rise of the validation loss of more than 5 % is excluded up to epoch 20."),
        (diverged(OnsetStatus.RISE_EXCLUDED), "Diverged: the loss is not a finite number at epoch 13."),
        (
            diverged(OnsetStatus.OVERFITS, 8),
            "Diverged: the loss is not a finite number at epoch 13. Judged up to there: "
            "Overfits: the validation loss rises from epoch 8 on (between 7 and 9).",
        ),
        (
            diverged(OnsetStatus.DEGRADING),
            "Diverged: the loss is not a finite number at epoch 13. Judged up to there: "
            "Degrading, not overfitting: both losses rise; the training itself fails.",
        ),
    ],
)
def test_onset_sentence(found: Onset, sentence: str) -> None:
    """Each verdict has its sentence, with the epochs and sizes that it has."""
    assert onset_sentence(found) == sentence


def test_more_epochs_are_no_advice_after_a_schedule() -> None:
    """Where the learning rate has come to its end, longer training would be another training."""
    assert onset_sentence(onset(OnsetStatus.UNDECIDED, lowest_at=19), "cosine").endswith(
        "The lowest point, epoch 19, is near the end, where the learning rate has come to the end of its schedule."
    )


@pytest.mark.parametrize(
    ("found", "cell", "phrase"),
    [
        (onset(OnsetStatus.OVERFITS, 8), "epoch 8 (7 to 9)", " from epoch 8 (7-9)"),
        (
            onset(OnsetStatus.DEGRADING, 8),
            "both losses rise; epoch 8 (7 to 9)",
            " getting worse on both sets from epoch 8 on, which is not overfitting",
        ),
        (diverged(OnsetStatus.OVERFITS, 8), "diverged; epoch 8 (7 to 9)", " diverged (loss not finite)"),
        (diverged(OnsetStatus.TOO_SHORT), "diverged", " diverged (loss not finite)"),
        (
            onset(),
            "rise of more than 5 % excluded",
            " without a rise of more than 5 % in 20 epochs",
        ),
        (
            onset(OnsetStatus.UNDECIDED, severity=5.2, severity_interval=(-1.0, 11.4)),
            "undecided (rise 5.2 % (-1.0 to 11.4 %))",
            " undecided after 20 epochs",
        ),
        (
            onset(OnsetStatus.TOO_SHORT, epochs=1),
            "too few epochs to judge",
            " undecided, 1 epoch being too few to judge",
        ),
        (
            onset(OnsetStatus.RECOVERED),
            "rose, then recovered",
            " recovered (the loss rose, then fell back)",
        ),
    ],
)
def test_onset_in_short(found: Onset, cell: str, phrase: str) -> None:
    """In a table and after a name there are but a few words; no epoch is called an onset that is none."""
    assert (onset_cell(found), onset_phrase(network(training(onset=found)))) == (cell, phrase)


def over_seeds(*found: Onset) -> tuple[str, str]:
    """Sentence and cell of a network with these onsets."""
    model = network(*(training(seed, onset=each) for seed, each in enumerate(found)))
    return network_onset_sentence(model), network_onset_cell(model)


def test_onset_over_seeds() -> None:
    """Seeds with an onset are counted among all, with median and range; undecided ones apart."""
    seen = [onset(OnsetStatus.OVERFITS, epoch) for epoch in (8, 9, 11)]
    unseen, undecided = onset(), onset(OnsetStatus.UNDECIDED)
    assert over_seeds(*seen, unseen, undecided) == (
        "Overfitting is seen in 3 of 5 seeds within 20 epochs, median epoch 10 of the 4 decided (seeds: 8-11); "
        "1 without a rise of more than 5 % that lasts; 1 undecided.",
        "seen in 3 of 5 seeds, median epoch 10 (seeds: 8 to 11), 1 undecided",
    )
    assert over_seeds(seen[0], unseen, unseen) == (
        "Overfitting is seen in 1 of 3 seeds within 20 epochs, at epoch 8; "
        "2 without a rise of more than 5 % that lasts.",
        "seen in 1 of 3 seeds, at epoch 8",
    )
    assert over_seeds(undecided, onset(OnsetStatus.TOO_SHORT)) == (
        "Overfitting is seen in 0 of 2 seeds within 20 epochs; 1 undecided and 1 with too few epochs to judge.",
        "seen in 0 of 2 seeds, 1 undecided and 1 with too few epochs to judge",
    )


SIZE = (
    "than after epoch 7 (0.13 points, -0.07 to 0.33, on 10,000 test images: "
    "44 right only with the best epoch's weights, 57 only with the last; p by Holm 0.40)."
)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (AccuracyChange.ROSE, f"After the last epoch accuracy is higher {SIZE}"),
        (AccuracyChange.FELL, f"After the last epoch accuracy is lower {SIZE}"),
        (AccuracyChange.NOT_MEASURABLE, f"After the last epoch accuracy is not measurably other {SIZE}"),
        (
            AccuracyChange.LAST_EPOCH_IS_BEST,
            "The last epoch has the lowest validation loss: there is no training on to judge.",
        ),
        (AccuracyChange.NO_FINITE_LOSS, "No epoch has a finite validation loss."),
    ],
)
def test_after_best_epoch(found: AccuracyChange, sentence: str) -> None:
    """The change of accuracy stands with its interval and the images behind it."""
    assert after_best_epoch(training(after_best=after_best(found))) == sentence


@pytest.mark.parametrize(
    ("confusions", "sentence"),
    [
        (
            [[(0, 0, 3), (0, 1, 1), (1, 1, 5)]],
            "1 mistake on 9 test images; most often, 1 time, a 0 was taken for a 1.",
        ),
        (
            [[(0, 0, 3), (0, 1, 1), (1, 1, 5)], [(0, 0, 4), (1, 0, 1), (1, 1, 4)]],
            "2 mistakes on 18 test images (all 2 seeds added); most often, 1 time, a 0 was taken for a 1 "
            "(as often: 1 other pair).",
        ),
        ([[(0, 0, 4), (1, 1, 5)]], "No mistake on 9 test images."),
        (
            [[(0, 0, 3), (0, 1, 1)]],
            "5 of 9 test images have no answer: no probability is finite. 1 mistake on the others.",
        ),
    ],
)
def test_confusion(confusions: list[list[tuple[int, int, int]]], sentence: str) -> None:
    """Seeds added: the most frequent mistake, how many are as frequent, and images without a finite answer."""
    trainings = [training(test=on_test(n=9, confusion=pairs)) for pairs in confusions]
    assert confusion(trainings, ["0", "1"]) == sentence


def test_mistakes_shown() -> None:
    """A mistake is told with index, truth, prediction and probability; a known label error is named."""
    listed = [mistake(), mistake(index=3, probability=0.5, known_label_error=False)]
    assert mistakes_shown("cnn", listed, list("0123456789")) == (
        "The most confident mistakes of cnn: #947, an 8 taken for a 9 (> 99.99 %, known label error); "
        "#3, an 8 taken for a 9 (50.00 %)"
    )
    assert mistakes_shown("cnn", [], []) == "The most confident mistakes of cnn: none"
