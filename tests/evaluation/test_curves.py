"""What is said of one noisy curve, by hand."""

import math

import numpy as np
import pytest

from tasks.evaluation.curves import mann_kendall_z, zigzag


def test_mann_kendall_by_hand() -> None:
    """Ten values that rise: all 45 pairs agree, the variance is 10 * 9 * 25 / 18, and one is taken off."""
    assert mann_kendall_z(np.arange(10.0)) == pytest.approx(44 / math.sqrt(125))
    assert mann_kendall_z(-np.arange(10.0)) == pytest.approx(-44 / math.sqrt(125))


def test_mann_kendall_with_ties() -> None:
    """1, 2, 2, 3: five of six pairs agree; a tie of two takes 2 * 1 * 9 off 4 * 3 * 13 eighteenths."""
    assert mann_kendall_z(np.array([1.0, 2, 2, 3])) == pytest.approx(4 / math.sqrt((156 - 18) / 18))


def test_a_smooth_valley_has_no_zigzag() -> None:
    """A curve that falls, stays and rises turns nowhere; one that goes up and down by one does so by one."""
    assert zigzag(np.array([5.0, 4, 3, 2, 2, 2, 3, 4, 5, 6])) == 0
    assert zigzag(np.array([0.0, 1] * 10)) == 1
