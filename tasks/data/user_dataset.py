"""A data set that a person names: an npz file, a folder of IDX files, or a folder of pictures."""

import re
from pathlib import Path

import numpy as np

from tasks.data.arrays import CLASS_NAMES, Arrays, Report, read_idx_folder, read_npz
from tasks.data.checks import LabelledImages, checked
from tasks.data.picture_folder import read_picture_folder
from tasks.errors import UserError
from tasks.wording import shortened

LABELS = "labels.txt"  # beside IDX files: the name of each class, one a line, in the order of the labels
# Data sets whose files do not name their classes, by the digest of their content.
KNOWN_NAMES = {
    "5f552c97d0dd4e7589f58482d26c937d3d4bc444cfbae98f8522b0e101b51a3e": [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ]
}


def read_user_dataset(path: Path, image_size: int | None, skip_broken: bool, warn: Report) -> LabelledImages:
    """Return what the user's `path` holds, checked; with an image size each image has it. Raises UserError."""
    try:
        if (path / "train").is_dir():
            return read_picture_folder(path, image_size, skip_broken, warn)
        if path.is_dir():
            arrays = read_idx_folder(path) | names_in(path / LABELS)
        elif path.is_file():
            arrays = read_npz(path, str(path))
        else:
            raise UserError(
                f"There is no file or folder {path}. --dataset takes 'mnist', the path of an npz file, "
                "of a folder with the four IDX files, or of one with pictures, train/<class>/*.png."
            )
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    return checked(arrays, str(path), image_size)


def names_in(path: Path) -> Arrays:
    """Return the names of the classes in a text file, one a line, as an array; nothing if it is not there."""
    if not path.is_file():
        return {}
    try:
        lines = path.read_text(encoding="utf-8").rstrip().splitlines()
    except UnicodeDecodeError:
        raise UserError(f"{path} is no UTF-8; expected the name of a class in each line.") from None
    return {CLASS_NAMES: np.array(lines, dtype=np.str_)}


def name_of(path: Path) -> str:
    """Return a name for the data set at `path`, fit for files and headings; never "mnist"."""
    name = re.sub(r"[\W_]+", "-", path.name.removesuffix(".npz").lower()).strip("-") or "unnamed"
    return "not-mnist" if name == "mnist" else shortened(name, 100)
