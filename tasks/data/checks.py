"""What a data set must be: uint8 images of one size, a label for each, the same classes in train and test."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.data.arrays import Arrays
from tasks.data.picture_files import resized_images
from tasks.errors import UserError
from tasks.printable import in_one_line

SIDES = (8, 256)  # pixels: the shortest and the longest side of an image
MOST_CLASSES = 1000
PIXELS = "expected uint8, values 0..255"


@dataclass(frozen=True)
class LabelledImages:
    """A data set in memory: its four arrays, the names of its classes by label, and how it was read.

    x_train, x_test: uint8 (n, height, width), colour (n, height, width, 3). y_train, y_test: (n,), uint8 for up to
    256 classes, else uint16; each class is in both.
    """

    arrays: Arrays
    class_names: list[str]
    unnamed: bool = False  # whether the names are but the labels' numbers
    broken_pictures: int = 0  # that were left out
    test_set_aside: bool = False  # whether the test images were drawn from those given for training


def checked(arrays: Mapping[str, NDArray[Any]], name: str, image_size: int | None = None) -> LabelledImages:
    """Return the data set of these arrays, which `name` calls in messages. Raises UserError.

    Labels are whole numbers, with gaps or not, or strings; the sorted distinct ones are the classes. An array
    `class_names` names them: then numbers count its entries from 0, and strings are among them. With `image_size`
    the images are stretched to so many pixels each way.
    """
    images = {
        part: checked_images(arrays[f"x_{part}"], f"{name}: x_{part}", image_size)
        for part in ("train", "test")
    }
    train, test = images.values()
    if train.shape[1:] != test.shape[1:]:
        raise UserError(
            f"{name}: images of {size_of(train)} in x_train and of {size_of(test)} in x_test; expected one size."
        )
    labels = {
        part: checked_labels(arrays[f"y_{part}"], f"{name}: y_{part}", len(images[part])) for part in images
    }
    named = arrays.get("class_names")
    values, names = classes_of(labels["train"], None if named is None else checked_names(named, name), name)
    return LabelledImages(
        {
            **{f"x_{part}": images[part] for part in images},
            **{f"y_{part}": numbered(labels[part], values, names, f"{name}: y_{part}") for part in images},
        },
        names,
        unnamed=named is None and labels["train"].dtype.kind in "iu",
    )


def size_of(images: NDArray[Any]) -> str:
    """Return the size of images in words: "28 x 28", "32 x 32 x 3"."""
    return " x ".join(map(str, images.shape[1:]))


def checked_images(images: NDArray[Any], name: str, image_size: int | None) -> NDArray[np.uint8]:
    """Return images as uint8 (n, height, width) or (n, height, width, 3). Raises UserError."""
    if images.dtype != np.uint8:
        scaled = " If they are 0..1: (255 * x).round().astype('uint8')." if images.dtype.kind == "f" else ""
        raise UserError(f"{name} is {images.dtype}; {PIXELS}.{scaled}")
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    if images.ndim not in (3, 4) or images.shape[3:] not in ((), (3,)) or len(images) == 0:
        raise UserError(
            f"{name} has shape {images.shape}; expected (n, height, width) or (n, height, width, 3)."
        )
    if image_size is not None:
        images = resized_images(images, image_size)
    check_size(images.shape[1], images.shape[2], name)
    return np.ascontiguousarray(images)


def check_size(height: int, width: int, name: str) -> None:
    """Raise UserError if images of this size are too small or too large."""
    least, most = SIDES
    if not (least <= min(height, width) and max(height, width) <= most):
        raise UserError(
            f"{name}: images of {height} x {width} pixels; expected {least} x {least} to {most} x {most}. "
            "--image-size 64 resizes them."
        )


def checked_labels(labels: NDArray[Any], name: str, images: int) -> NDArray[Any]:
    """Return labels (n,) that are whole numbers or strings. Raises UserError."""
    if labels.shape == (images, 1):
        labels = labels[:, 0]
    if labels.dtype.kind not in "iuSU":
        raise UserError(f"{name} is {labels.dtype}; expected whole numbers or strings.")
    if labels.shape != (images,):
        raise UserError(
            f"{name} has shape {labels.shape}; expected one label for each of the {images} images."
        )
    return text_of(labels, name)


def text_of(labels: NDArray[Any], name: str) -> NDArray[Any]:
    """Return labels with bytes read as UTF-8. Raises UserError."""
    if labels.dtype.kind != "S":
        return labels
    try:
        return np.char.decode(labels, "utf-8")
    except UnicodeDecodeError:
        raise UserError(f"{name} holds bytes that are no UTF-8; expected text.") from None


def checked_names(names: NDArray[Any], name: str) -> list[str]:
    """Return the names of the classes in an array. Raises UserError."""
    if names.dtype.kind not in "SU" or names.ndim != 1:
        raise UserError(f"{name}: class_names is {names.dtype} {names.shape}; expected strings (classes,).")
    found = [in_one_line(each).strip() for each in text_of(names, f"{name}: class_names").tolist()]
    twice = sorted({each for each in found if found.count(each) > 1 or not each})
    if twice:
        raise UserError(
            f"{name}: class_names has {twice[0]!r} twice or empty; expected a name for each class."
        )
    return found


def classes_of(labels: NDArray[Any], named: list[str] | None, name: str) -> tuple[NDArray[Any], list[str]]:
    """Return the labels' distinct values, sorted, and the name of each. Raises UserError.

    `labels` are those of the training images, `named` what the data set calls its classes.
    """
    if named is None:
        values = np.unique(labels)
        names = [in_one_line(str(value)) for value in values.tolist()]
    else:
        values, names = (np.arange(len(named)), named) if labels.dtype.kind in "iu" else by_value(named)
    if not 2 <= len(names) <= MOST_CLASSES:
        raise UserError(f"{name}: the number of classes is {len(names):,}; expected 2 to {MOST_CLASSES:,}.")
    if absent := [each for value, each in zip(values, names, strict=True) if value not in labels]:
        raise UserError(f"{name}: no training image of class {some(absent)}; expected one of each class.")
    return values, names


def by_value(names: list[str]) -> tuple[NDArray[Any], list[str]]:
    """Return names sorted, as the values of labels and as names."""
    return np.array(sorted(names)), sorted(names)


def numbered(labels: NDArray[Any], values: NDArray[Any], names: list[str], name: str) -> NDArray[Any]:
    """Return each label's place among the sorted values. Raises UserError for another label or an absent one."""
    other = np.unique(labels[~np.isin(labels, values)]).tolist()
    if other:
        raise UserError(
            f"{name} has labels that are no class of the training images: {some([str(each) for each in other])}. "
            f"The classes are {some(values.astype(str).tolist())}."
        )
    places = np.searchsorted(values, labels).astype(np.uint8 if len(values) <= 256 else np.uint16)
    if absent := sorted(set(range(len(values))) - set(np.unique(places).tolist())):
        raise UserError(
            f"{name} has no image of class {some([names[place] for place in absent])}; expected one of each class."
        )
    return places


def some(names: list[str]) -> str:
    """Return the first three names, and how many more there are."""
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return in_one_line(", ".join(names[:3])) + more
