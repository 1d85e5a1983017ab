"""Numbers as words: the few forms in which sentences show shares, differences and lists."""

import math
from collections.abc import Sequence

Interval = Sequence[float]


def percent(share: float) -> str:
    """A share as percent with two decimals, the resolution of 10,000 test images: 0.98765 -> "98.77 %"."""
    return f"{_two_decimals(100 * share)} %"


def percent_with_interval(share: float, interval: Interval) -> str:
    """A share and its interval: "98.77 % (98.54 to 98.97)"."""
    return f"{percent(share)} ({span(interval)})"


def points(difference: float) -> str:
    """A difference of two shares in percentage points, unit left out: 0.0123 -> "1.23"."""
    return _two_decimals(100 * difference)


def span(interval: Interval) -> str:
    """An interval of shares or differences in percent or points: "0.90 to 1.50"."""
    return f"{points(interval[0])} to {points(interval[1])}"


def probability(value: float | None) -> str:
    """Return a probability in percent, never rounded up to certainty."""
    if value is None or not math.isfinite(value):
        return "unknown"
    return "> 99.99 %" if value > 0.9999 else f"{100 * value:.2f} %"


def p_value(p: float | None) -> str | None:
    """A p-value with two digits that matter."""
    if p is None:
        return None
    return "< 0.0001" if p < 0.0001 else f"{p:.2g}" if p < 0.1 else f"{p:.2f}"


def and_list(names: Sequence[str]) -> str:
    """Names as a sentence lists them: "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def counted(number: int, noun: str) -> str:
    """A number with its noun in the right form: "1 seed", "3 seeds"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _two_decimals(value: float) -> str:
    """Two decimals; one significant digit where these would print a non-zero value as 0.00."""
    return f"{value:.2f}" if abs(value) >= 0.005 or value == 0 else f"{value:.1g}"


def shortened(name: str, most_bytes: int) -> str:
    """A name cut to what a file name may hold, which counts bytes: a letter of Hangul has three."""
    return name.encode()[:most_bytes].decode(errors="ignore")
