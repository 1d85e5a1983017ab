"""Every verdict on the onset of overfitting, on curves that a person can check."""

import math
from pathlib import Path

import numpy as np
import pytest

from tasks.evaluation.onset import find_onset, onset_over_seeds
from tasks.results.enums import OnsetStatus
from tasks.results.training import Onset

DEFINITION = (
    "he epoch after the lowest point of the smoothed validation loss, if the loss then rises by more than chance "
    "and stays above that point to the end, while the train loss does not rise."
)
PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "place",
    [
        "docs/onset.md",
        "docs/reading.md",
        "tasks/evaluation/onset.py",
        "tasks/report/templates/how_to_read.md.jinja",
    ],
)
def test_there_is_one_definition(place: str) -> None:
    """Report, documents and code say in the same words what the onset is."""
    assert DEFINITION in " ".join((PROJECT / place).read_text(encoding="utf-8").split())


def valley(epochs: int, best: int, fall: float = 0.05, rise: float = 0.02) -> list[float]:
    """A loss that falls in a straight line to 1 at epoch `best` and rises in a straight line from there."""
    return [1 + (fall * (best - t) if t < best else rise * (t - best)) for t in range(1, epochs + 1)]


def noisy(curve: list[float], deviation: float) -> list[float]:
    """The curve with independent normal noise."""
    return list(curve + deviation * np.random.default_rng(0).standard_normal(len(curve)))


def test_the_onset_is_the_epoch_after_the_best_one() -> None:
    """A loss that falls up to epoch 12 of 30 and rises from there on overfits from epoch 13, and from no other."""
    onset = find_onset(valley(30, best=12))
    assert (onset.status, onset.epoch, onset.interval) == ("overfits", 13, (13, 13))


def test_a_rise_of_three_epochs_is_not_judged() -> None:
    """Four epochs after the lowest point are enough for a clear rise, three may be a spike."""
    assert find_onset(valley(30, best=26, rise=0.2)).status == "overfits"
    assert find_onset(valley(30, best=27, rise=0.2)).status == "undecided"


def test_severity_is_the_end_over_the_lowest_point() -> None:
    """The last three epochs lie 32, 34 and 36 % above the lowest point."""
    onset = find_onset(valley(30, best=12))
    assert onset.severity == pytest.approx(34.0)
    assert onset.severity_interval is not None
    assert onset.severity_interval[0] <= onset.severity <= onset.severity_interval[1]


def test_images_widen_the_intervals() -> None:
    """Where each image's losses are known, the luck of which images were drawn counts too."""
    curve = np.array(noisy(valley(30, best=12), 0.01))
    pattern = np.random.default_rng(1).standard_normal((30, 200)) * 0.5
    images = curve[:, None] + pattern - pattern.mean(axis=1, keepdims=True)
    alone, both = find_onset(curve), find_onset(curve, None, images)
    assert (alone.images, both.images) == (None, 200)
    assert (both.epoch, both.severity) == (alone.epoch, pytest.approx(alone.severity))
    assert alone.severity_interval is not None
    assert both.severity_interval is not None
    assert (
        both.severity_interval[0]
        < alone.severity_interval[0]
        < alone.severity_interval[1]
        < both.severity_interval[1]
    )


def test_losses_of_other_epochs_are_not_used() -> None:
    """A training that was kept with fewer epochs of them is judged by the curve alone."""
    assert find_onset(valley(30, 12), None, np.ones((29, 10))) == find_onset(valley(30, 12))


def test_a_loss_that_rises_from_the_start() -> None:
    """If no epoch is better than the first, the onset is epoch 2: the one after it."""
    onset = find_onset([1 + 0.1 * epoch for epoch in range(20)])
    assert (onset.status, onset.epoch) == ("overfits", 2)
    assert onset.interval is not None
    assert onset.interval[0] == 2


