"""The onset of overfitting in real histories: the tutorial's own logs, and many seeds of its networks."""

import csv
from pathlib import Path

import numpy as np
import pytest

from tasks.evaluation.onset import find_onset

DATA = Path(__file__).parent / "histories"


def tutorial(network: str) -> list[float]:
    """The validation loss of the tutorial's own log."""
    with (DATA / f"tutorial_history_{network}.csv").open() as file:
        return [float(row["val_loss"]) for row in csv.DictReader(file)]


def test_the_tutorials_dense_network() -> None:
    """Lowest at about epoch 20 to 26 of 50, but one epoch's noise, 11 %, is as much as the rise: undecided."""
    onset = find_onset(tutorial("dense"))
    assert (onset.status, onset.epoch) == ("undecided", None)
    assert onset.lowest_at is not None
    assert 20 <= onset.lowest_at <= 26
    assert onset.severity_interval is not None
    assert onset.severity_interval[0] < 0 < 20 < onset.severity_interval[1]


def test_the_tutorials_cnn() -> None:
    """It overfits, from epoch 7 on perhaps: each epoch's noise is a quarter of the lowest loss."""
    onset = find_onset(tutorial("cnn"))
    assert onset.status == "overfits"
    assert onset.interval is not None
    assert onset.interval[0] <= 7 <= onset.interval[1] < 20


def test_the_tutorials_regularized_cnn() -> None:
    """No rise of more than 5 % in its 30 epochs."""
    onset = find_onset(tutorial("regularized_cnn"))
    assert (onset.status, onset.epoch, onset.interval) == ("rise_excluded", None, None)


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
