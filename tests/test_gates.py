"""Gates on the accuracy of a run."""

import numpy as np
import pytest
from scipy import stats

from tasks.comparison.gates import drop_p, gate_max_accuracy_drop, gate_min_test_accuracy
from tasks.comparison.previous import PreviousRun


def right(wrong: int, n: int = 1_000) -> np.ndarray:
    """Truth values of n images of which the first `wrong` are not recognised."""
    return np.arange(n) >= wrong


def model(*accuracies: float) -> dict[str, object]:
    """A model of results.json with one training for each accuracy; without any, all failed."""
    trainings = [
        {"error": None, "test": {"accuracy": accuracy, "accuracy_ci95": [accuracy - 0.01, accuracy + 0.01]}}
        for accuracy in accuracies
    ]
    if not accuracies:
        return {"aggregate": None, "trainings": [{"error": "killed", "test": None}]}
    mean = sum(accuracies) / len(accuracies)
    spread = {"mean": mean, "minimum": min(accuracies), "maximum": max(accuracies)}
    return {"aggregate": {"n_seeds": len(accuracies), "test_accuracy": spread}, "trainings": trainings}


def test_one_limit_is_for_every_model() -> None:
    """With one number, each model of the run passes or fails by itself."""
    gates = gate_min_test_accuracy(0.97, {"dense": model(0.96), "cnn": model(0.98)})
    assert [(gate["model"], gate["passed"]) for gate in gates] == [("dense", False), ("cnn", True)]
    assert gates[0]["message"] == (
        "dense: test accuracy 96.00 % (95.00 to 97.00) is below the 97.00 % required"
    )


def test_an_accuracy_equal_to_the_limit_passes() -> None:
    """The limit itself is good enough."""
    assert gate_min_test_accuracy(0.97, {"dense": model(0.97)})[0]["passed"]


def test_limits_may_differ_between_models() -> None:
    """A limit per model judges the named ones; one that is not in the run cannot fail it."""
    gates = gate_min_test_accuracy(
        {"cnn": 0.99, "challenger": 0.99}, {"dense": model(0.5), "cnn": model(0.98)}
    )
    assert [(gate["model"], gate["passed"]) for gate in gates] == [("cnn", False), ("challenger", True)]
    assert gates[1]["message"] == "challenger was not part of this run"


def test_the_mean_of_the_seeds_counts() -> None:
    """With several seeds the mean is held against the limit, and the message gives the range."""
    (gate,) = gate_min_test_accuracy(0.97, {"cnn": model(0.96, 0.99)})
    assert gate["passed"]
    assert "mean test accuracy 97.50 % of 2 seeds (96.00 to 99.00)" in gate["message"]


def test_a_model_without_a_result_does_not_pass() -> None:
    """A failed model has not shown the accuracy required."""
    assert not gate_min_test_accuracy(0.5, {"cnn": model()})[0]["passed"]


def drop_gate(before: int, now: int, limit: float) -> dict[str, object]:
    """The gate on one model whose number of mistakes in 1,000 images changed."""
    previous = PreviousRun("earlier", right={"cnn": {0: right(before)}})
    return gate_max_accuracy_drop(limit, {"cnn": {0: right(now)}}, previous)[0]


def test_a_drop_beyond_limit_and_chance_fails() -> None:
    """20 more mistakes in 1,000 exceed a limit of one point, and are no chance."""
    gate = drop_gate(10, 30, 0.01)
    assert not gate["passed"]
    assert gate["observed"] == pytest.approx(0.02)
    assert gate["message"].startswith("cnn: accuracy fell since earlier (drop 2.00 points, ")
    assert gate["message"].endswith("1 seed), more than the 1.00 allowed")


def test_a_drop_within_the_limit_passes() -> None:
    """A sure drop that the user tolerates passes."""
    assert drop_gate(10, 30, 0.02)["passed"]


def test_a_drop_that_may_be_chance_passes() -> None:
    """Three more mistakes exceed a limit of zero but not chance, and the message says so."""
    gate = drop_gate(10, 13, 0.0)
    assert gate["passed"]
    assert gate["message"].endswith("more than the 0.00 allowed, but not more than chance")


def test_a_rise_passes() -> None:
    """An accuracy that rose passes a limit of zero."""
    gate = drop_gate(30, 10, 0.0)
    assert gate["passed"]
    assert "did not fall" in gate["message"]


def test_without_a_previous_run_every_model_passes() -> None:
    """The first run has nothing to drop from."""
    (gate,) = gate_max_accuracy_drop(0.0, {"cnn": {0: right(10)}}, None)
    assert (gate["passed"], gate["observed"], gate["message"]) == (True, None, "cnn: no previous run")


def test_only_shared_seeds_are_compared() -> None:
    """A model whose seeds differ between the runs is not comparable; the message gives the reason."""
    previous = PreviousRun("earlier", right={"cnn": {0: right(0)}})
    (gate,) = gate_max_accuracy_drop(0.0, {"cnn": {1: right(500)}}, previous)
    assert gate["passed"]
    assert gate["message"] == "cnn: not comparable with the previous run: earlier has none of its trainings"


def test_many_models_raise_no_more_false_alarms() -> None:
    """Five images lost and none gained is significant for one model (p = 0.03), not among five."""
    names = "abcde"
    alone = PreviousRun("earlier", right={"a": {0: right(10)}})
    among = PreviousRun("earlier", right={name: {0: right(10)} for name in names})
    now = {name: {0: right(15 if name == "a" else 10)} for name in names}
    assert not gate_max_accuracy_drop(0.0, {"a": now["a"]}, alone)[0]["passed"]
    assert all(gate["passed"] for gate in gate_max_accuracy_drop(0.0, now, among))


def test_one_seed_is_tested_exactly() -> None:
    """8 images lost and 2 gained: the binomial probability of 8 or more of 10."""
    before, now = right(0, 20), np.ones(20, dtype=bool)
    now[:8], before[8:10] = False, False
    assert drop_p(before[None], now[None]) == pytest.approx(stats.binom.sf(7, 10, 0.5))


def test_seeds_that_err_on_the_same_images_are_not_more_evidence() -> None:
    """Three seeds that lose the very same nine images: z is 3, that of one seed, not 3 root 3."""
    before, now = np.array([right(0)] * 3), np.array([right(9)] * 3)
    assert drop_p(before, now) == pytest.approx(stats.norm.sf(3))
