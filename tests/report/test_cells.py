"""Numbers in the cells of tables."""

from tasks.report.cells import duration, gap
from tasks.results.training import Measures


def test_durations_in_words() -> None:
    """Durations are rounded for a reader."""
    durations = [duration(seconds) for seconds in (0.84, 95, 812.4, 7500)]
    assert durations == ["0.8 s", "95 s", "13 min 32 s", "2 h 5 min"]


def test_gap_by_newcombe() -> None:
    """The interval of the gap joins the two shares' own intervals: 3-4-5 triangles, in points."""
    train = Measures(n=100, correct=99, accuracy=0.99, accuracy_ci95=(0.96, 0.995), nll=None)
    test = Measures(n=100, correct=90, accuracy=0.90, accuracy_ci95=(0.888, 0.94), nll=None)
    assert gap(train, test) == "9.00 (4.00 to 10.30)"
