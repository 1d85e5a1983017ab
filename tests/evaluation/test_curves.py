"""What is said of one noisy curve, on curves that a person can check."""

import math

import numpy as np
import pytest

from tasks.evaluation.curves import mann_kendall_z, noise_of, running_means, widening, without_spikes, zigzag


def test_mann_kendall_of_a_steady_rise() -> None:
    """Five rising values: all 10 pairs agree, S = 10, variance 5 * 4 * 15 / 18."""
    assert mann_kendall_z(np.arange(5.0)) == pytest.approx(9 / math.sqrt(5 * 4 * 15 / 18))
    assert mann_kendall_z(np.ones(5)) == 0.0


def test_mann_kendall_with_ties() -> None:
    """1, 2, 2, 3: five of six pairs agree; a tie of two takes 2 * 1 * 9 off 4 * 3 * 13 eighteenths."""
    assert mann_kendall_z(np.array([1.0, 2, 2, 3])) == pytest.approx(4 / math.sqrt((156 - 18) / 18))


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
    assert zigzag(np.abs(np.arange(30.0) - 11)) == 0.0
    assert zigzag(np.array([0.0, 2.0] * 20)) == 2.0


def test_means_widen_with_the_epoch() -> None:
    """The mean at epoch 20 covers epochs 16 to 25, at the last epoch that one alone."""
    means, counts = running_means(np.arange(1.0, 41.0))
    assert (means[19], counts[19]) == (20.5, 10)
    assert (means[39], counts[39]) == (40.0, 1)
