"""A whole run: its networks, what they are compared with, the images, and how it was made."""

from typing import Literal

from pydantic import JsonValue

from tasks.results.comparison import Gate, Pair, PreviousRun
from tasks.results.enums import OnsetStatus, Status, Step
from tasks.results.training import Epochs, FailedTraining, Interval, Record, TrainingResult

SCHEMA_VERSION = 4
TUTORIAL_NETWORKS = ("dense", "cnn", "regularized_cnn")


class Spread(Record):
    """A number over the `n` seeds that have it; the standard deviation needs two.

    The 95 % interval is of the mean: with one seed for other images, with more for other images and trainings.
    """

    n: int
    mean: float
    standard_deviation: float | None
    minimum: float
    maximum: float
    interval: Interval | None  # None if the NLL of a training is not finite


class OnsetOverSeeds(Record):
    """How many seeds show an onset within `epochs`, and where; each seed is one of the first four."""

    observed: int
    excluded: int  # no rise that matters lasts to the end: no onset up to there
    undecided: int
    failed: int  # degrading, or diverged without an onset before
    seeds: int
    epochs: int
    median_epoch: float | None  # over observed and excluded seeds, if more than half of them show an onset
    range: Epochs | None
    status_counts: dict[OnsetStatus, int]


class Aggregate(Record):
    """A network over its seeds."""

    n_seeds: int
    test_accuracy: Spread
    test_nll: Spread | None  # None if every training diverged
    onset: OnsetOverSeeds


class Plan(Record):
    """What a network was to be trained with; the run's parameters may leave these to the network."""

    epochs: int
    learning_rate: float
    learning_rate_schedule: str
    averages_weights: bool = False


class ModelResult(Plan):
    """One network: what it is, its trainings in the order of their seeds, and what they say together."""

    parameter_count: int | None
    summary: str | None  # as Keras prints it
    trainings: list[TrainingResult | FailedTraining]
    aggregate: Aggregate | None  # None if no training has a result

    @property
    def finished(self) -> list[TrainingResult]:
        return [training for training in self.trainings if isinstance(training, TrainingResult)]

    @property
    def sound(self) -> list[TrainingResult]:
        """The finished trainings whose loss stayed finite."""
        return [training for training in self.finished if not training.diverged]


class Failure(Record):
    """A step that failed, of which network and seed, and why."""

    task: Step
    model: str
    seed: int
    error: str


class Dataset(Record):
    """The images: what they are, where they came from, how they were split."""

    name: str
    path: str  # below the artifacts folder
    digest: str
    source: str
    is_mnist: bool  # exactly MNIST's images and labels
    class_names: list[str]  # by label
    shapes: dict[str, list[int]]
    y_test_head: list[int]
    y_test_tail: list[int]
    counts: dict[str, int]  # images of train, validation and test
    class_counts: dict[str, list[int]]
    pixel_scaling: str
    validation_split: float
    train_samples: int | None
    prepared_digest: str
    repeated_test_images: int  # test images that are training images too, pixel for pixel
    blank_images: int  # images, of all splits, of one colour
    broken_pictures: int  # that could not be read and were left out
    test_set_aside: bool  # whether the test images were drawn from those given for training

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of each image; one channel is grey, three are red, green and blue."""
        _, height, width, *channels = self.shapes["x_train"]
        return height, width, channels[0] if channels else 1

    @property
    def is_digits(self) -> bool:
        """Whether the images are like MNIST's, so that handwriting can be brought to their form."""
        named_so = self.class_names == list("0123456789")
        return self.is_mnist or (self.image_shape == (28, 28, 1) and named_so)


class Provenance(Record):
    """When, where and with what the run was made, and how to repeat it."""

    run: str
    started: str  # ISO 8601
    duration_seconds: float
    commit: str | None
    uncommitted_changes: bool | None
    python: str
    platform: str
    processor: str
    cores: int | None
    memory_bytes: int
    versions: dict[str, str]
    digest: str = ""  # of what was measured: two runs that measured the same have the same
    flow_run_name: str
    flow_run_id: str
    deployment: str | None
    command: str
    threads: int
    trainings_at_a_time: int
    precision: dict[str, str]  # of each network


class Results(Record):
    """A whole run."""

    schema_version: Literal[4] = 4
    status: Status
    parameters: dict[str, JsonValue]
    provenance: Provenance
    dataset: Dataset
    models: dict[str, ModelResult]
    comparisons: list[Pair]
    gates: list[Gate]
    failures: list[Failure]
    previous_run: PreviousRun | None

    @property
    def finished(self) -> dict[str, ModelResult]:
        """The networks that have a result, in the order of the run."""
        return {name: model for name, model in self.models.items() if model.aggregate}

    @property
    def best(self) -> str | None:
        """The network of the highest mean test accuracy."""
        return max(self.finished, key=lambda name: self.accuracy(name).mean, default=None)

    def accuracy(self, name: str) -> Spread:
        """The test accuracy over the seeds of a network that has a result."""
        aggregate = self.models[name].aggregate
        assert aggregate is not None
        return aggregate.test_accuracy

    @property
    def is_tutorial(self) -> bool:
        """Whether the tutorial's questions and figures fit: one of its networks on MNIST."""
        return self.dataset.is_mnist and any(name in self.models for name in TUTORIAL_NETWORKS)

    @property
    def several_seeds(self) -> bool:
        """Whether a network was trained, or was to be trained, with more than one seed."""
        return any(len(model.trainings) > 1 for model in self.models.values())

    def pair(self, *names: str) -> Pair | None:
        """The comparison of two networks, in whichever order it names them."""
        return next((pair for pair in self.comparisons if set(pair.models) == set(names)), None)
