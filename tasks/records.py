"""The frozen records that travel between tasks: plain values, paths as text; Prefect can store them."""

from dataclasses import dataclass

# What each network has a default of its own for: results.json holds what was used.
PLANNED = ("epochs", "learning_rate", "learning_rate_schedule")


@dataclass(frozen=True)
class Dataset:
    """Four arrays on disk, verified: x_train (n, 28, 28), y_train (n,), x_test and y_test alike, uint8."""

    name: str  # "mnist", "fashion-mnist", or from the name of the user's file or folder
    path: str  # npz file with the four arrays
    digest: str  # SHA-256 over shapes and bytes of the four arrays
    source: str  # which source served, in words
    is_mnist: bool  # whether the content is exactly MNIST's


@dataclass(frozen=True)
class PreparedData:
    """The arrays that trainings read, on disk: uint8 images with a channel axis, split like Keras's."""

    dataset: Dataset
    path: str  # npz: x_train, y_train, x_validation, y_validation, x_test, y_test, train_sample
    digest: str  # SHA-256 over those arrays, independent of where the file lies
    validation_split: float
    train_samples: int | None
    counts: dict[str, int]  # images of each split
    class_counts: dict[str, list[int]]  # images of each class (0..9) of each split
    shapes: dict[str, list[int]]  # the data set's own arrays
    y_test_head: list[int]
    y_test_tail: list[int]
    images_path: str  # npz: preview (10, 28, 28), first image of each class; first_zero (28, 28) = x_train[1]


@dataclass(frozen=True)
class Training:
    """One network fitted with one seed: what its folder in the store holds, and where that came from."""

    model: str
    seed: int
    origin: str  # "trained", "resumed" or "reused"
    origin_reason: str  # why it was reused, resumed or trained anew, in words
    key: str  # digest of all that determines the result
    folder: str  # absolute path
    precision: str  # "float32" or "mixed_bfloat16"
    threads: int


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` wrote into the run folder about one training."""

    model: str
    seed: int
    # json: model, parameter_count, summary, and the training's entry in results.json. Beside it an npz of the same
    # name: predicted (n,) uint8, right (n,) bool on test; mistakes (k, 28, 28) uint8
    path: str
