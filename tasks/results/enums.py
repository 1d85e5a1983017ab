"""The verdicts, statuses and origins that results.json may hold."""

from enum import StrEnum


class Status(StrEnum):
    """How a run ended; failed if a branch failed or a gate did not hold."""

    COMPLETED = "completed"
    FAILED = "failed"


class Origin(StrEnum):
    """Where a training came from: this run, an interrupted one that it took up, or an earlier one."""

    TRAINED = "trained"
    RESUMED = "resumed"
    REUSED = "reused"


class OnsetStatus(StrEnum):
    """The verdict on one validation curve; see `tasks.evaluation.onset`."""

    OVERFITS = "overfits"
    DEGRADING = "degrading"
    RECOVERED = "recovered"
    RISE_EXCLUDED = "rise_excluded"
    UNDECIDED = "undecided"
    TOO_SHORT = "too_short"
    DIVERGED = "diverged"

    @property
    def shows_onset(self) -> bool:
        """Whether the epoch, if there is one, is an onset of overfitting."""
        return self in (OnsetStatus.OVERFITS, OnsetStatus.DIVERGED)

    @property
    def excludes_onset(self) -> bool:
        """Whether the curve speaks against an onset so far: no rise that matters lasts to its end."""
        return self in (OnsetStatus.RISE_EXCLUDED, OnsetStatus.RECOVERED)

    @property
    def may_rise_later(self) -> bool:
        """Whether more epochs may show an onset where these show none."""
        return self in (OnsetStatus.RISE_EXCLUDED, OnsetStatus.RECOVERED, OnsetStatus.UNDECIDED)

    @property
    def undecided(self) -> bool:
        """Whether the curve neither shows an onset nor speaks against one."""
        return self in (OnsetStatus.UNDECIDED, OnsetStatus.TOO_SHORT)


class AccuracyChange(StrEnum):
    """What happened to the accuracy on test after the epoch of the lowest validation loss."""

    ROSE = "rose"
    FELL = "fell"
    NOT_MEASURABLE = "not_measurable"
    LAST_EPOCH_IS_BEST = "last_epoch_is_best"
    NO_FINITE_LOSS = "no_finite_loss"


class Verdict(StrEnum):
    """Which network of a pair is better, if the data can tell."""

    FIRST_BETTER = "first_better"
    SECOND_BETTER = "second_better"
    TIED = "tied"


class Change(StrEnum):
    """A training's accuracy beside that of the same network and seed in the previous run."""

    UNCHANGED = "unchanged"
    BETTER = "better"
    WORSE = "worse"
    WITHIN_CHANCE = "within_chance"


class GateName(StrEnum):
    """The conditions that a run may be given."""

    MIN_TEST_ACCURACY = "min_test_accuracy"
    MAX_ACCURACY_DROP = "max_accuracy_drop"


class GateOutcome(StrEnum):
    """What became of a gate; a run fails by those that are not held."""

    HELD = "held"
    NOT_HELD = "not_held"
    NOT_JUDGED = "not_judged"


class GateReason(StrEnum):
    """Why a gate has nothing to hold against its limit."""

    NOT_IN_THIS_RUN = "not_in_this_run"
    NO_RESULT = "no_result"
    NO_BASELINE = "no_baseline"


class Step(StrEnum):
    """The steps of a branch, any of which may fail."""

    TRAIN = "train"
    EVALUATE = "evaluate"
