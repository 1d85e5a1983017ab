"""What is said of one noisy curve, on curves that a person can check."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from sklearn.isotonic import IsotonicRegression

from tasks.evaluation.curves import (
    Curve,
    falls_then_rises,
    noise_of,
    noise_of_steps,
    peak_of,
    reaches,
    valley_of,
    without_spikes,
)
from tasks.evaluation.plateaus import assumed, autocorrelation, beyond_a_plateau

VEE = 1 + 0.1 * np.abs(np.arange(30.0) - 11)  # lowest at index 11


def test_a_fall_and_a_rise_by_hand() -> None:
    """3 1 2: rising only is 2 everywhere, which leaves 2; falling only ends in twice 1.5, which leaves 0.5."""
    assert falls_then_rises(np.array([3.0, 1, 2])).tolist() == pytest.approx([2.0, 0.0, 0.0, 0.5])


def test_falls_and_rises_are_isotonic_regressions() -> None:
    """The misfit at every turn is that of scikit-learn's two regressions."""
    curve = np.random.default_rng(0).standard_normal(20)
    time = np.arange(20)
    for turn, misfit in enumerate(falls_then_rises(curve)):
        left = 0.0
        for part, increasing in ((slice(None, turn), False), (slice(turn, None), True)):
            if len(curve[part]):
                fit = IsotonicRegression(increasing=increasing).fit_transform(time[part], curve[part])
                left += ((curve[part] - fit) ** 2).sum()
        assert misfit == pytest.approx(left)


def test_a_valley_without_noise_is_its_lowest_epoch() -> None:
    """Nothing is smoothed, the rise explains all."""
    valley = valley_of(VEE)
    assert (valley.best, valley.first, valley.smoothed.tolist()) == (11, 11, [1.0])
    assert (valley.evidence, valley.noise) == (1.0, 0.0)


def test_a_valley_with_noise_is_smoothed_by_a_parabola() -> None:
    """The smoothed curve is what numpy's least squares give in the logarithm of the epoch."""
    valley = valley_of(VEE + 0.1 * np.random.default_rng(1).standard_normal(30))
    epochs = np.arange(valley.first, valley.first + len(valley.smoothed))
    assert len(epochs) >= 4
    parabola = np.polynomial.Polynomial.fit(np.log(epochs + 1), valley.curve[epochs], 2)
    assert valley.smoothed == pytest.approx(parabola(np.log(epochs + 1)))
    assert valley.best == epochs[np.argmin(valley.smoothed)]


def test_a_fall_without_a_rise_has_no_evidence() -> None:
    """A curve that only falls is lowest at its end."""
    valley = valley_of(1 / np.arange(1.0, 31))
    assert (valley.evidence, valley.best) == (0.0, 29)


def test_the_reach_of_a_mean() -> None:
    """Student's standard errors of noise over root n, for independent epochs; the images' luck adds its own."""
    curve = np.random.default_rng(2).standard_normal(40)
    noise, student = noise_of_steps(curve), 2.120  # 16 degrees of freedom for 40 epochs
    weights = np.full((1, 40), 1 / 40)
    alone = reaches(curve, weights, 0.0, None)
    assert alone == pytest.approx(student * noise / np.sqrt(40), rel=1e-3)
    images = np.tile([0.0, 2.0], 50) * np.ones((40, 1))  # (epochs, images), deviation 1
    both = reaches(curve, weights, 0.0, images)
    assert both**2 == pytest.approx(alone**2 + 1.96**2 / 100)


def test_alike_epochs_say_less() -> None:
    """Of AR(1) noise with autocorrelation 0.5 differences show 1 of 2.4, and two epochs share half of it."""
    curve = np.random.default_rng(2).standard_normal(40)
    independent, alike = (reaches(curve, np.full((1, 40), 1 / 40), each, None) for each in (0.0, 0.5))
    variance = np.mean(0.5 ** np.abs(np.subtract.outer(np.arange(40), np.arange(40))))
    assert alike / independent == pytest.approx(np.sqrt(2.4 * 40 * variance))


