"""What a run says of its branches."""

from typing import Any

from specified import specified

from tasks.comparison.provenance import failures
from tasks.results.enums import Step


class Ended:
    """A future that has ended: with a value, or by an error."""

    def __init__(self, ended: Any) -> None:
        self.ended = ended

    def result(self) -> Any:
        """Return or raise what it ended with."""
        if isinstance(self.ended, Exception):
            raise self.ended
        return self.ended


def ended(*outcomes: Any) -> Any:
    """The futures of some branches."""
    return [Ended(outcome) for outcome in outcomes]


SPECIFICATIONS = [specified(seed=seed) for seed in range(4)]


def test_branches_that_succeed() -> None:
    """A branch whose training and evaluation ended with a result is no failure."""
    assert failures(SPECIFICATIONS[:1], ended("training"), ended("evaluation")) == []


def test_branches_that_fail() -> None:
    """Each failed branch is one failure with its own reason: of its training, or else of its evaluation."""
    first, second, third = ValueError("no memory"), ValueError("killed"), KeyError("no labels")
    trainings = ended("training", first, second, "training")
    evaluations = ended("evaluation", first, second, third)
    found = failures(SPECIFICATIONS, trainings, evaluations)
    assert [(each.task, each.seed, each.error) for each in found] == [
        (Step.TRAIN, 1, "ValueError: no memory"),
        (Step.TRAIN, 2, "ValueError: killed"),
        (Step.EVALUATE, 3, "KeyError: 'no labels'"),
    ]
