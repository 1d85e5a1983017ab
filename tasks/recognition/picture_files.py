"""A picture file to brightness, in which a digit is looked for."""

from pathlib import Path

import numpy as np
from PIL import Image

from tasks.data.picture_files import opened, upright_on_white
from tasks.errors import UserError
from tasks.recognition.handwriting import Picture

LEAST_SIDES = (4, 16)  # pixels: the shorter and the longer side
KEPT_SIDE = 1024  # pixels: a picture with more than twice that on its longer side is reduced when it is read


def read_picture(path: Path) -> Picture:
    """Return the brightness of a PNG or JPEG file, float64 (height, width), 0 black to 1 white.

    It stands upright as its EXIF data say, and lies on white paper where it is transparent. Raises UserError if it
    is not there, not such a file, damaged, too small or huge; the message does not name the file.
    """
    with opened(path) as image:
        width, height = image.size
        if min(image.size) < LEAST_SIDES[0] or max(image.size) < LEAST_SIDES[1]:
            raise UserError(
                f"the picture is too small, {width} x {height} pixels. Expected {LEAST_SIDES[1]} or more on the "
                f"longer side and {LEAST_SIDES[0]} on the other: take a larger one."
            )
        return brightness(image)


def brightness(image: Image.Image) -> Picture:
    """Return the brightness (height, width) of an opened image, upright, on white, reduced if it is large."""
    image.draft("L", (KEPT_SIDE, KEPT_SIDE))  # JPEG can be decoded smaller at once; others ignore it
    image = upright_on_white(image).convert("L").reduce(max(1, max(image.size) // KEPT_SIDE))
    return np.asarray(image, dtype=np.float64) / 255
