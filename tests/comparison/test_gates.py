"""Gates on the accuracy of a run."""

import numpy as np
import pytest

from tasks.comparison.compare import spread
from tasks.comparison.gates import gate_max_accuracy_drop, gate_min_test_accuracy
from tasks.comparison.previous import Baseline
from tasks.evaluation.onset import onset_over_seeds
from tasks.results.comparison import Gate
from tasks.results.enums import GateOutcome, GateReason
from tasks.results.run import Aggregate, ModelResult


def right(wrong: int, n: int = 1_000) -> np.ndarray:
    """Truth values of n images of which the first `wrong` are not recognised."""
    return np.arange(n) >= wrong


def model(*accuracies: float) -> ModelResult:
    """A model with a test accuracy for each seed; without any, all failed."""
    plan = {"epochs": 5, "learning_rate": 0.001, "learning_rate_schedule": "constant"}
    onset = onset_over_seeds([], 20)
    accuracy = spread(accuracies, None)
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
    for limit in (0.5, {"wide": 0.5}):
        gate = gate_min_test_accuracy(limit, {}, failed=["wide", "wide"])[-1]  # it could not be trained
        assert (gate.model, gate.outcome, gate.reason) == ("wide", GateOutcome.NOT_HELD, GateReason.NO_RESULT)


def drop_gate(before: int, now: int, limit: float) -> Gate:
    """The gate on one model whose number of mistakes in 1,000 images changed."""
    return gate_max_accuracy_drop(
        limit, {"cnn": {0: right(now)}}, {"cnn": Baseline("earlier", {0: right(before)})}
    )[0]


def test_a_drop_beyond_limit_and_chance_fails() -> None:
    """40 more mistakes in 1,000 are surely more than a limit of one point."""
    gate = drop_gate(10, 50, 0.01)
    assert gate.outcome is GateOutcome.NOT_HELD
    assert gate.observed == pytest.approx(0.04)
    assert (gate.since, gate.level) == ("earlier", 0.95)
    assert gate.at_least is not None
    assert gate.at_least > 0.01


def test_a_drop_of_surely_no_more_than_the_limit_is_held() -> None:
    """A drop of which exactly the limit is sure passes."""
    sure = drop_gate(10, 50, 0.01).at_least
    assert sure is not None
    assert drop_gate(10, 50, sure).outcome is GateOutcome.HELD


@pytest.mark.parametrize(
    ("before", "now", "limit", "drop"),
    [
        (10, 50, 0.04, 0.04),  # a sure drop that the user tolerates
        (10, 50, 0.03, 0.04),  # more than the limit, but not surely
        (10, 15, 0.0, 0.005),  # may be the luck of a retraining, though not McNemar's (p = 0.03)
        (30, 10, 0.0, -0.02),  # a rise
    ],
)
def test_drops_that_hold(before: int, now: int, limit: float, drop: float) -> None:
    """A drop within the limit holds, one that may be luck, and a rise."""
    gate = drop_gate(before, now, limit)
    assert (gate.outcome, gate.observed) == (GateOutcome.HELD, drop)


@pytest.mark.parametrize("now", range(10, 60))
def test_bound_and_outcome_never_contradict_each_other(now: int) -> None:
    """A gate is not held exactly where the bound that is shown lies above the limit."""
    gate = drop_gate(10, now, 0.01)
    assert (gate.at_least > 0.01) == (gate.outcome is GateOutcome.NOT_HELD)


def test_without_a_baseline_nothing_is_judged() -> None:
    """The first run has nothing to drop from."""
    (gate,) = gate_max_accuracy_drop(0.0, {"cnn": {0: right(10)}}, {})
    assert (gate.outcome, gate.reason) == (GateOutcome.NOT_JUDGED, GateReason.NO_BASELINE)


def test_many_models_raise_no_more_false_alarms() -> None:
    """16 images lost and none gained are sure for one model, not among five."""
    now = {name: {0: right(26 if name == "a" else 10)} for name in "abcde"}
    (alone,) = gate_max_accuracy_drop(0.0, {"a": now["a"]}, {"a": Baseline("earlier", {0: right(10)})})
    among = gate_max_accuracy_drop(0.0, now, {name: Baseline("earlier", {0: right(10)}) for name in "abcde"})
    assert alone.outcome is GateOutcome.NOT_HELD
    assert {gate.outcome for gate in among} == {GateOutcome.HELD}
    assert {gate.level for gate in among} == {0.99}
