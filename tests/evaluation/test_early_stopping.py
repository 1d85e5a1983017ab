"""Beside the onset of one training: its best epoch, usual rules of early stopping, several seeds."""

import math

from tasks.evaluation.early_stopping import best_epoch, early_stopping
from tasks.evaluation.onset import onset_over_seeds
from tasks.results.enums import OnsetStatus
from tasks.results.training import Onset


def test_best_epoch_is_the_first_lowest_number() -> None:
    """Counted from 1; values that are no numbers do not count."""
    assert best_epoch([3.0, None, 1.0, math.nan, 1.0]) == 3
    assert best_epoch([]) is None
    assert best_epoch([math.nan, None]) is None


def test_keras_patience_stops_after_five_epochs_without_a_new_minimum() -> None:
    """Minimum at epoch 3, so epoch 8 is the fifth in a row without one."""
    assert early_stopping([3, 2, 1, 2, 2, 2, 2, 2, 2], None).keras_patience_5 == 8


def test_prechelts_rules_by_hand() -> None:
    """GL_5 at the first loss more than 5 % above the minimum, UP_3 after three strips of five that end higher."""
    rules = early_stopping([1.0, 1.04, 1.06, *[1.07 + 0.01 * epoch for epoch in range(20)]], None)
    assert (rules.gl_5, rules.up_3, rules.pq) == (3, 20, None)


def test_pq_weighs_the_rise_against_the_progress_of_training() -> None:
    """Validation 10 % up (GL 10); a training loss of 1.004 and four times 1: P = 0.8, quotient above 1."""
    validation = [1.0, 1.0, 1.0, 1.0, 1.1]
    assert early_stopping(validation, [1.004, 1, 1, 1, 1]).pq == 5
    assert early_stopping(validation, [1.2, 1, 1, 1, 1]).pq is None


def test_rules_that_never_fire() -> None:
    """A falling loss stops none of them."""
    falling = [1 / epoch for epoch in range(1, 30)]
    assert set(dict(early_stopping(falling, falling)).values()) == {None}


def onset(status: OnsetStatus, epoch: int | None = None) -> Onset:
    """A verdict of which only status and epoch matter."""
    return Onset(status=status, epoch=epoch, epochs=50)


def test_seeds_without_an_onset_are_censored() -> None:
    """Of 10, 12, none, none, none the median is not identified; of 10, 12, 14, none it is 13."""
    seen = [onset(OnsetStatus.OVERFITS, epoch) for epoch in (10, 12, 14)]
    without = onset(OnsetStatus.RISE_EXCLUDED)
    few = onset_over_seeds([*seen[:2], without, without, onset(OnsetStatus.RECOVERED)], 50)
    assert (few.observed, few.excluded, few.median_epoch, few.range) == (2, 3, None, (10, 12))
    most = onset_over_seeds([*seen, without], 50)
    assert (most.median_epoch, most.status_counts) == (13, {"overfits": 3, "rise_excluded": 1})
    assert onset_over_seeds([], 50).median_epoch is None


def test_undecided_seeds_are_not_censored() -> None:
    """A seed that may have an onset anywhere or none is left out of the median, and counted."""
    seen, without = onset(OnsetStatus.OVERFITS, 9), onset(OnsetStatus.RISE_EXCLUDED)
    short, undecided = onset(OnsetStatus.TOO_SHORT), onset(OnsetStatus.UNDECIDED)
    some = onset_over_seeds([seen, seen, without, undecided, short], 20)
    assert (some.observed, some.excluded, some.undecided, some.median_epoch) == (2, 1, 2, 9)
    none = onset_over_seeds([short, undecided], 7)
    assert (none.observed, none.range, none.undecided) == (0, None, 2)


def test_trainings_that_fail_say_nothing_of_overfitting() -> None:
    """Degrading, or diverged before any onset: neither censored nor undecided; diverged after one: observed."""
    seen = onset(OnsetStatus.DIVERGED, 9)
    found = onset_over_seeds([seen, onset(OnsetStatus.DIVERGED), onset(OnsetStatus.DEGRADING, 5)], 20)
    assert (found.observed, found.failed, found.excluded, found.undecided) == (1, 2, 0, 0)
    assert (found.median_epoch, found.range) == (9, (9, 9))
