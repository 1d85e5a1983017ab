"""prepare-mnist: the split, the shape that networks take, and the arrays that every training reads."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from tasks.data.arrays import NAMES, Arrays, Report, checked, content_digest, keep, read_npz
from tasks.data.download import VerifiedDataset
from tasks.errors import UserError, writing_to
from tasks.files import lock, remove_temporary_files

PARTS = ("train", "validation", "test")
SMALLEST_VALIDATION = 10  # images; of fewer, a loss says nothing
SAMPLE_SEED = 0  # of both samples: which images are fitted must not vary with the seed of a training


@dataclass(frozen=True)
class PreparedData:
    """The arrays that trainings read, on disk: uint8 images with a channel axis, split like Keras's."""

    dataset: VerifiedDataset
    path: str  # npz: x_train, y_train, x_validation, y_validation, x_test, y_test, train_sample
    digest: str  # SHA-256 over those arrays, independent of where the file lies
    validation_split: float
    train_samples: int | None
    counts: dict[str, int]  # images of each split
    class_counts: dict[str, list[int]]  # images of each class, by label, of each split
    shapes: dict[str, list[int]]  # the data set's own arrays
    y_test_head: list[int]
    y_test_tail: list[int]
    repeated_test_images: int  # test images that are training images too, pixel for pixel
    blank_images: int  # images, of all splits, whose pixels are all equal
    images_path: str  # npz with the pictures that the report shows: see `preview`


def split_at(images: int, validation_split: float, classes: int) -> int:
    """Return how many of the first images are fitted; those behind are validation, as Keras splits.

    The formula is that of `train_validation_split` in Keras: floor(n * (1 - validation_split)).
    Raises UserError if too few are left on either side.
    """
    if not 0 < validation_split < 1:
        raise UserError(
            f"validation_split is {validation_split}; expected a fraction between 0 and 1, as 0.1."
        )
    fitted = math.floor(images * (1.0 - validation_split))
    if fitted < classes or images - fitted < SMALLEST_VALIDATION:
        raise UserError(
            f"validation_split {validation_split} leaves {fitted} training and {images - fitted} validation "
            f"images of {images}; expected at least {classes} and {SMALLEST_VALIDATION}."
        )
    return fitted


def stratified_sample(labels: NDArray[Any], size: int) -> NDArray[np.int64]:
    """Return `size` sorted indices, the classes in their proportions, each at least once if there are no more.

    Each image gets its place in its shuffled class, as a fraction of the class: 0, 1/n, 2/n, ... The lowest
    fractions are taken. So a larger sample contains every smaller one.
    """
    order = np.random.default_rng(SAMPLE_SEED).permutation(len(labels))
    shuffled = labels[order]
    place = np.empty(len(labels))
    for label in np.unique(shuffled):
        members = shuffled == label
        place[members] = np.arange(members.sum()) / members.sum()
    return np.sort(order[np.argsort(place, kind="stable")[:size]])


def even_sample(images: int, size: int) -> NDArray[np.int64]:
    """Return `size` sorted indices below `images`, or all of them if there are no more."""
    chosen = np.random.default_rng(SAMPLE_SEED).choice(images, min(images, size), replace=False)
    return np.sort(chosen).astype(np.int64)


def class_counts(labels: NDArray[Any], classes: int) -> list[int]:
    """Return the number of images of each class, by label."""
    return [int(count) for count in np.bincount(labels, minlength=classes)]


def number_of_classes(arrays: Arrays) -> int:
    """Return how many classes a checked data set has: each has a training image."""
    return int(arrays["y_train"].max()) + 1


