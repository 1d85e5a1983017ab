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
    first, second = np.isin(np.arange(10), range(3)), np.isin(np.arange(10), range(2, 7))  # wrong
    assert agreement(~first, ~second) == (3, 4, 2, 1)