def test_intervals_allow_for_autocorrelation_that_does_not_show() -> None:
    """Half-way to 0.6: 0.3 where none is seen, 0.5 where 0.4 is."""
    assert (assumed(0.0), assumed(0.4)) == (0.3, 0.5)


def test_what_a_plateau_may_show() -> None:
    """More evidence is needed where there are fewer epochs, and where neighbours are more alike."""
    assert beyond_a_plateau(0.6, 100, 0.0)
    assert not beyond_a_plateau(0.6, 15, 0.0)
    assert not beyond_a_plateau(0.5, 100, 0.6)
    assert not beyond_a_plateau(0.6, 100, 0.0, up_to_peak=True)


def test_the_noise_is_more_alike_than_what_the_fit_leaves() -> None:
    """The fit follows the noise: what is left of noise with autocorrelation 0.4 shows 0.2 in 50 epochs."""
    assert autocorrelation(0.2255, 50) == pytest.approx(0.4)
    assert autocorrelation(-0.5, 50) == 0.0


def test_the_noise_is_that_of_the_differences() -> None:
    """Independent noise is found at its size, under a slope as well, autocorrelated noise at almost its size."""
    noise = np.random.default_rng(0).standard_normal(4_000)
    assert noise_of(noise, lags=1) == pytest.approx(1.0, abs=0.06)
    assert noise_of(noise + 0.1 * np.arange(4_000)) == pytest.approx(1.0, abs=0.06)
    autocorrelated = [0.0]
    for step in noise:
        autocorrelated.append(0.7 * autocorrelated[-1] + np.sqrt(1 - 0.49) * step)
    assert 0.7 < noise_of(np.array(autocorrelated)) < 1.0


def test_a_jump_is_no_noise() -> None:
    """Two of 38 differences hold a jump by 100 deviations; each counts as 2.5."""
    noise = np.random.default_rng(0).standard_normal(48)
    jumped = noise + 100 * (np.arange(48) > 30)
    assert noise_of_steps(noise) == pytest.approx(1.0, abs=0.3)
    assert noise_of_steps(jumped) == pytest.approx(noise_of_steps(noise), rel=0.3)


def test_the_noise_of_steps_is_a_little_too_small() -> None:
    """Of normal noise it is what the cut at 2.5 deviations leaves: 1.1 % too small."""
    noise = np.random.default_rng(0).standard_normal(20_000)
    left = math.sqrt(stats.norm.expect(lambda x: np.minimum(np.abs(x), 2.5) ** 2))
    assert noise_of_steps(noise) == pytest.approx(left, abs=0.004)


@pytest.mark.parametrize("noise_in", [noise_of, noise_of_steps])
def test_the_first_fifth_is_no_noise(noise_in: Callable[[Curve], float]) -> None:
    """The first ten of fifty epochs, in which a loss falls steeply, do not count; the eleventh does."""
    noise = np.random.default_rng(0).standard_normal(50)
    steep, later = noise.copy(), noise.copy()
    steep[:10] = 100 * 2.0 ** -np.arange(10)
    later[10:14] += [5, -5, 5, -5]
    assert noise_in(steep) == noise_in(noise) != noise_in(later)


def test_spikes_go_and_dips_stay() -> None:
    """A spike becomes the mean of its neighbours; a low epoch is kept: it may be the minimum."""
    curve = np.ones(40)
    curve[[20, 30]] = 9, -9
    expected = np.ones(40)
    expected[30] = -9
    assert without_spikes(curve).tolist() == expected.tolist()


def test_the_peak_is_above_an_earlier_epoch() -> None:
    """The highest epoch of a fall is none."""
    assert peak_of(np.array([9.0, 1, 3, 2, 1])) == 2
