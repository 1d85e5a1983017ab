"""A folder of pictures, train/<class>/*.png and test/<class>/*.png, to the arrays of a data set."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.data.arrays import Arrays, Report
from tasks.data.checks import LabelledImages, check_size, checked, some
from tasks.data.memory import check_reading
from tasks.data.picture_files import is_grey, opened, resized, upright_on_white, upright_size
from tasks.data.samples import shuffled, stratified_sample
from tasks.errors import UserError
from tasks.printable import in_one_line

ENDINGS = (".png", ".jpg", ".jpeg")
SET_ASIDE = 0.2  # of the pictures of each class are for testing where there is no folder test


@dataclass(frozen=True)
class Header:
    """What a picture's file says before it is decoded."""

    size: tuple[int, int]  # height and width, standing upright
    grey: bool


@dataclass(frozen=True)
class Picture:
    """A picture file of a class."""

    path: Path
    part: str  # "train" or "test"
    class_name: str


def read_picture_folder(
    folder: Path, image_size: int | None, skip_broken: bool, warn: Report
) -> LabelledImages:
    """Return the data set in a folder of pictures: grey if all of them are stored without colours.

    All have one size, or are stretched to `image_size` x `image_size`. Without a folder `test` a fifth of the
    pictures of each class is set aside. Raises UserError; for pictures that cannot be read, which are named to
    `warn`, only unless they are to be skipped.
    """
    pictures = [picture for part in ("train", "test") for picture in pictures_in(folder, part, warn)]
    broken: dict[Path, str] = {}
    headers: dict[Path, Header] = {}
    for picture in pictures:
        try:
            with opened(picture.path) as image:
                headers[picture.path] = Header(upright_size(image), is_grey(image))
        except UserError as error:
            broken[picture.path] = str(error)
    size = common_size(folder, headers, image_size) if headers else (1, 1)
    grey = all(header.grey for header in headers.values())
    check_reading(str(folder), len(headers) * size[0] * size[1] * (1 if grey else 3))
    images = np.empty((len(pictures), *size, *(() if grey else (3,))), np.uint8)
    for place, picture in enumerate(pictures):
        if picture.path in headers:
            try:
                images[place] = pixels(picture.path, size, grey)
            except UserError as error:
                broken[picture.path] = str(error)
    for path, reason in broken.items():
        warn(
            f"{in_one_line(str(path))} is left out: {reason}"
            if skip_broken
            else f"{in_one_line(str(path))}: {reason}"
        )
    if broken and not skip_broken:
        names = some([str(path.relative_to(folder)) for path in broken])
        raise UserError(
            f"{folder}: {len(broken):,} of {len(pictures):,} pictures cannot be read: {names}. Mend or remove "
            "them, or go on without them: --skip-broken."
        )
    sound = np.array([picture.path not in broken for picture in pictures])
    found = checked(arrays_of(pictures, images, sound, folder), str(folder))
    if lost := sorted({picture.class_name for picture in pictures} - set(found.class_names)):
        raise UserError(
            f"{folder}: no picture of class {some(lost)} can be read; expected some of each class."
        )
    only_train = all(picture.part == "train" for picture in pictures)
    return replace(found, broken_pictures=len(broken), test_set_aside=only_train)


def pictures_in(folder: Path, part: str, warn: Report) -> list[Picture]:
    """Return the pictures of each class in `folder`/`part`, none if it is not there. Raises UserError."""
    if part == "test" and not (folder / part).exists():
        return []
    classes = [path for path in visible(folder / part) if path.is_dir()]
    if not classes:
        raise UserError(f"{folder / part} holds no folders; expected one for each class.")
    found: list[Picture] = []
    left_out: list[str] = []
    for path in classes:
        names = [file for file in visible(path) if file.suffix.lower() in ENDINGS]
        left_out += [str(file.relative_to(folder)) for file in visible(path) if file not in names]
        if not names:
            raise UserError(
                f"{in_one_line(str(path))} holds no picture ({', '.join(ENDINGS)}). Remove the folder, or put the "
                "pictures of its class there."
            )
        found += [Picture(file, part, in_one_line(path.name)) for file in names]
    if left_out:
        warn(
            f"{folder}: {len(left_out):,} entries that are no {', '.join(ENDINGS)} are left out: {some(left_out)}."
        )
    return found


def visible(folder: Path) -> list[Path]:
    """Return what lies in a folder, sorted, without hidden files such as .DS_Store."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def common_size(folder: Path, headers: dict[Path, Header], image_size: int | None) -> tuple[int, int]:
    """Return the height and width that all pictures have, or are to have. Raises UserError."""
    if image_size is not None:
        return image_size, image_size
    first_of_size = {header.size: path for path, header in reversed(headers.items())}
    if len(first_of_size) > 1:
        examples = [
            f"{path.relative_to(folder)} {height} x {width}"
            for (height, width), path in first_of_size.items()
        ]
        raise UserError(
            f"{folder}: the pictures have {len(examples):,} sizes: {some(examples[::-1])}. Name one for all: "
            "--image-size 64."
        )
    [size] = first_of_size
    check_size(*size, str(folder))
    return size


def pixels(path: Path, size: tuple[int, int], grey: bool) -> NDArray[np.uint8]:
    """Return a picture as uint8 (height, width), or with colours (height, width, 3), stretched to the size."""
    with opened(path) as image:
        image = upright_on_white(image).convert("L" if grey else "RGB")
        return np.asarray(resized(image, size))


def arrays_of(
    pictures: list[Picture], images: NDArray[np.uint8], sound: NDArray[np.bool_], folder: Path
) -> Arrays:
    """Return the arrays of the sound ones of these pictures, whose images are (n, ...).

    Those for training are in an order by chance: in folders they are sorted by class, and validation is the end.
    """
    labels = np.array([picture.class_name for picture in pictures])
    test = np.array([picture.part == "test" for picture in pictures])
    if not test.any():
        places = np.flatnonzero(sound)
        names, counts = np.unique(labels[sound], return_counts=True)
        if alone := names[counts < 2].tolist():
            raise UserError(
                f"{folder / 'train'} has one picture of class {some(alone)}; expected two or more: without a "
                "folder test one in five is set aside for testing."
            )
        test[places[stratified_sample(labels[sound], max(len(names), round(SET_ASIDE * len(places))))]] = True
    train, test = np.flatnonzero(sound & ~test), np.flatnonzero(sound & test)
    train = train[shuffled(len(train))]
    return {
        "x_train": images[train],
        "y_train": labels[train],
        "x_test": images[test],
        "y_test": labels[test],
    }
