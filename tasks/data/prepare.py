"""prepare-mnist: the split, the shape that networks take, and the arrays that every training reads."""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from tasks.data.arrays import NAMES, Arrays, Report, content_digest, keep, read_npz
from tasks.data.download import VerifiedDataset
from tasks.data.memory import check_training
from tasks.data.samples import even_sample, stratified_sample
from tasks.errors import UserError, writing_to
from tasks.files import lock, remove_temporary_files

MOST_PREVIEWED = 24  # classes; a picture of more tells nobody anything
PARTS = ("train", "validation", "test")
SMALLEST_VALIDATION = 10  # images; of fewer, a loss says nothing


@dataclass(frozen=True)
class PreparedData:
    """The arrays that trainings read, on disk: uint8 images with a channel axis, split as Keras splits."""

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


def class_counts(labels: NDArray[Any], classes: int) -> list[int]:
    """Return the number of images of each class, by label."""
    return [int(count) for count in np.bincount(labels, minlength=classes)]


def number_of_classes(arrays: Arrays) -> int:
    """Return how many classes a checked data set has: each has a training image."""
    return int(arrays["y_train"].max()) + 1


def split(arrays: Arrays, validation_split: float, train_samples: int | None) -> Arrays:
    """Return the arrays that trainings read.

    x_train (n, height, width, channels) and y_train (n,); x_validation, y_validation, x_test, y_test alike; and
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
        "x_train": with_channels(x_train),
        "y_train": y_train,
        "x_validation": with_channels(arrays["x_train"][fitted:]),
        "y_validation": arrays["y_train"][fitted:],
        "x_test": with_channels(arrays["x_test"]),
        "y_test": arrays["y_test"],
        "train_sample": even_sample(len(x_train), len(arrays["x_train"]) - fitted),
    }


def with_channels(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return images as (n, height, width, channels); grey ones have one channel."""
    return images[..., np.newaxis] if images.ndim == 3 else images


def repeated(known: NDArray[np.uint8], images: NDArray[np.uint8]) -> int:
    """Return how many of `images` are among the `known` ones, pixel for pixel; both uint8 (n, ...)."""
    seen = {digest_of_image(image) for image in known}  # the pixels themselves would be the images once more
    return sum(digest_of_image(image) in seen for image in images)


def digest_of_image(image: NDArray[np.uint8]) -> bytes:
    """Return 16 bytes that no two images share, so to speak."""
    return hashlib.blake2b(image.tobytes(), digest_size=16).digest()


def blank(images: NDArray[np.uint8]) -> int:
    """Return how many images (n, height, width, channels) have but one colour."""
    return int((np.ptp(images, axis=(1, 2)) == 0).all(axis=1).sum())


def preview(arrays: Arrays, is_mnist: bool) -> Arrays:
    """Return the pictures that the report shows.

    preview (k, height, width) or (k, height, width, 3): the first training image of each class, of the first
    classes where they are many. Of MNIST also first_zero (28, 28): x_train[1], at which the tutorial looks.
    """
    shown = range(min(number_of_classes(arrays), MOST_PREVIEWED))
    pictures = {"preview": arrays["x_train"][[int(np.argmax(arrays["y_train"] == label)) for label in shown]]}
    return pictures | {"first_zero": arrays["x_train"][1]} if is_mnist else pictures


def prepare(
    dataset: VerifiedDataset,
    validation_split: float,
    train_samples: int | None,
    folder: Path,
    report: Report,
    warn: Report | None = None,
    *,
    batch_size: int = 128,
    at_a_time: int = 1,
) -> PreparedData:
    """Keep the arrays for training, and the preview, in `folder`; return their record.

    Raises UserError, also if so many trainings at a time, by batches of this size, would not fit into memory.
    """
    arrays = read_npz(Path(dataset.path), dataset.path)
    if content_digest(arrays) != dataset.digest:
        raise UserError(f"{dataset.path} has changed since it was verified. Run again: it will be replaced.")
    prepared = split(arrays, validation_split, train_samples)
    counts = {part: len(prepared[f"y_{part}"]) for part in PARTS}
    check_training(dataset.name, counts, prepared["x_train"].shape[1:], batch_size, at_a_time)
    digest = content_digest(prepared)
    path = folder / f"prepared-{digest[:12]}.npz"
    images_path = folder / f"images-{dataset.digest[:12]}.npz"
    with writing_to(folder), lock(folder):
        remove_temporary_files(folder)
        keep(path, prepared, warn or report)
        keep(images_path, preview(arrays, dataset.is_mnist), warn or report)
    record = PreparedData(
        dataset=dataset,
        path=str(path),
        digest=digest,
        validation_split=validation_split,
        train_samples=train_samples,
        counts=counts,
        class_counts={part: class_counts(prepared[f"y_{part}"], number_of_classes(arrays)) for part in PARTS},
        shapes={name: list(arrays[name].shape) for name in NAMES},
        y_test_head=arrays["y_test"][:3].tolist(),
        y_test_tail=arrays["y_test"][-3:].tolist(),
        repeated_test_images=repeated(prepared["x_train"], prepared["x_test"]),
        blank_images=sum(blank(prepared[f"x_{part}"]) for part in PARTS),
        images_path=str(images_path),
    )
    report(", ".join(f"{part} {count:,}" for part, count in record.counts.items()) + " images.")
    if 0 in record.class_counts["validation"]:
        (warn or report)("Some class has no validation image; is the data set sorted by class? Shuffle it.")
    return record


@task(name="prepare-mnist", task_run_name="prepare-mnist", cache_policy=NO_CACHE, persist_result=False)
def prepare_mnist(
    dataset: VerifiedDataset,
    validation_split: float,
    train_samples: int | None,
    artifacts_dir: str,
    batch_size: int = 128,
    at_a_time: int = 1,
) -> PreparedData:
    """Split the data set, add the channel axis and keep what every training reads."""
    logger = get_run_logger()
    folder = Path(artifacts_dir).resolve() / "data"
    return prepare(
        dataset,
        validation_split,
        train_samples,
        folder,
        logger.info,
        logger.warning,
        batch_size=batch_size,
        at_a_time=at_a_time,
    )
