"""The onset of overfitting: right on clear curves, silent on flat ones, never an exception."""

import csv
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.overfitting import find_onset

STATUSES = {"overfits", "not_observed", "inconclusive", "too_short", "diverged", "degrading", "recovered"}
FALLING = [1 / (epoch + 1) for epoch in range(40)]
VALLEY = [1 - 0.05 * epoch for epoch in range(10)] + [0.5 + 0.02 * epoch for epoch in range(1, 31)]


def tutorial(name: str) -> list[float]:
    """The validation loss that the tutorial printed."""
    path = Path(__file__).parent / "data" / f"tutorial_history_{name}.csv"
    with path.open() as file:
        return [float(row["val_loss"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    ("curve", "status"),
    [
        ([], "too_short"),
        ([0.5], "too_short"),
        ([0.5] * 7, "too_short"),
        (FALLING, "inconclusive"),
        ([0.5] * 30, "not_observed"),
        (VALLEY, "overfits"),
        ([*FALLING[:5], math.nan], "diverged"),
        ([math.nan] * 10, "diverged"),
    ],
)
def test_status(curve: list[float], status: str) -> None:
    """Each kind of curve has its name."""
    assert find_onset(curve).status == status


def test_clear_valley() -> None:
    """The onset is the epoch after the lowest one, inside its own interval."""
    onset = find_onset(VALLEY)
    assert onset.epoch is not None
    assert abs(onset.epoch - 11) <= 1
    assert onset.interval is not None
    assert onset.interval[0] <= onset.epoch <= onset.interval[1]


def test_rises_from_the_first_epoch() -> None:
    """A curve that only rises overfits from epoch 1."""
    assert find_onset([0.1 + 0.01 * epoch for epoch in range(30)]).epoch == 1


def test_train_loss_that_rises_too() -> None:
    """If the training loss rises as well, the network does not memorise: it degrades."""
    assert find_onset(VALLEY, VALLEY).status == "degrading"


def test_tutorial() -> None:
    """On the tutorial's logs: dense near epoch 20, cnn within its first ten epochs, none for the other."""
    dense, cnn, regularized = (find_onset(tutorial(name)) for name in ("dense", "cnn", "regularized_cnn"))
    assert dense.interval is not None
    assert dense.interval[0] <= 20 <= dense.interval[1]
    assert cnn.interval is not None
    assert cnn.interval[0] <= 7 <= cnn.interval[1]
    assert regularized.status != "overfits"


@pytest.mark.parametrize("factor", [1e-6, 0.5, 1000.0])
def test_scale_does_not_matter(factor: float) -> None:
    """Multiplying the curve by a constant changes neither status nor epoch nor interval."""
    scaled, plain = find_onset([factor * value for value in VALLEY]), find_onset(VALLEY)
    assert (scaled.status, scaled.epoch, scaled.interval) == (plain.status, plain.epoch, plain.interval)


@given(length=st.integers(30, 40))
def test_longer_prefix(length: int) -> None:
    """A longer prefix of a curve that keeps rising keeps its onset."""
    assert find_onset(VALLEY[:length]).epoch == find_onset(VALLEY).epoch


@given(epoch=st.integers(15, 30), height=st.floats(1, 1e6))
def test_one_spike(epoch: int, height: float) -> None:
    """One spike, not at the minimum and not in the last epochs, changes neither status nor epoch."""
    spiked = [value * height if index == epoch else value for index, value in enumerate(VALLEY)]
    assert (find_onset(spiked).status, find_onset(spiked).epoch) == ("overfits", find_onset(VALLEY).epoch)


numbers = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=60)


@settings(max_examples=300)
@given(validation=numbers, train=st.none() | numbers)
def test_never_an_exception(validation: list[float], train: list[float] | None) -> None:
    """Any list of numbers gets a status; an onset lies inside its own interval."""
    onset = find_onset(validation, train)
    assert onset.status in STATUSES
    if onset.epoch is not None and onset.interval is not None:
        assert onset.interval[0] <= onset.epoch <= onset.interval[1]
