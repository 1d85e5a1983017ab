"""What the arrays of a data set must be, and what becomes of their labels."""

import numpy as np
import pytest
from small_datasets import changed, small_dataset

from tasks.data.arrays import Arrays, content_digest
from tasks.data.checks import checked
from tasks.errors import UserError

TRAIN, TEST = np.arange(20) % 10, np.arange(10)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (changed(x_train=np.zeros((20, 28, 28))), r"x_train is float64; expected uint8, values 0..255. If"),
        (changed(x_train=np.zeros((20, 28, 28), np.uint16)), "x_train is uint16; expected uint8"),
        (changed(x_train=np.zeros((20, 784), np.uint8)), r"x_train has shape \(20, 784\)"),
        (changed(x_train=np.zeros((20, 3, 28, 28), np.uint8)), r"x_train has shape \(20, 3, 28, 28\)"),
        (changed(x_test=np.zeros((10, 32, 32), np.uint8)), r"28 x 28 in x_train and of 32 x 32 in x_test"),
        (changed(x_test=np.zeros((0, 28, 28), np.uint8)), r"x_test has shape \(0, 28, 28\)"),
        (
            changed(x_train=np.zeros((20, 7, 9), np.uint8)),
            "images of 7 x 9 pixels; expected 8 x 8 to 256 x 256",
        ),
        (changed(x_train=np.zeros((20, 257, 9), np.uint8)), "257 x 9 pixels; .* --image-size 64 resizes"),
        (changed(y_train=np.zeros(20)), "y_train is float64; expected whole numbers or strings"),
        (changed(y_train=np.zeros(19, np.uint8)), "one label for each of the 20 images"),
        (changed(y_train=np.zeros((20, 10), np.uint8)), "one label for each of the 20 images"),
        (changed(y_train=np.zeros(20, np.uint8)), "the number of classes is 1; expected 2 to 1,000"),
        (
            changed(y_test=TEST + 1),
            "y_test has labels that are no class of the training images: 10. The classes",
        ),
        (changed(y_test=np.minimum(TEST, 8)), "y_test has no image of class 9; expected one of each class"),
        (changed(class_names=np.arange(10)), "class_names is int64 .*; expected strings"),
        (changed(class_names=np.array(["a"] * 10)), "class_names has 'a' twice or empty"),
        (changed(class_names=np.array(list("abcdefghijk"))), "no training image of class k"),
        (
            changed(class_names=np.array(list("abc"))),
            "y_train has labels that are no class .*: 3, 4, 5 and 4 more",
        ),
        (changed(y_train=np.array([b"\xff"] * 20)), "y_train holds bytes that are no UTF-8"),
    ],
)
def test_arrays_of_another_kind_are_an_error(dataset: Arrays, message: str) -> None:
    """One line names the array, what it is and what was expected."""
    with pytest.raises(UserError, match=f"letters.npz: .*{message}") as caught:
        checked(dataset, "letters.npz")
    assert "\n" not in str(caught.value)


def test_labels_of_any_whole_number_type_become_bytes() -> None:
    """Labels are often stored as int64, images with a channel axis of one; the content is the same."""
    wide = changed(y_train=TRAIN.astype(np.int64)[:, None], x_test=small_dataset()["x_test"][..., None])
    found = checked(wide, "wide")
    assert content_digest(found.arrays) == content_digest(small_dataset())
    assert (found.class_names, found.unnamed) == (list("0123456789"), True)


def test_labels_with_gaps_are_counted_through() -> None:
    """Labels 1, 11, 21, ...: ten classes that are named by their labels, in the order of the numbers."""
    found = checked(changed(y_train=TRAIN * 10 + 1, y_test=TEST * 10 + 1), "gaps")
    assert content_digest(found.arrays) == content_digest(small_dataset())
    assert found.class_names == [str(label) for label in range(1, 101, 10)]


@pytest.mark.parametrize("kind", ["U", "S"])
def test_labels_as_strings(kind: str) -> None:
    """Their sorted distinct values are the classes; bytes are UTF-8."""
    names = np.array(["ä", "b", "c", "d", "e", "f", "g", "h", "i", "j"])
    stored = np.char.encode(names, "utf-8") if kind == "S" else names
    found = checked(changed(y_train=stored[TRAIN], y_test=stored[TEST]), "letters")
    assert found.class_names == [*"bcdefghij", "ä"]
    assert found.arrays["y_test"].tolist() == [9, 0, 1, 2, 3, 4, 5, 6, 7, 8]


def test_names_of_the_classes() -> None:
    """Whole numbers count the entries of class_names; what would steer a terminal is seen as its escape."""
    names = np.array(["shirt", "\x1b[2J", *"cdefghij"])
    assert checked(changed(class_names=names), "clothes").class_names == ["shirt", r"\x1b[2J", *"cdefghij"]


def test_more_classes_than_a_byte_has() -> None:
    """257 classes take uint16, 256 a byte."""
    for classes, kind in ((256, np.uint8), (257, np.uint16)):
        labels = np.arange(classes)
        images = np.zeros((classes, 8, 8), np.uint8)
        many = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
        found = checked(many, "many")
        assert found.arrays["y_train"].dtype == found.arrays["y_test"].dtype == kind
        assert found.arrays["y_train"].tolist() == labels.tolist()


@pytest.mark.parametrize("channels", [(), (3,)])
def test_an_image_size_stretches_every_image(channels: tuple[int, ...]) -> None:
    """Of any size before, grey or in colour; an image of one value keeps it."""
    images = {
        part: np.full((len(labels), 300, 4, *channels), 7, np.uint8)
        for part, labels in (("x_train", TRAIN), ("x_test", TEST))
    }
    found = checked(changed(**images), "wide", image_size=16)
    assert found.arrays["x_train"].shape == (20, 16, 16, *channels)
    assert (found.arrays["x_test"] == 7).all()
