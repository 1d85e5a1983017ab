"""Pairs of models over test images and seeds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.comparison.pairs import compare_models
from tasks.evaluation.statistics import difference_interval, estimate, excludes_zero
from tasks.results.enums import Verdict


def seeds(n: int, *wrong: int) -> dict[int, np.ndarray]:
    """Truth values of n images by seed, of which the first `wrong` are not recognised."""
    return {seed: np.arange(n) >= number for seed, number in enumerate(wrong)}


def test_one_seed_speaks_of_these_trainings() -> None:
    """The better model is named; difference and interval are first minus second."""
    (pair,) = compare_models({"dense": seeds(1_000, 60), "cnn": seeds(1_000, 20)})
    assert pair.difference == pytest.approx(-0.04)
    assert (pair.verdict, pair.better, pair.seeds) == (Verdict.SECOND_BETTER, "cnn", [0])
    assert (pair.both_right, pair.only_first, pair.only_second, pair.both_wrong) == (940, 0, 40, 20)
    assert pair.p_value == pair.p_adjusted == pytest.approx(2 * 0.5**40)
    assert pair.interval == difference_interval(0, 40, 1_000)


def test_a_small_difference_is_tied() -> None:
    """5 to 8 discordant images cannot tell two models apart."""
    images = np.arange(100)
    (pair,) = compare_models({"a": {0: images >= 8}, "b": {0: (images < 8) | (images >= 13)}})
    assert (pair.verdict, pair.better) == (Verdict.TIED, None)


def test_a_tie_by_the_number_of_pairs() -> None:
    """Alone, 7 to 0 discordant images are significant (p = 0.016); among six pairs they are not."""
    models = {name: seeds(100, wrong) for name, wrong in zip("abcd", (0, 7, 7, 7), strict=True)}
    pair = compare_models(models)[0]
    assert pair.p_adjusted == pytest.approx(6 * 2 * 0.5**7)
    assert excludes_zero(pair.interval)
    assert (pair.verdict, pair.pairs) == (Verdict.TIED, 6)


def test_seeds_speak_of_the_networks() -> None:
    """From two seeds on: the mean difference, those seed by seed, and the interval over images and trainings."""
    models = {"cnn": seeds(1_000, 0, 0, 0), "dense": seeds(1_000, 80, 82, 84)}
    (pair,) = compare_models(models)
    found = estimate(*(np.array(list(right.values())) for right in models.values()))
    assert pair.difference == pytest.approx(0.082)
    assert pair.differences == pytest.approx([0.080, 0.082, 0.084])
    assert (pair.interval, pair.p_value, pair.both_right) == (found.interval(), found.p_value(), None)
    assert (pair.verdict, pair.better) == (Verdict.FIRST_BETTER, "cnn")


def test_no_limit_of_a_difference_is_beyond_one() -> None:
    """Two seeds that differ by 20 and by 100 points say little; the interval ends where accuracies do."""
    good, mixed = seeds(10, 0, 0), seeds(10, 2, 10)
    (pair,) = compare_models({"good": good, "mixed": mixed})
    assert (pair.difference, pair.interval[1]) == (pytest.approx(0.6), 1.0)
    (pair,) = compare_models({"mixed": mixed, "good": good})
    assert (pair.difference, pair.interval[0]) == (pytest.approx(-0.6), -1.0)


def test_losses_are_compared_too() -> None:
    """The difference of the mean losses, with its interval; none where a loss is not finite."""
    right = {"a": seeds(1_000, 5), "b": seeds(1_000, 5)}
    noise = np.random.default_rng(0).normal(size=1_000)
    losses = {"a": {0: 0.3 + 0.01 * noise}, "b": {0: np.full(1_000, 0.1)}}
    (pair,) = compare_models(right, losses)
    assert pair.loss is not None
    assert pair.loss.difference == pytest.approx(0.2, abs=0.001)
    assert pair.loss.interval[0] < 0.2 < pair.loss.interval[1]
    losses["a"][0][7] = np.nan
    assert compare_models(right, losses)[0].loss is None


def test_three_seeds_may_be_tied() -> None:
    """Differences of both signs cannot tell two networks apart."""
    (pair,) = compare_models({"a": seeds(1_000, 10, 12, 14), "b": seeds(1_000, 12, 11, 13)})
    assert pair.verdict is Verdict.TIED


def test_a_mean_of_zero_is_zero() -> None:
    """Differences of +3, -1 and -2 images of 10,000 leave no residue of floating point."""
    (pair,) = compare_models({"a": seeds(10_000, 0, 1, 2), "b": seeds(10_000, 3, 0, 0)})
    assert pair.difference == 0.0


def test_only_shared_seeds_count() -> None:
    """A pair is compared over the seeds both have; without one there is no comparison."""
    right = np.ones(10, dtype=bool)
    models = {"a": {0: right, 1: right}, "b": {1: right, 2: right}, "c": {3: right}}
    (pair,) = compare_models(models)
    assert (pair.models, pair.seeds) == (("a", "b"), [1])


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 3, 5]))
def test_interval_and_verdict_never_contradict_each_other(seed: int, seeds: int) -> None:
    """A better network has an interval without zero; a tie has one only where Holm allows for more pairs."""
    generator = np.random.default_rng(seed)
    models = {
        name: {s: generator.random(500) < 0.9 + 0.03 * quality for s in range(seeds)}
        for quality, name in enumerate("abcd")
    }
    for pair in compare_models(models):
        without_zero = excludes_zero(pair.interval)
        if pair.better:
            assert without_zero
        elif without_zero:
            assert pair.p_value <= 0.05 < pair.p_adjusted or seeds == 1
