"""What is compared: networks with each other, with their gates, and with the run before."""

from tasks.results.enums import Change, GateName, GateOutcome, GateReason, Verdict
from tasks.results.training import Interval, Record


class LossDifference(Record):
    """Test NLL of the first network minus that of the second; adjusted by Holm over the pairs that have one."""

    difference: float
    interval: Interval
    p_value: float
    p_adjusted: float


class Pair(Record):
    """Two networks on the same test images, over the seeds that both were trained with.

    With one seed it is about these trainings on other images (McNemar), with more about the networks, on other
    images and in other trainings. Intervals are of this pair alone, at 95 %; the verdict goes by p_adjusted
    (Holm over `pairs`). Differences: first minus second.
    """

    models: tuple[str, str]
    seeds: list[int]
    differences: list[float]  # seed by seed
    difference: float
    interval: Interval
    pairs: int  # judged together
    p_value: float
    p_adjusted: float
    both_right: int | None = None  # images, with one seed
    only_first: int | None = None
    only_second: int | None = None
    both_wrong: int | None = None
    verdict: Verdict
    loss: LossDifference | None  # None if a training diverged
    onset_p: float  # of "both start to overfit at the same time", over seeds, not adjusted

    @property
    def better(self) -> str | None:
        """The network that the data show to be better."""
        return {Verdict.FIRST_BETTER: self.models[0], Verdict.SECOND_BETTER: self.models[1]}.get(self.verdict)

    def other(self, name: str) -> str:
        """The network that is compared with the named one."""
        return self.models[1] if self.models[0] == name else self.models[0]


class Gate(Record):
    """A condition on one network, what was measured, and the outcome."""

    name: GateName
    model: str
    limit: float
    outcome: GateOutcome
    reason: GateReason | None = None  # why it was not judged, or not held without a measurement
    observed: float | None = None  # test accuracy, or its drop
    since: str | None = None  # the run from which the drop is measured
    at_least: float | None = None  # one-sided lower bound of the drop, for other images and another training
    level: float | None = None  # of that bound: 0.95, or more for several gates
    seeds: int = 0  # behind `observed`


class Difference(Record):
    """Something that is not as in the previous run, such as epochs: 5 -> 10."""

    name: str
    before: str
    now: str


class AgainstPrevious(Record):
    """One training beside that of the same network and seed in the previous run; differences: now minus before."""

    model: str
    seed: int
    n: int  # test images
    accuracy_before: float
    accuracy_now: float
    difference: float
    difference_ci95: Interval
    p_value: float
    p_adjusted: float
    change: Change


class PreviousRun(Record):
    """The run before this one: what is different, and whether accuracy changed by more than chance."""

    run: str
    parameters_changed: list[Difference]
    versions_changed: list[Difference]
    trainings: list[AgainstPrevious]
    unreadable: list[str]  # its trainings whose predictions cannot be read, as "cnn with seed 0"
