"""Pairs of models over test images and seeds, held against hand-made cases, statsmodels and SciPy."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import DescrStatsW

from tasks.comparison.pairs import compare_models
from tasks.evaluation.statistics import (
    agreement,
    difference_interval,
    excludes_zero,
    holm,
    holm_levels,
    mcnemar_p,
    paired_t_interval,
    paired_t_p,
)

COUNTS = st.integers(0, 300)
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def right(n: int, *wrong: range) -> np.ndarray:
    """Truth values of n images of which those in the ranges are not recognised."""
    answers = np.ones(n, dtype=bool)
    for images in wrong:
        answers[list(images)] = False
    return answers


@given(COUNTS, COUNTS)
def test_mcnemar_agrees_with_statsmodels(only_first: int, only_second: int) -> None:
    """The p-value is that of statsmodels' exact McNemar test."""
    table = [[1, only_first], [only_second, 1]]
    assert mcnemar_p(only_first, only_second) == pytest.approx(mcnemar(table, exact=True).pvalue)


def test_mcnemar_without_discordant_images() -> None:
    """Two models that recognise the same images do not differ: p = 1."""
    assert mcnemar_p(0, 0) == 1.0


def test_a_hundred_discordant_images_need_a_gap_of_22() -> None:
    """Of 100 discordant images 61 to 39 is significant, 60 to 40 is not."""
    assert mcnemar_p(61, 39) < 0.05 < mcnemar_p(60, 40)


@given(COUNTS, COUNTS, st.integers(0, 5_000), st.floats(0.5, 0.999))
def test_the_interval_is_walds_with_half_an_image_more_in_each_cell(
    only_first: int, only_second: int, agreed: int, level: float
) -> None:
    """Agresti and Min: mean and error of +1, -1 and 0, each weighted by its count plus the added halves."""
    weighted = DescrStatsW([1, -1, 0], weights=[only_first + 0.5, only_second + 0.5, agreed + 1])
    n = only_first + only_second + agreed
    reach = stats.norm.ppf((1 + level) / 2) * math.sqrt(weighted.var / (n + 2))
    expected = (max(-1, weighted.mean - reach), min(1, weighted.mean + reach))
    assert difference_interval(only_first, only_second, n, level) == pytest.approx(expected)


def test_the_interval_by_hand() -> None:
    """b = 80, c = 20, n = 9,998: (60 +- 1.96 sqrt(101 - 0.36)) / 10,000."""
    reach = 1.959964 * math.sqrt(100.64) / 10_000
    assert difference_interval(80, 20, 9_998) == pytest.approx((0.006 - reach, 0.006 + reach))


@given(COUNTS, COUNTS, st.integers(0, 10_000))
def test_a_significant_difference_has_an_interval_without_zero(
    only_first: int, only_second: int, agreed: int
) -> None:
    """The exact test is never more eager than the interval, so that "better" never stands beside a zero."""
    if mcnemar_p(only_first, only_second) <= 0.05:
        assert excludes_zero(difference_interval(only_first, only_second, only_first + only_second + agreed))


@given(P_VALUES)
@settings(max_examples=20)  # statsmodels collects garbage in every call
def test_holm_agrees_with_statsmodels(p_values: list[float]) -> None:
    """The adjusted p-values are statsmodels'."""
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_holm_by_hand() -> None:
    """0.01, 0.04, 0.03: times 3, 1 and 2, and never below the one before."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


@given(P_VALUES)
def test_interval_levels_decide_like_holm(p_values: list[float]) -> None:
    """A p-value is at most 1 - level exactly where its adjusted value is at most 0.05."""
    for p_value, adjusted, level in zip(p_values, holm(p_values), holm_levels(p_values), strict=True):
        if abs(adjusted - 0.05) > 1e-9:
            assert (p_value < 1 - level) == (adjusted < 0.05)


def test_interval_levels_by_hand() -> None:
    """Three pairs: the first is held against 0.05 / 3, the second against 0.05 / 2, where it stops."""
    assert holm_levels([0.2, 0.001, 0.03]) == pytest.approx([0.975, 1 - 0.05 / 3, 0.975])


def test_the_t_interval_agrees_with_scipy() -> None:
    """Interval and p-value are those of SciPy's paired t-test."""
    first, second = np.array([0.981, 0.984, 0.986]), np.array([0.972, 0.979, 0.974])
    expected = stats.ttest_rel(first, second)
    limits = expected.confidence_interval(0.975)
    assert paired_t_interval(first - second, 0.975, 1e-4) == pytest.approx((limits.low, limits.high))
    assert paired_t_p(first - second, 1e-4) == pytest.approx(expected.pvalue)


def test_seeds_that_agree_to_the_image_are_no_certainty() -> None:
    """Three differences of exactly one image in 10,000 keep a standard deviation of one image."""
    low, high = paired_t_interval([1e-4] * 3, 0.95, 1e-4)
    assert high - low == pytest.approx(2 * stats.t.ppf(0.975, 2) * 1e-4 / math.sqrt(3))
    assert low < 0


def test_agreement_counts_every_image_once() -> None:
    """Both right, only the first, only the second, neither."""
    assert agreement(right(10, range(3)), right(10, range(2, 7))) == (3, 4, 2, 1)


