"""What a run says of its branches."""

from typing import Any

from tasks.comparison.provenance import Branch, failures
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


def branch(seed: int, training: Any, evaluation: Any) -> Branch:
    """A branch of dense whose steps ended so."""
    return "dense", seed, Ended(training), Ended(evaluation)  # type: ignore[return-value]


def test_branches_that_succeed() -> None:
    """A branch whose training and evaluation ended with a result is no failure."""
    assert failures([branch(0, "training", "evaluation")]) == []


def test_branches_that_fail() -> None:
    """Each failed branch is one failure with its own reason: of its training, or else of its evaluation."""
    first, second = ValueError("no memory"), ValueError("killed")
    branches = [
        branch(0, "training", "evaluation"),
        branch(1, first, first),
        branch(2, second, second),
        branch(3, "training", KeyError("no labels")),
    ]
    assert [(each.task, each.seed, each.error) for each in failures(branches)] == [
        (Step.TRAIN, 1, "ValueError: no memory"),
        (Step.TRAIN, 2, "ValueError: killed"),
        (Step.EVALUATE, 3, "KeyError: 'no labels'"),
    ]
