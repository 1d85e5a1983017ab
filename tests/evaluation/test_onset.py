"""The onset of overfitting on curves that a person can check, on the tutorial's logs, and its invariants."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tasks.evaluation.curves import mann_kendall_z, noise_of, running_means, widening, without_spikes, zigzag
from tasks.evaluation.onset import best_epoch, early_stopping, find_onset, onset_over_seeds
from tasks.results.enums import OnsetStatus
from tasks.results.training import Onset

DATA = Path(__file__).parent / "histories"
ANY_NUMBERS = st.lists(st.none() | st.floats(), max_size=60)


def valley(epochs: int, best: int, fall: float = 0.05, rise: float = 0.02) -> list[float]:
    """A loss that falls in a straight line to 1 at epoch `best` and rises in a straight line from there."""
    return [1 + (fall * (best - t) if t < best else rise * (t - best)) for t in range(1, epochs + 1)]


def noisy(curve: list[float], deviation: float, seed: int = 0) -> list[float]:
    """The curve with independent normal noise."""
    return list(curve + deviation * np.random.default_rng(seed).standard_normal(len(curve)))


def tutorial(network: str) -> list[float]:
    """The validation loss of the tutorial's own log."""
    with (DATA / f"tutorial_history_{network}.csv").open() as file:
        return [float(row["val_loss"]) for row in csv.DictReader(file)]


