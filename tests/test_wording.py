"""Numbers as words."""

import pytest

from tasks.wording import and_list, counted, p_value, percent, points, shortened, span


@pytest.mark.parametrize(
    ("difference", "words"),
    [(0.0123, "1.23"), (-0.0005, "-0.05"), (0.0, "0.00"), (0.00003, "0.003"), (-0.00001, "-0.001")],
)
def test_points_have_two_decimals_or_one_digit(difference: float, words: str) -> None:
    """A difference that is not zero is never shown as 0.00."""
    assert points(difference) == words


def test_percent_and_span() -> None:
    """Shares are shown in percent, intervals with "to"."""
    assert (percent(0.98765), span([0.009, 0.015])) == ("98.77 %", "0.90 to 1.50")


@pytest.mark.parametrize(
    ("names", "words"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_lists_of_names(names: list[str], words: str) -> None:
    """Commas, and "and" before the last."""
    assert and_list(names) == words


def test_counted_nouns() -> None:
    """One seed, two seeds, thousands marked."""
    assert [counted(n, "seed") for n in (1, 2, 1_000)] == ["1 seed", "2 seeds", "1,000 seeds"]


def test_p_values() -> None:
    """Two digits that matter, and no false precision below 0.0001."""
    assert [p_value(p) for p in (None, 0.00001, 0.0123, 0.5)] == [None, "< 0.0001", "0.012", "0.50"]


def test_shortened() -> None:
    """A letter of Hangul has three bytes, and none is cut in two."""
    assert shortened("mnist", 10) == "mnist"
    assert shortened("\uac00" * 80, 100) == "\uac00" * 33