def split(arrays: Arrays, validation_split: float, train_samples: int | None) -> Arrays:
    """Return the arrays that trainings read.

    x_train (n, 28, 28, 1) and y_train (n,), uint8; x_validation, y_validation, x_test, y_test alike; and
    train_sample (m,): indices into x_train, as many as validation has images, on which the training loss is
    measured that is compared with validation's. `train_samples` reduces x_train alone. Raises UserError.
    """
    classes = number_of_classes(arrays)
    fitted = split_at(len(arrays["x_train"]), validation_split, classes)
    chosen: slice | NDArray[np.int64] = slice(fitted)
    if train_samples is not None:
        if not classes <= train_samples <= fitted:
            raise UserError(
                f"train_samples is {train_samples}; expected {classes} (an image of each class) to {fitted} "
                "(all that validation leaves), or nothing for all."
            )
        chosen = stratified_sample(arrays["y_train"][:fitted], train_samples)
    x_train, y_train = arrays["x_train"][chosen], arrays["y_train"][chosen]
    absent = sorted(set(range(classes)) - set(y_train.tolist()))
    if absent:
        raise UserError(
            f"The training images hold none of class {absent} once the last {validation_split:.0%} are set "
            "aside for validation. If the data set is sorted by class, shuffle it."
        )
    return {
        "x_train": x_train[..., np.newaxis],
        "y_train": y_train,
        "x_validation": arrays["x_train"][fitted:, ..., np.newaxis],
        "y_validation": arrays["y_train"][fitted:],
        "x_test": arrays["x_test"][..., np.newaxis],
        "y_test": arrays["y_test"],
        "train_sample": even_sample(len(x_train), len(arrays["x_train"]) - fitted),
    }


def repeated(known: NDArray[np.uint8], images: NDArray[np.uint8]) -> int:
    """Return how many of `images` are among the `known` ones, pixel for pixel; both uint8 (n, ...)."""
    seen = {image.tobytes() for image in known}
    return sum(image.tobytes() in seen for image in images)


def preview(arrays: Arrays) -> Arrays:
    """Return the pictures that the report shows.

    preview (10, 28, 28): the first image of each class; first_zero (28, 28): the second training image, which
    is the first zero of MNIST.
    """
    first_of_class = [
        int(np.argmax(arrays["y_train"] == digit)) for digit in range(number_of_classes(arrays))
    ]
    return {"preview": arrays["x_train"][first_of_class], "first_zero": arrays["x_train"][1]}


def prepare(
    dataset: VerifiedDataset,
    validation_split: float,
    train_samples: int | None,
    folder: Path,
    report: Report,
    warn: Report | None = None,
) -> PreparedData:
    """Keep the arrays for training, and the preview, in `folder`; return their record. Raises UserError."""
    arrays = checked(read_npz(Path(dataset.path), dataset.path), dataset.path)
    if content_digest(arrays) != dataset.digest:
        raise UserError(f"{dataset.path} has changed since it was verified. Run again: it will be replaced.")
    prepared = split(arrays, validation_split, train_samples)
    digest = content_digest(prepared)
    path = folder / f"prepared-{digest[:12]}.npz"
    images_path = folder / f"images-{dataset.digest[:12]}.npz"
    with writing_to(folder), lock(folder):
        remove_temporary_files(folder)
        keep(path, prepared, warn or report)
        keep(images_path, preview(arrays), warn or report)
    record = PreparedData(
        dataset=dataset,
        path=str(path),
        digest=digest,
        validation_split=validation_split,
        train_samples=train_samples,
        counts={part: len(prepared[f"y_{part}"]) for part in PARTS},
        class_counts={part: class_counts(prepared[f"y_{part}"], number_of_classes(arrays)) for part in PARTS},
        shapes={name: list(arrays[name].shape) for name in NAMES},
        y_test_head=arrays["y_test"][:3].tolist(),
        y_test_tail=arrays["y_test"][-3:].tolist(),
        repeated_test_images=repeated(prepared["x_train"], prepared["x_test"]),
        blank_images=sum(int((np.ptp(prepared[f"x_{part}"], axis=(1, 2, 3)) == 0).sum()) for part in PARTS),
        images_path=str(images_path),
    )
    report(", ".join(f"{part} {count:,}" for part, count in record.counts.items()) + " images.")
    if 0 in record.class_counts["validation"]:
        (warn or report)("Some class has no validation image; is the data set sorted by class? Shuffle it.")
    return record


@task(name="prepare-mnist", task_run_name="prepare-mnist", cache_policy=NO_CACHE, persist_result=False)
def prepare_mnist(
    dataset: VerifiedDataset, validation_split: float, train_samples: int | None, artifacts_dir: str
) -> PreparedData:
    """Split the data set, add the channel axis and keep what every training reads."""
    logger = get_run_logger()
    folder = Path(artifacts_dir).resolve() / "data"
    return prepare(dataset, validation_split, train_samples, folder, logger.info, logger.warning)
