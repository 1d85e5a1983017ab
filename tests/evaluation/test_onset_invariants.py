"""What holds of the onset on whatever curves."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tasks.evaluation.early_stopping import best_epoch, early_stopping
from tasks.evaluation.onset import find_onset
from tasks.results.enums import OnsetStatus

ANY_NUMBERS = st.lists(st.none() | st.floats(), max_size=60)


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


@settings(deadline=None)
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


@settings(deadline=None)
@given(clear_curves(), st.floats(1e-30, 1e30), st.integers(0, 2**32 - 1))
def test_the_scale_does_not_matter(curve: tuple[list[float], int], factor: float, seed: int) -> None:
    """Both losses times a constant: the same status, epoch and interval."""
    validation = curve[0] + 0.03 * np.random.default_rng(seed).standard_normal(len(curve[0]))
    train = np.linspace(1, 0.5, len(validation)) ** 3
    before, after = (
        find_onset(list(validation), list(train)),
        find_onset(list(validation * factor), list(train * factor)),
    )
    assert (before.status, before.epoch, before.interval) == (after.status, after.epoch, after.interval)
    assert after.severity == (None if before.severity is None else pytest.approx(before.severity))


@settings(deadline=None)
@given(clear_curves())
def test_a_clear_onset_is_exact(curve: tuple[list[float], int]) -> None:
    """Without noise the onset is the epoch after the minimum."""
    assert (find_onset(curve[0]).status, find_onset(curve[0]).epoch) == ("overfits", curve[1] + 1)


@settings(deadline=None)
@given(clear_curves(), st.integers(6, 60), st.integers(1, 40))
def test_a_longer_prefix_keeps_the_onset(curve: tuple[list[float], int], seen: int, more: int) -> None:
    """Once an onset is seen in a curve that keeps rising, further epochs do not move it."""
    losses, best = curve
    first, second = find_onset(losses[: best + seen]), find_onset(losses[: best + seen + more])
    assume(first.status == "overfits")
    assert (second.status, second.epoch) == (first.status, first.epoch)


@settings(deadline=None)
@given(clear_curves(), st.integers(0, 79), st.floats(1.001, 1e300))
def test_one_spike_changes_nothing(curve: tuple[list[float], int], index: int, height: float) -> None:
    """A spike of any height, neither at the minimum nor in the last six epochs, keeps status and epoch."""
    losses, best = curve
    assume(index != best - 1 and index < len(losses) - 6)
    spiked = losses.copy()
    spiked[index] *= height
    before, after = find_onset(losses), find_onset(spiked)
    assert (after.status, after.epoch) == (before.status, before.epoch)
