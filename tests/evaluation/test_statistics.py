"""Tests and intervals for matched pairs, held against hand-made cases, statsmodels and SciPy."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import DescrStatsW

from tasks.evaluation.statistics import (
    RETRAINING,
    agreement,
    difference_interval,
    estimate,
    excludes_zero,
    holm,
    mcnemar_p,
    retraining,
)

COUNTS = st.integers(0, 300)
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


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


@given(COUNTS, COUNTS, st.integers(0, 5_000))
def test_the_interval_is_walds_with_half_an_image_more_in_each_cell(
    only_first: int, only_second: int, agreed: int
) -> None:
    """Agresti and Min: mean and error of +1, -1 and 0, each weighted by its count plus the added halves."""
    weighted = DescrStatsW([1, -1, 0], weights=[only_first + 0.5, only_second + 0.5, agreed + 1])
    n = only_first + only_second + agreed
    reach = stats.norm.ppf(0.975) * math.sqrt(weighted.var / (n + 2))
    expected = (max(-1, weighted.mean - reach), min(1, weighted.mean + reach))
    assert difference_interval(only_first, only_second, n) == pytest.approx(expected)


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


def test_the_interval_without_images_luck_is_welchs() -> None:
    """Where the images bring no luck, interval and p-value are those of SciPy's Welch test over seeds."""
    first, second = np.array([[0.981], [0.984], [0.986]]), np.array([[0.972], [0.979], [0.974]])
    found = estimate(first.repeat(9, axis=1), second.repeat(9, axis=1))
    expected = stats.ttest_ind(first[:, 0], second[:, 0], equal_var=False)
    limits = expected.confidence_interval(0.95)
    assert found.interval() == pytest.approx((limits.low, limits.high))
    assert found.p_value() == pytest.approx(expected.pvalue)


def test_the_interval_of_one_seed_is_of_the_images_alone() -> None:
    """One training: the normal interval of the paired differences image by image."""
    first, second = np.random.default_rng(0).random((2, 1, 50))
    found = estimate(first, second)
    error = np.std(first - second, ddof=1) / math.sqrt(50)
    mean = (first - second).mean()
    assert found.interval() == pytest.approx((mean - 1.959964 * error, mean + 1.959964 * error))
    assert found.p_value() == pytest.approx(2 * stats.norm.sf(abs(mean) / error))


def test_seeds_that_agree_to_the_image_are_no_certainty() -> None:
    """Seeds that all recognise the same images keep the luck of one image."""
    right = np.ones((3, 100), dtype=bool)
    found = estimate(right, right)
    assert (found.value, found.p_value()) == (0.0, 1.0)
    assert found.reach() == pytest.approx(1.959964 / 100)


def test_a_retraining_counts_images_and_each_change_of_an_answer() -> None:
    """Six of eight answers right, then three: three changed, one image is worse with both seeds, one with one."""
    first = np.array([[1, 1, 1, 0], [1, 1, 1, 0]], dtype=bool)
    second = np.array([[1, 0, 0, 0], [1, 0, 1, 0]], dtype=bool)
    found = retraining(first, second)
    assert found.value == 3 / 8
    assert found.images == pytest.approx((4 + 1 + 1 - 9 / 4) / 64)
    assert found.trainings == pytest.approx((RETRAINING - 1) * (3 + 1) / 64)


def test_agreement_counts_every_image_once() -> None:
    """Both right, only the first, only the second, neither."""
    first, second = np.isin(np.arange(10), range(3)), np.isin(np.arange(10), range(2, 7))  # wrong
    assert agreement(~first, ~second) == (3, 4, 2, 1)