@pytest.mark.parametrize("curve", [[], [0.3], [5.0, 4.0, 3.0, 2.0, 3.0, 4.0, 5.0]], ids=len)
def test_fewer_than_eight_epochs_are_too_short(curve: list[float]) -> None:
    """Seven epochs or fewer are not judged, not even a clear turn; nor is an empty list."""
    assert find_onset(curve) == Onset(status=OnsetStatus.TOO_SHORT, epochs=len(curve))


def test_a_loss_that_still_falls_has_not_risen() -> None:
    """A rise is excluded up to the last epoch, which is the lowest; nothing is said of those that may follow."""
    onset = find_onset([1 + 1 / epoch for epoch in range(1, 31)])
    assert (onset.status, onset.epoch, onset.lowest_at) == ("rise_excluded", None, 30)


@pytest.mark.parametrize("level", [0.0, 1.0, -2.5])
def test_a_constant_loss_shows_no_onset(level: float) -> None:
    """A loss that never changes does not rise, whatever its level."""
    assert find_onset([level] * 30).status == "rise_excluded"


def test_absence_is_claimed_only_where_a_rise_is_excluded() -> None:
    """On a plateau of little noise more than 5 % is excluded; under much noise nothing is."""
    flat = [1 + 2 ** (3 - epoch) for epoch in range(40)]
    quiet, loud = find_onset(noisy(flat, 0.01)), find_onset(noisy(flat, 0.1))
    assert (quiet.status, loud.status) == ("rise_excluded", "undecided")
    assert quiet.severity_interval is not None
    assert loud.severity_interval is not None
    assert quiet.severity_interval[1] < 5 < loud.severity_interval[1]


def test_a_jump_is_seen() -> None:
    """A sustained jump of four noises, 16 epochs before the end, is a rise though no trend follows it."""
    curve = noisy([*[1.0] * 24, *[1.12] * 16], 0.03)
    assert find_onset(curve).status == "overfits"


def test_a_rise_that_passes_leaves_its_trace() -> None:
    """The loss doubles, then settles at its first minimum: recovered, never "no rise"."""
    bump = np.exp(-(((np.arange(50) - 25) / 5) ** 2))
    curve = 1 + 2.0 ** -np.arange(1.0, 51) + bump
    onset = find_onset(noisy(curve.tolist(), 0.01))
    assert (onset.status, onset.epoch) == ("recovered", None)
    assert onset.earlier_low is not None
    assert onset.earlier_low < 25


def test_recovered_is_a_claim_of_absence_too() -> None:
    """Under more noise the end may lie 5 % above the first minimum: undecided, and the rise is not forgotten."""
    bump = np.exp(-(((np.arange(50) - 25) / 5) ** 2))
    onset = find_onset(noisy((1 + 2.0 ** -np.arange(1.0, 51) + bump).tolist(), 0.05))
    assert onset.status == "undecided"
    assert onset.earlier_low is not None


def test_a_drop_of_the_learning_rate_moves_the_minimum() -> None:
    """A plateau, a drop at epoch 100, lowest at 102, then a rise: the onset is not before the drop."""
    time = np.arange(1, 151)
    before = 1 + 0.8 * np.exp(-time / 12) + 0.0008 * np.maximum(time - 27, 0)
    after = 0.75 + 0.25 * np.exp(99.0 - time) + 0.004 * np.maximum(time - 102, 0)
    onset = find_onset(noisy(np.where(time < 100, before, after).tolist(), 0.01))
    assert onset.status == "overfits"
    assert onset.epoch is not None
    assert 100 < onset.epoch <= 112


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf, None])
def test_a_loss_that_is_no_number_diverged(broken: float | None) -> None:
    """None, NaN or infinity at epoch 25: diverged, with the onset of the 24 epochs before."""
    curve: list[float | None] = [*valley(40, best=12)]
    curve[24] = broken
    onset, before = find_onset(curve), find_onset(valley(24, best=12))
    assert onset.status == "diverged"
    assert (onset.epoch, onset.interval) == (before.epoch, before.interval) != (None, None)
    assert (onset.epochs, onset.before_divergence) == (24, "overfits")


