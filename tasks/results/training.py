"""One training, measured."""

from pydantic import BaseModel, ConfigDict

from tasks.results.enums import AccuracyChange, OnsetStatus, Origin

Interval = tuple[float, float]
Epochs = tuple[int, int]
Losses = list[float | None]  # one for each epoch; None where it was not a finite number


class Record(BaseModel):
    """A frozen part of results.json that holds what is declared, nothing else, and no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class History(Record):
    """Curves of one training, one value per epoch: Keras's four, and three that are measured with dropout off."""

    loss: Losses
    accuracy: Losses
    val_loss: Losses
    val_accuracy: Losses
    train_nll: Losses
    val_nll: Losses
    train_accuracy_inference: Losses


class Measures(Record):
    """Accuracy with its 95 % interval (Wilson; none on train, which is no sample) and mean NLL of `n` images."""

    n: int
    correct: int
    accuracy: float
    accuracy_ci95: Interval | None
    nll: float | None


class TestMeasures(Measures):
    """What is measured on test images; classes by index.

    `confusion` has (truth, prediction, images) of each pair that occurs, right ones included.
    """

    accuracy_ci95: Interval
    nll_ci95: Interval | None
    calibration_error: float | None
    calibration_error_by_chance: float | None  # 95 % of perfectly calibrated networks would show less
    per_class_accuracy: list[float | None]
    per_class_n: list[int]
    confusion: list[tuple[int, int, int]]

    @property
    def no_better_than_chance(self) -> bool:
        """Whether the share of the most frequent class lies in the accuracy's interval, or above it."""
        return self.accuracy_ci95[0] <= max(self.per_class_n) / self.n


class Onset(Record):
    """The verdict on one training; `epoch` is the one after the lowest point of the smoothed validation loss."""

    status: OnsetStatus
    epoch: int | None = None
    interval: Epochs | None = None  # first and last epoch at which the onset may be; contains `epoch`
    severity: float | None = None  # percent: the end of the validation loss above its lowest point
    severity_interval: Interval | None = None  # 95 %; how often it covers: docs/onset.md
    images: int | None = None  # whose luck the intervals hold, beside that of the epochs; None: epochs alone
    epochs: int  # that were judged: those before the first that is not finite
    lowest_at: int | None = None  # the epoch of the lowest smoothed validation loss
    smoothed_from: int | None = None  # the first epoch of `smoothed`
    smoothed: list[float] | None = None  # the smoothed validation loss in its valley, one value per epoch
    earlier_low: int | None = None  # the low before a rise that passed, or may have passed
    before_divergence: OnsetStatus | None = None  # of a diverged curve: the verdict on the epochs before


class EarlyStopping(Record):
    """The epoch at which usual rules would have ended a training, None: not at all."""

    keras_patience_5: int | None
    gl_5: int | None
    pq: int | None
    up_3: int | None


class AfterBestEpoch(Record):
    """Accuracy on test by the last weights beside that by the weights of the lowest validation loss."""

    change: AccuracyChange
    n: int
    best_only: int  # images that only the best epoch's weights recognise
    final_only: int
    difference: float  # last minus best
    difference_ci95: Interval
    p_value: float  # exact McNemar
    p_adjusted: float  # Holm over the trainings of the run that were trained on

    @property
    def trained_on(self) -> bool:
        """Whether there are epochs after the best one to judge."""
        return self.change not in (AccuracyChange.LAST_EPOCH_IS_BEST, AccuracyChange.NO_FINITE_LOSS)


class Mistake(Record):
    """A test image that was taken for another class, and with which probability."""

    index: int
    truth: int
    prediction: int
    probability: float
    known_label_error: bool


class TrainingResult(Record):
    """One network trained with one seed, measured."""

    seed: int
    error: None = None
    origin: Origin
    origin_reason: str
    key: str
    folder: str  # below the artifacts folder
    precision: str
    threads: int
    seconds: float  # of fitting
    epoch_seconds: list[float]
    diverged: bool
    history: History
    test: TestMeasures
    train: Measures
    validation: Measures
    best_epoch: int | None  # of the lowest validation loss as measured
    onset: Onset
    early_stopping: EarlyStopping
    after_best: AfterBestEpoch
    mistakes: list[Mistake]
    answers_sha256: str | None = (
        None  # of trainings/MODEL-SEED.npz in the run folder; runs of before have none
    )


class FailedTraining(Record):
    """A training without a result, and why."""

    seed: int
    error: str