def test_one_seed_speaks_of_these_trainings() -> None:
    """The better model is named with its lead and interval; difference is first minus second."""
    (pair,) = compare_models({"dense": {0: right(1_000, range(60))}, "cnn": {0: right(1_000, range(20))}})
    assert pair["difference"] == pytest.approx(-0.04)
    assert pair["verdict"] == "cnn is better than dense by 4.00 points (2.76 to 5.22) in these trainings"
    assert (pair["both_right"], pair["only_first"], pair["only_second"], pair["both_wrong"]) == (
        940,
        0,
        40,
        20,
    )
    assert pair["p_value"] == pair["p_adjusted"] == pytest.approx(2 * 0.5**40)
    assert (pair["significant"], pair["n_seeds"]) == (True, 1)


def test_a_small_difference_is_tied() -> None:
    """5 to 8 discordant images cannot tell two models apart."""
    (pair,) = compare_models({"a": {0: right(100, range(8))}, "b": {0: right(100, range(8, 13))}})
    assert pair["verdict"] == (
        "tied: the data cannot tell them apart (a minus b: -3.00 points, -10.11 to 4.23)"
    )
    assert not pair["significant"]


def test_a_tie_by_the_number_of_pairs_says_so() -> None:
    """Alone, 7 to 0 discordant images are significant (p = 0.016); among six pairs they are not."""
    models = {name: {0: right(100, range(wrong))} for name, wrong in zip("abcd", (0, 7, 7, 7), strict=True)}
    pair = compare_models(models)[0]
    assert pair["p_adjusted"] == pytest.approx(6 * 2 * 0.5**7)
    assert excludes_zero(tuple(pair["ci95"]))
    assert pair["verdict"].startswith("tied: with 6 pairs to allow for, the data cannot tell them apart")
    assert pair["verdict"].endswith("for this pair taken alone)")


def test_two_seeds_give_no_verdict() -> None:
    """Two seeds: the mean difference and both values, but neither interval, p-value nor verdict."""
    pair = compare_models(
        {"a": {0: right(100), 1: right(100)}, "b": {0: right(100, range(4)), 1: right(100, range(6))}}
    )[0]
    assert pair["difference"] == pytest.approx(0.05)
    assert [pair[key] for key in ("ci95", "p_value", "p_adjusted", "both_right")] == [None] * 4
    assert pair["verdict"] == (
        "no verdict: 2 seeds are too few, 3 are needed (a minus b: 4.00 and 6.00 points)"
    )


def test_three_seeds_speak_of_the_networks() -> None:
    """Three seeds: a t-interval over the differences, no p-value, and words about the network."""
    first = {seed: right(1_000) for seed in range(3)}
    second = {seed: right(1_000, range(wrong)) for seed, wrong in enumerate((40, 42, 44))}
    (pair,) = compare_models({"cnn": first, "dense": second})
    assert pair["ci95"] == pytest.approx(paired_t_interval([0.040, 0.042, 0.044], 0.95, 0))
    assert pair["verdict"] == (
        "cnn is the better network, 4.20 points above dense (3.70 to 4.70 over 3 seeds)"
    )
    assert pair["p_value"] is None


def test_three_seeds_may_be_tied() -> None:
    """Differences of both signs cannot tell two networks apart."""
    first = {seed: right(1_000, range(wrong)) for seed, wrong in enumerate((10, 12, 14))}
    second = {seed: right(1_000, range(wrong)) for seed, wrong in enumerate((12, 11, 13))}
    (pair,) = compare_models({"a": first, "b": second})
    assert pair["verdict"].startswith("tied: 3 seeds cannot tell the networks apart (a minus b: 0.00 points")


def test_a_mean_of_zero_is_zero() -> None:
    """Differences of +3, -1 and -2 images of 10,000 leave no residue of floating point."""
    first = {seed: right(10_000, range(wrong)) for seed, wrong in enumerate((0, 1, 2))}
    second = {seed: right(10_000, range(wrong)) for seed, wrong in enumerate((3, 0, 0))}
    (pair,) = compare_models({"a": first, "b": second})
    assert pair["difference"] == 0.0
    assert "a minus b: 0.00 points" in pair["verdict"]


def test_only_shared_seeds_count() -> None:
    """A pair is compared over the seeds both have; without one there is no comparison."""
    models = {
        "a": {0: right(10), 1: right(10)},
        "b": {1: right(10), 2: right(10)},
        "c": {3: right(10)},
    }
    (pair,) = compare_models(models)
    assert (pair["models"], pair["n_seeds"], pair["seeds"]) == (["a", "b"], 1, [1])


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 5]))
def test_interval_and_verdict_never_contradict_each_other(seed: int, seeds: int) -> None:
    """ "Better" stands beside intervals without zero only; "tied" beside one without zero gives the reason."""
    generator = np.random.default_rng(seed)
    models = {
        name: {s: generator.random(500) < 0.9 + 0.03 * quality for s in range(seeds)}
        for quality, name in enumerate("abcd")
    }
    for pair in compare_models(models):
        without_zero = excludes_zero(tuple(pair["ci95"]))
        assert pair["significant"] == ("better" in pair["verdict"])
        if pair["significant"]:
            assert without_zero
        if without_zero and not pair["significant"]:
            assert "pairs to allow for" in pair["verdict"]


def test_more_pairs_widen_the_intervals_over_seeds() -> None:
    """The same three seeds of the same two models: their interval widens with each model beside them."""
    generator = np.random.default_rng(1)
    models = {name: {s: generator.random(500) < 0.9 for s in range(3)} for name in "abcde"}
    widths = []
    for number in (2, 3, 4, 5):
        low, high = compare_models({name: models[name] for name in list(models)[:number]})[0]["ci95"]
        widths.append(high - low)
    assert all(narrower < wider for narrower, wider in pairwise(widths))
