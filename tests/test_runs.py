"""What a run says of its branches."""

from typing import Any

from tasks.comparison.provenance import failures
from tasks.training.process import TrainingFailedError


class Ended:
    """A future that has ended: with a value, or by an error."""

    def __init__(self, ended: Any) -> None:
        self.ended = ended

    def result(self) -> Any:
        """Return or raise what it ended with."""
        if isinstance(self.ended, Exception):
            raise self.ended
        return self.ended


SPECS = [{"model": "dense", "seed": seed} for seed in range(3)]


def test_branches_that_succeed() -> None:
    """A branch whose training and evaluation ended with a result is no failure."""
    assert failures(SPECS, [Ended("training")] * 3, [Ended("evaluation")] * 3) == []


def test_branches_that_fail() -> None:
    """A failed branch is one failure: of its training if that failed, else of its evaluation."""
    training, evaluation = TrainingFailedError("no memory"), ValueError("no labels")
    trained = [Ended("training"), Ended(training), Ended("training")]
    evaluated = [Ended("evaluation"), Ended(training), Ended(evaluation)]
    assert failures(SPECS, trained, evaluated) == [
        {"task": "train", "model": "dense", "seed": 1, "error": "TrainingFailedError: no memory"},
        {"task": "evaluate", "model": "dense", "seed": 2, "error": "ValueError: no labels"},
    ]
