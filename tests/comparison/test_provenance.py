"""What a run says of its branches."""

from typing import Any

from tasks.comparison.provenance import failures
from tasks.results.enums import Step
from tasks.training.specification import specifications


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


SPECIFICATIONS = specifications(
    ["dense"],
    range(4),
    "ab",
    epochs=2,
    batch_size=128,
    learning_rate=None,
    pixel_scaling="unit",
    precision="float32",
    threads=2,
)


def test_branches_that_succeed() -> None:
    """A branch whose training and evaluation ended with a result is no failure."""
    assert failures(SPECIFICATIONS[:1], ended("training"), ended("evaluation")) == []


def test_branches_that_fail() -> None:
    """Each failed branch is one failure with its own reason: of its training, or else of its evaluation."""
    first, second, third = ValueError("no memory"), ValueError("killed"), KeyError("no labels")
    trainings = ended("training", first, second, "training")
    evaluations = ended("evaluation", first, second, third)
    assert [
        (each.task, each.seed, each.error) for each in failures(SPECIFICATIONS, trainings, evaluations)
    ] == [
        (Step.TRAIN, 1, "ValueError: no memory"),
        (Step.TRAIN, 2, "ValueError: killed"),
        (Step.EVALUATE, 3, "KeyError: 'no labels'"),
    ]
