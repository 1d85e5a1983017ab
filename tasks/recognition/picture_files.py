"""Picture files of strangers: PNG or JPEG to brightness, or one line that says why not."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from tasks.errors import UserError
from tasks.recognition.handwriting import Picture

MOST_PIXELS = 64_000_000  # decoding one of this size takes up to 1 GB; a small file can hold far more
LEAST_SIDES = (4, 16)  # pixels: the shorter and the longer side
KEPT_SIDE = 1024  # pixels: a picture with more than twice that on its longer side is reduced when it is read


def read_picture(path: Path) -> Picture:
    """Return the brightness of a PNG or JPEG file, float64 (height, width), 0 black to 1 white.

    It stands upright as its EXIF data say, and lies on white paper where it is transparent. Raises UserError if it
    is not there, not such a file, damaged, too small or huge; the message does not name the file.
    """
    try:
        if not path.is_file():
            raise UserError("there is no such file. Expected the path of a PNG or JPEG picture.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is lower
            image = Image.open(path, formats=("PNG", "JPEG"))
        with image:
            check_size(*image.size)
            return brightness(image)
    except UserError:
        raise
    except Image.DecompressionBombError:
        raise UserError(too_large("more than 100 million")) from None
    except PermissionError:
        raise UserError("the file may not be read. Give yourself the permission to (chmod u+r).") from None
    except Exception as error:  # whatever a decoder says to bytes that anyone may have written
        reason = "it is neither" if isinstance(error, UnidentifiedImageError) else f"{error}"
        raise UserError(
            f"it cannot be read as PNG or JPEG ({reason}). Save the picture again in one of these formats."
        ) from None


def check_size(width: int, height: int) -> None:
    """Raise UserError if a picture with these sides, in pixels, is too small or huge. Nothing is decoded yet."""
    if width * height > MOST_PIXELS:
        raise UserError(too_large(f"{width} x {height}"))
    if min(width, height) < LEAST_SIDES[0] or max(width, height) < LEAST_SIDES[1]:
        raise UserError(
            f"the picture is too small, {width} x {height} pixels. Expected {LEAST_SIDES[1]} or more on the "
            f"longer side and {LEAST_SIDES[0]} on the other: take a larger one."
        )


def too_large(pixels: str) -> str:
    """Return what is said of a picture with too many pixels."""
    return (
        f"the picture is huge, {pixels} pixels. Expected {MOST_PIXELS // 1_000_000} million at most: "
        "cut the digit out or scale the picture down."
    )


def brightness(image: Image.Image) -> Picture:
    """Return the brightness (height, width) of an opened image, upright, on white, reduced if it is large."""
    image.draft("L", (KEPT_SIDE, KEPT_SIDE))  # JPEG can be decoded smaller at once; others ignore it
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits, which Pillow would cut off at 255
        image = Image.fromarray((np.asarray(image) / 257).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("L").reduce(max(1, max(image.size) // KEPT_SIDE))
    return np.asarray(image, dtype=np.float64) / 255
