"""Numbers in the cells of tables."""

from hand_made import measures, on_test

from tasks.report.cells import duration, gap


def test_durations_in_words() -> None:
    """Durations are rounded for a reader."""
    durations = [duration(seconds) for seconds in (0.84, 95, 812.4, 7500)]
    assert durations == ["0.8 s", "95 s", "13 min 32 s", "2 h 5 min"]


def test_the_gap_has_the_interval_of_test() -> None:
    """The train images are no sample, so the interval is that of the test accuracy, turned round."""
    train = measures(0.99, accuracy_ci95=None)
    assert gap(train, on_test(0.90, accuracy_ci95=(0.888, 0.94))) == "9.00 (5.00 to 10.20)"
