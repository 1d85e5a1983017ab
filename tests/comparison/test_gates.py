"""Gates on the accuracy of a run."""

import numpy as np
import pytest
from scipy import stats

from tasks.comparison.compare import spread
from tasks.comparison.gates import drop_p, drop_with_interval, gate_max_accuracy_drop, gate_min_test_accuracy
from tasks.comparison.previous import Baseline
from tasks.evaluation.onset import onset_over_seeds
from tasks.evaluation.statistics import difference_interval
from tasks.results.enums import GateOutcome, GateReason
from tasks.results.run import Aggregate, Gate, ModelResult


def right(wrong: int, n: int = 1_000) -> np.ndarray:
    """Truth values of n images of which the first `wrong` are not recognised."""
    return np.arange(n) >= wrong


def model(*accuracies: float) -> ModelResult:
    """A model with a test accuracy for each seed; without any, all failed."""
    plan = {"epochs": 5, "learning_rate": 0.001, "learning_rate_schedule": "constant"}
    onset = onset_over_seeds([], 20)
    accuracy = spread(accuracies)
    aggregate = accuracy and Aggregate(
        n_seeds=len(accuracies), test_accuracy=accuracy, test_nll=None, onset=onset
    )
    return ModelResult(**plan, parameter_count=None, summary=None, trainings=[], aggregate=aggregate)


def test_one_limit_is_for_every_model() -> None:
    """With one number, each model of the run is judged by itself."""
    first, second = gate_min_test_accuracy(0.97, {"dense": model(0.96), "cnn": model(0.98)})
    assert (first.model, first.outcome, first.observed) == ("dense", GateOutcome.NOT_HELD, 0.96)
    assert (second.model, second.outcome, second.observed) == ("cnn", GateOutcome.HELD, 0.98)


def test_an_accuracy_equal_to_the_limit_holds() -> None:
    """The limit itself is good enough."""
    assert gate_min_test_accuracy(0.97, {"dense": model(0.97)})[0].outcome is GateOutcome.HELD


def test_limits_may_differ_between_models() -> None:
    """A limit per model judges the named ones; one that is not in the run is not judged."""
    limits = {"cnn": 0.99, "challenger": 0.99}
    judged, absent = gate_min_test_accuracy(limits, {"dense": model(0.5), "cnn": model(0.98)})
    assert (judged.model, judged.outcome) == ("cnn", GateOutcome.NOT_HELD)
    assert (absent.model, absent.outcome) == ("challenger", GateOutcome.NOT_JUDGED)
    assert absent.reason is GateReason.NOT_IN_THIS_RUN


def test_the_mean_of_the_seeds_counts() -> None:
    """With several seeds the mean is held against the limit."""
    (gate,) = gate_min_test_accuracy(0.97, {"cnn": model(0.96, 0.99)})
    assert (gate.outcome, gate.observed, gate.seeds) == (GateOutcome.HELD, 0.975, 2)


def test_a_model_without_a_result_does_not_hold() -> None:
    """A failed model has not shown the accuracy required."""
    (gate,) = gate_min_test_accuracy(0.5, {"cnn": model()})
    assert (gate.outcome, gate.reason) == (GateOutcome.NOT_HELD, GateReason.NO_RESULT)


def drop_gate(before: int, now: int, limit: float) -> Gate:
    """The gate on one model whose number of mistakes in 1,000 images changed."""
    return gate_max_accuracy_drop(
        limit, {"cnn": {0: right(now)}}, {"cnn": Baseline("earlier", {0: right(before)})}
    )[0]


def test_a_drop_beyond_limit_and_chance_fails() -> None:
    """20 more mistakes in 1,000 exceed a limit of one point, and are no chance."""
    gate = drop_gate(10, 30, 0.01)
    assert gate.outcome is GateOutcome.NOT_HELD
    assert gate.observed == pytest.approx(0.02)
    assert (gate.since, gate.interval) == ("earlier", difference_interval(20, 0, 1_000))


@pytest.mark.parametrize(
    ("before", "now", "limit", "drop", "p_adjusted"),
    [
        (10, 30, 0.02, 0.02, 2**-20),  # a sure drop that the user tolerates
        (10, 13, 0.0, 0.003, 0.125),  # may be chance
        (30, 10, 0.0, -0.02, 1.0),  # a rise
    ],
)
def test_drops_that_hold(before: int, now: int, limit: float, drop: float, p_adjusted: float) -> None:
    """A drop within the limit holds, one that may be chance, and a rise."""
    gate = drop_gate(before, now, limit)
    assert (gate.outcome, gate.observed, gate.p_adjusted) == (GateOutcome.HELD, drop, p_adjusted)


def test_without_a_baseline_nothing_is_judged() -> None:
    """The first run has nothing to drop from."""
    (gate,) = gate_max_accuracy_drop(0.0, {"cnn": {0: right(10)}}, {})
    assert (gate.outcome, gate.reason) == (GateOutcome.NOT_JUDGED, GateReason.NO_BASELINE)


def test_many_models_raise_no_more_false_alarms() -> None:
    """Five images lost and none gained is significant for one model (p = 0.03), not among five."""
    now = {name: {0: right(15 if name == "a" else 10)} for name in "abcde"}
    (alone,) = gate_max_accuracy_drop(0.0, {"a": now["a"]}, {"a": Baseline("earlier", {0: right(10)})})
    among = gate_max_accuracy_drop(0.0, now, {name: Baseline("earlier", {0: right(10)}) for name in "abcde"})
    assert alone.outcome is GateOutcome.NOT_HELD
    assert {gate.outcome for gate in among} == {GateOutcome.HELD}


def test_one_seed_is_tested_exactly() -> None:
    """8 images lost and 2 gained: the binomial probability of 8 or more of 10."""
    before, now = right(0, 20), np.ones(20, dtype=bool)
    now[:8], before[8:10] = False, False
    assert drop_p(before[None], now[None]) == pytest.approx(stats.binom.sf(7, 10, 0.5))


def test_seeds_that_err_on_the_same_images_are_not_more_evidence() -> None:
    """Three seeds that lose the very same nine images: z is 3, that of one seed, not 3 root 3."""
    before, now = np.array([right(0)] * 3), np.array([right(9)] * 3)
    assert drop_p(before, now) == pytest.approx(stats.norm.sf(3))


def test_the_interval_of_a_drop_over_seeds_by_hand() -> None:
    """Three seeds lose the first of four images: losses 1, 0, 0, 0 of mean 1/4 and standard deviation 1/2."""
    before = np.ones((3, 4), dtype=bool)
    now = before & (np.arange(4) > 0)
    reach = stats.norm.ppf(0.975) * 0.5 / 2
    drop, interval = drop_with_interval(before, now)
    assert drop == 0.25
    assert interval == pytest.approx((0.25 - reach, 0.25 + reach))
