"""Which network starts to overfit sooner, over seeds."""

import numpy as np
import pytest
from hand_made import onset
from scipy import stats

from tasks.comparison.onset_order import gehan_scores, onset_order_p
from tasks.results.enums import OnsetStatus
from tasks.results.training import Onset


def at(*epochs: int) -> list[Onset]:
    """Seeds that overfit from these epochs on."""
    return [onset(OnsetStatus.OVERFITS, epoch) for epoch in epochs]


@pytest.mark.parametrize(("seeds", "p"), [(1, 1.0), (2, 1 / 3), (3, 0.1), (4, 2 / 70), (5, 2 / 252)])
def test_the_smallest_p_value(seeds: int, p: float) -> None:
    """Networks whose onsets lie apart: as few ways to deal the seeds as there are, both ends counted."""
    assert onset_order_p(at(*range(2, 2 + seeds)), at(*range(12, 12 + seeds))) == pytest.approx(p)


def test_equal_onsets_are_no_order() -> None:
    """The same epochs have a p-value of 1."""
    assert onset_order_p(at(5, 6, 7), at(5, 6, 7)) == pytest.approx(1.0)


def test_scores_by_hand() -> None:
    """Onsets at 5 and 9, none up to 7: the first is before both, which cannot be told apart."""
    unseen = onset(OnsetStatus.UNDECIDED, lowest_at=7)
    assert gehan_scores([*at(5, 9), unseen]).tolist() == [-2, 1, 1]


def test_more_epochs_do_not_make_an_onset_later() -> None:
    """A network with 20 epochs beside one with 8: an onset at 12 is none up to 8."""
    short = onset(OnsetStatus.RISE_EXCLUDED, lowest_at=8, epochs=8)
    assert gehan_scores([*at(12), short]).tolist() == [0, 0]


def test_without_censoring_it_is_the_rank_sum() -> None:
    """The scores are ranks, so the p-value is that of the exact Mann-Whitney test."""
    first, second = [3, 5, 6, 8, 14], [4, 9, 11, 13, 15]
    expected = stats.mannwhitneyu(first, second, method="exact").pvalue
    assert onset_order_p(at(*first), at(*second)) == pytest.approx(expected)
    assert np.sum(gehan_scores([*at(*first), *at(*second)])) == 0