def test_diverged_at_once_has_no_epoch() -> None:
    """Without eight numbers before the break there is no onset."""
    assert find_onset([1.0, math.nan, 0.5] * 10).epoch is None
    assert find_onset([None] * 30).status == "diverged"


def test_a_training_loss_that_breaks_diverged_too() -> None:
    """NaN in the training loss counts as a diverged epoch."""
    assert find_onset(valley(30, 12), [*[0.5] * 20, math.nan, *[0.5] * 9]).status == "diverged"


def test_both_losses_rise() -> None:
    """If the training loss rises as well, the training fails: degrading, with epoch and interval."""
    onset = find_onset(valley(30, best=12), valley(30, best=12))
    assert (onset.status, onset.epoch) == ("degrading", 13)
    assert onset.interval is not None


def test_a_training_that_degrades_and_breaks_has_no_onset() -> None:
    """Both losses rise, then NaN: diverged, but no start of overfitting, and no seed that overfits."""
    curve = [*valley(30, best=12), math.nan]
    onset = find_onset(curve, curve)
    assert (onset.status, onset.epoch, onset.interval) == ("diverged", None, None)
    assert onset_over_seeds([onset], 31).observed == 0


def test_a_training_loss_that_falls_is_overfitting() -> None:
    """The usual picture: validation rises, training falls."""
    assert find_onset(valley(30, best=12), [1 / epoch for epoch in range(1, 31)]).status == "overfits"


@pytest.mark.parametrize("train", [[], [1.0], [math.nan] * 30])
def test_a_useless_training_loss_is_not_used(train: list[float]) -> None:
    """Of another length, or without any number: judged by validation alone."""
    assert find_onset(valley(30, best=12), train) == find_onset(valley(30, best=12))


def test_double_descent_recovers() -> None:
    """A loss that rises clearly and then falls to a new low recovered: no onset."""
    onset = find_onset([*valley(25, best=10), *[1.3 - 0.03 * epoch for epoch in range(1, 26)]])
    assert (onset.status, onset.epoch, onset.interval) == ("recovered", None, None)


def test_double_descent_that_rises_again_overfits() -> None:
    """The last rise counts: after the lower minimum, at epoch 30, the loss rises for good."""
    curve = [
        *valley(20, best=8),
        *[1.24 - 0.05 * e for e in range(1, 11)],
        *[0.74 + 0.03 * e for e in range(1, 21)],
    ]
    assert (find_onset(curve).status, find_onset(curve).epoch) == ("overfits", 31)


def test_a_rise_that_does_not_matter() -> None:
    """A rise by one percent is no onset, however sure it is."""
    assert find_onset(valley(50, best=10, rise=0.01 / 40)).status == "rise_excluded"


def test_ties_at_the_minimum() -> None:
    """A flat minimum from epoch 10 to 14: its interval holds every epoch from 11 to 15, the onset one of them."""
    onset = find_onset([*valley(10, best=10), *[1.0] * 4, *[1 + 0.03 * epoch for epoch in range(1, 27)]])
    assert onset.status == "overfits"
    assert onset.epoch is not None
    assert onset.interval is not None
    assert 11 <= onset.epoch <= 15
    assert onset.interval[0] <= 11
    assert onset.interval[1] >= 15


def test_a_step_up() -> None:
    """A loss that jumps at epoch 21 and stays up overfits from there at the latest."""
    onset = find_onset([*[1.0] * 20, *[1.5] * 20])
    assert onset.status == "overfits"
    assert onset.interval is not None
    assert onset.interval[1] == 21


@pytest.mark.parametrize("height", [1e1, 1e3, 1e12, 1e300])
def test_one_spike_is_no_onset(height: float) -> None:
    """One wild epoch on a flat curve changes nothing."""
    curve = noisy([1.0] * 40, 0.01)
    spiked = curve.copy()
    spiked[20] = height
    assert find_onset(spiked).status == find_onset(curve).status == "rise_excluded"