@st.composite
def clear_curves(draw: st.DrawFn) -> tuple[list[float], int]:
    """An exponential fall, then a steady rise, together by a fifth at least; with the epoch of the minimum."""
    epochs = draw(st.integers(30, 80))
    turn = draw(st.integers(8, epochs // 2))
    fall = np.exp(-np.arange(1, epochs + 1) / (turn / draw(st.floats(2.0, 5.0))))
    rise = np.maximum(np.arange(1, epochs + 1) - turn, 0) / (epochs - turn) * draw(st.floats(0.25, 3.0))
    curve = 1 + fall * draw(st.floats(0.5, 20.0)) + rise
    assume(curve[-1] > 1.2 * curve.min())
    return curve.tolist(), int(np.argmin(curve)) + 1


# Every status, on hand-made curves.


def test_the_onset_is_the_epoch_after_the_best_one() -> None:
    """A loss that falls up to epoch 12 of 30 and rises from there on overfits from epoch 13."""
    onset = find_onset(valley(30, best=12))
    assert (onset.status, onset.epoch) == ("overfits", 13)
    assert onset.interval is not None
    assert onset.interval[0] <= 13 <= onset.interval[1]


def test_severity_is_the_end_over_the_minimum() -> None:
    """The median of the last three epochs, 34 to 36 %, above the mean at the best one, 1.01 (eight epochs)."""
    onset = find_onset(valley(30, best=12))
    assert onset.severity == pytest.approx(100 * (1.34 / np.mean(valley(30, best=12)[9:15]) - 1), abs=1.0)


def test_a_loss_that_rises_from_the_start() -> None:
    """If no epoch is better than the first, the onset is epoch 1."""
    onset = find_onset([1 + 0.1 * epoch for epoch in range(20)])
    assert (onset.status, onset.epoch) == ("overfits", 1)
    assert onset.interval is not None
    assert onset.interval[0] == 1


@pytest.mark.parametrize("curve", [[], [0.3], [5.0, 4.0, 3.0, 2.0, 3.0, 4.0, 5.0]], ids=len)
def test_fewer_than_eight_epochs_are_too_short(curve: list[float]) -> None:
    """Seven epochs or fewer are not judged, not even a clear turn; nor is an empty list."""
    assert find_onset(curve) == Onset(status=OnsetStatus.TOO_SHORT, epochs=len(curve))


def test_a_loss_that_still_falls_is_inconclusive() -> None:
    """A minimum within the last six epochs says: train longer to see."""
    onset = find_onset([1 / epoch for epoch in range(1, 31)])
    assert (onset.status, onset.epoch) == ("inconclusive", None)


@pytest.mark.parametrize("level", [0.0, 1.0, -2.5])
def test_a_constant_loss_shows_no_onset(level: float) -> None:
    """A loss that never changes does not rise, whatever its level."""
    assert find_onset([level] * 30).status == "not_observed"


def test_not_observed_says_what_would_have_been_seen() -> None:
    """Without an onset the rise that would have been seen is given; it grows with the noise."""
    flat = [1 + 2 ** (3 - epoch) for epoch in range(40)]
    quiet, loud = find_onset(noisy(flat, 0.01)), find_onset(noisy(flat, 0.05))
    assert quiet.status == "not_observed"
    assert quiet.smallest_detectable_rise is not None
    assert loud.smallest_detectable_rise is not None
    assert 2 < quiet.smallest_detectable_rise < loud.smallest_detectable_rise


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
    assert find_onset(valley(50, best=10, rise=0.01 / 40)).status == "not_observed"


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
    assert find_onset(spiked).status == find_onset(curve).status == "not_observed"


# The tutorial's own logs.


def test_the_tutorials_dense_network() -> None:
    """It overfits from about epoch 20 of 50."""
    onset = find_onset(tutorial("dense"))
    assert onset.status == "overfits"
    assert onset.epoch is not None
    assert onset.interval is not None
    assert abs(onset.epoch - 20) <= 2
    assert onset.interval[0] <= 20 <= onset.interval[1]


def test_the_tutorials_cnn() -> None:
    """It overfits within the first epochs; from epoch 7 on is possible."""
    onset = find_onset(tutorial("cnn"))
    assert onset.status == "overfits"
    assert onset.interval is not None
    assert onset.interval[0] <= 7 <= onset.interval[1] <= 10


def test_the_tutorials_regularized_cnn() -> None:
    """No onset is seen in its 30 epochs."""
    onset = find_onset(tutorial("regularized_cnn"))
    assert (onset.status, onset.epoch, onset.interval) == ("inconclusive", None, None)


# Invariants.


@given(ANY_NUMBERS, st.none() | ANY_NUMBERS)
def test_any_numbers_get_a_status(validation: list[float | None], train: list[float | None] | None) -> None:
    """No list of numbers raises; an onset lies in its own interval, and both in the curve."""
    onset = find_onset(validation, train)
    assert onset.status in OnsetStatus
    assert (
        (onset.epoch is None) == (onset.interval is None) == (onset.severity is None or onset.epoch is None)
    )
    if onset.epoch is not None and onset.interval is not None:
        assert onset.status in {"overfits", "degrading", "diverged"}
        assert 1 <= onset.interval[0] <= onset.epoch <= onset.interval[1] <= len(validation)
    early_stopping(validation, train)
    best_epoch(validation)


@given(clear_curves(), st.floats(1e-30, 1e30), st.integers(0, 2**32 - 1))
def test_the_scale_does_not_matter(curve: tuple[list[float], int], factor: float, seed: int) -> None:
    """Both losses times a constant: the same status, epoch and interval."""
    validation = np.array(noisy(curve[0], 0.03, seed))
    train = np.linspace(1, 0.5, len(validation)) ** 3
    before, after = (
        find_onset(list(validation), list(train)),
        find_onset(list(validation * factor), list(train * factor)),
    )
    assert (before.status, before.epoch, before.interval) == (after.status, after.epoch, after.interval)
    assert after.severity == (None if before.severity is None else pytest.approx(before.severity))


@given(clear_curves())
def test_a_clear_onset_is_exact(curve: tuple[list[float], int]) -> None:
    """Without noise the onset is the epoch after the minimum."""
    assert (find_onset(curve[0]).status, find_onset(curve[0]).epoch) == ("overfits", curve[1] + 1)


@given(clear_curves(), st.integers(6, 60), st.integers(1, 40))
def test_a_longer_prefix_keeps_the_onset(curve: tuple[list[float], int], seen: int, more: int) -> None:
    """Once an onset is seen in a curve that keeps rising, further epochs do not move it."""
    losses, best = curve
    first, second = find_onset(losses[: best + seen]), find_onset(losses[: best + seen + more])
    assume(first.status == "overfits")
    assert (second.status, second.epoch) == (first.status, first.epoch)


@given(clear_curves(), st.integers(0, 79), st.floats(1.001, 1e300))
def test_one_spike_changes_nothing(curve: tuple[list[float], int], index: int, height: float) -> None:
    """A spike of any height, neither at the minimum nor in the last six epochs, keeps status and epoch."""
    losses, best = curve
    assume(index != best - 1 and index < len(losses) - 6)
    spiked = losses.copy()
    spiked[index] *= height
    before, after = find_onset(losses), find_onset(spiked)
    assert (after.status, after.epoch) == (before.status, before.epoch)


# Its parts.


def test_mann_kendall_of_a_steady_rise() -> None:
    """Five rising values: all 10 pairs agree, S = 10, variance 5 * 4 * 15 / 18."""
    assert mann_kendall_z(np.arange(5.0)) == pytest.approx(9 / math.sqrt(5 * 4 * 15 / 18))
    assert mann_kendall_z(np.ones(5)) == 0.0


def test_the_noise_is_that_of_the_differences() -> None:
    """Independent noise is found at its size, under a slope as well, autocorrelated noise at almost its size."""
    noise = np.random.default_rng(0).standard_normal(4_000)
    assert noise_of(noise, lags=1) == pytest.approx(1.0, abs=0.06)
    assert noise_of(noise + 0.1 * np.arange(4_000)) == pytest.approx(1.0, abs=0.06)
    autocorrelated = [0.0]
    for step in noise:
        autocorrelated.append(0.7 * autocorrelated[-1] + math.sqrt(1 - 0.49) * step)
    assert 0.7 < noise_of(np.array(autocorrelated)) < 1.0


def test_autocorrelation_widens_the_trend_test() -> None:
    """Values in runs of four widen it, alternating ones do not narrow it."""
    assert widening(np.array([0.0, 0, 0, 0, 1, 1, 1, 1] * 5)) > 1.5
    assert widening(np.array([0.0, 1.0] * 20)) == 1.0


def test_spikes_go_and_dips_stay() -> None:
    """A spike becomes the mean of its neighbours; a low epoch is kept: it may be the minimum."""
    curve = np.ones(40)
    curve[[20, 30]] = 9, -9
    expected = np.ones(40)
    expected[30] = -9
    assert without_spikes(curve).tolist() == expected.tolist()


def test_a_smooth_valley_has_no_zigzag() -> None:
    """One turn is no zigzag; up and down by 2 is one of 2."""
    assert zigzag(np.array(valley(30, best=12))) == 0.0
    assert zigzag(np.array([0.0, 2.0] * 20)) == 2.0


def test_means_widen_with_the_epoch() -> None:
    """The mean at epoch 20 covers epochs 16 to 25, at the last epoch that one alone."""
    means, counts = running_means(np.arange(1.0, 41.0))
    assert (means[19], counts[19]) == (20.5, 10)
    assert (means[39], counts[39]) == (40.0, 1)


# Beside the rule: the best epoch, early stopping, several seeds.


def test_best_epoch_is_the_first_lowest_number() -> None:
    """Counted from 1; values that are no numbers do not count."""
    assert best_epoch([3.0, None, 1.0, math.nan, 1.0]) == 3
    assert best_epoch([]) is None
    assert best_epoch([math.nan, None]) is None


def test_keras_patience_stops_after_five_epochs_without_a_new_minimum() -> None:
    """Minimum at epoch 3, so epoch 8 is the fifth in a row without one."""
    assert early_stopping([3, 2, 1, 2, 2, 2, 2, 2, 2], None).keras_patience_5 == 8


def test_prechelts_rules_by_hand() -> None:
    """GL_5 at the first loss more than 5 % above the minimum, UP_3 after three strips of five that end higher."""
    rules = early_stopping([1.0, 1.04, 1.06, *[1.07 + 0.01 * epoch for epoch in range(20)]], None)
    assert (rules.gl_5, rules.up_3, rules.pq) == (3, 20, None)


def test_pq_weighs_the_rise_against_the_progress_of_training() -> None:
    """Validation 10 % up (GL 10); a training loss of 1.004 and four times 1: P = 0.8, quotient above 1."""
    validation = [1.0, 1.0, 1.0, 1.0, 1.1]
    assert early_stopping(validation, [1.004, 1, 1, 1, 1]).pq == 5
    assert early_stopping(validation, [1.2, 1, 1, 1, 1]).pq is None


def test_rules_that_never_fire() -> None:
    """A falling loss stops none of them."""
    falling = [1 / epoch for epoch in range(1, 30)]
    assert set(dict(early_stopping(falling, falling)).values()) == {None}


def onset(status: OnsetStatus, epoch: int | None = None) -> Onset:
    """A verdict of which only status and epoch matter."""
    return Onset(status=status, epoch=epoch, epochs=50)


def test_seeds_without_an_onset_are_censored() -> None:
    """Of 10, 12, none, none, none the median is not identified; of 10, 12, 14, none it is 13."""
    seen = [onset(OnsetStatus.OVERFITS, epoch) for epoch in (10, 12, 14)]
    unseen = onset(OnsetStatus.NOT_OBSERVED)
    few = onset_over_seeds([*seen[:2], unseen, unseen, unseen], 50)
    assert (few.observed, few.median_epoch, few.range) == (2, None, (10, 12))
    most = onset_over_seeds([*seen, unseen], 50)
    assert (most.median_epoch, most.status_counts) == (13, {"not_observed": 1, "overfits": 3})
    assert onset_over_seeds([], 50).median_epoch is None


def test_undecided_seeds() -> None:
    """Seeds whose training ended too soon to tell are counted as such, not as seeds without an onset."""
    seen, unseen = onset(OnsetStatus.OVERFITS, 9), onset(OnsetStatus.NOT_OBSERVED)
    short, open_end = onset(OnsetStatus.TOO_SHORT), onset(OnsetStatus.INCONCLUSIVE)
    some = onset_over_seeds([seen, seen, seen, unseen, open_end], 20)
    assert (some.observed, some.seeds, some.median_epoch, some.undecided) == (3, 5, 9, 1)
    none = onset_over_seeds([short, open_end], 7)
    assert (none.observed, none.range, none.undecided) == (0, None, 2)


def test_real_runs_of_the_tutorials_network() -> None:
    """24 seeds on scaled pixels: the minimum of their mean curve is at epoch 10, every seed shows it within 5."""
    with np.load(DATA / "onset_histories.npz") as data:
        curves, train = data["normal_validation"].tolist(), data["normal_train"].tolist()
    onsets = [find_onset(validation, sample) for validation, sample in zip(curves, train, strict=True)]
    assert {onset.status for onset in onsets} == {"overfits"}
    assert all(onset.epoch is not None and abs(onset.epoch - 11) <= 5 for onset in onsets)


def test_real_runs_that_never_overfit() -> None:
    """24 seeds with a weight penalty: no onset in 40 epochs."""
    with np.load(DATA / "onset_histories.npz") as data:
        onsets = [find_onset(validation) for validation in data["l2_validation"].tolist()]
    assert all(onset.epoch is None for onset in onsets)


@pytest.mark.parametrize("pixels", ["raw_pixels", "scaled_pixels"])
def test_real_convolutional_networks(pixels: str) -> None:
    """The plain one overfits within 20 epochs, the regularized one is not seen to in 30."""
    with np.load(DATA / "cnn_histories.npz") as data:
        plain, regularized = (
            find_onset(
                data[f"{network}_{pixels}_validation"].tolist(), data[f"{network}_{pixels}_train"].tolist()
            )
            for network in ("cnn", "regularized_cnn")
        )
    assert (plain.status, regularized.epoch) == ("overfits", None)
