"""Picture files of strangers, PNG or JPEG: opened safely, upright and on white, or one line that says why not."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from tasks.errors import UserError

MOST_PIXELS = 64_000_000  # decoding one of this size takes up to 1 GB; a small file can hold far more
ORIENTATION, LYING = 0x0112, (5, 6, 7, 8)  # the EXIF tag, and its values that exchange width and height
GREY_MODES = ("1", "L", "LA", "La")


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Yield the picture in a file, of an animated one the first; its pixels are not decoded yet.

    Raises UserError, also for what is found out while it is decoded, if it is no file, not PNG or JPEG, damaged or
    huge; the message does not name the file.
    """
    try:
        if not path.is_file():  # a pipe of that name would be waited for
            what = "it is no regular file" if path.exists() else "there is no such file"
            raise UserError(f"{what}. Expected the path of a PNG or JPEG picture.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is lower
            image = Image.open(path, formats=("PNG", "JPEG"))
        with image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise UserError(too_large(f"{width} x {height}"))
            yield image
    except UserError:
        raise
    except Image.DecompressionBombError:
        raise UserError(too_large("more than 100 million")) from None
    except PermissionError:
        raise UserError("the file may not be read. Give yourself the permission to (chmod u+r).") from None
    except Exception as error:  # whatever a decoder says to bytes that anyone may have written
        reason = (
            "it is neither" if isinstance(error, UnidentifiedImageError) else " ".join(f"{error}".split())
        )
        raise UserError(
            f"it cannot be read as PNG or JPEG ({reason}). Save the picture again in one of these formats."
        ) from None


def too_large(pixels: str) -> str:
    """Return what is said of a picture with too many pixels."""
    return (
        f"the picture is huge, {pixels} pixels. Expected {MOST_PIXELS // 1_000_000} million at most: "
        "cut out what matters or scale the picture down."
    )


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Return the height and width of an opened picture when it stands as its EXIF data say; nothing is decoded."""
    width, height = image.size
    return (width, height) if image.getexif().get(ORIENTATION) in LYING else (height, width)


def is_grey(image: Image.Image) -> bool:
    """Return whether a picture is stored without colours; a grey one may be stored with them."""
    return image.mode in GREY_MODES or image.mode.startswith("I")


def upright_on_white(image: Image.Image) -> Image.Image:
    """Return an opened picture as its EXIF data say, with 8 bits a channel, on white where it is transparent."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits, which Pillow would cut off at 255
        image = Image.fromarray((np.asarray(image) / 257).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image


def resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return a picture stretched to a height and width; shrunk, each pixel is an average."""
    return image if image.size == size[::-1] else image.resize(size[::-1], Image.Resampling.BICUBIC)


def resized_images(images: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return images (n, height, width) or (n, height, width, 3) stretched to `side` x `side`."""
    made = np.empty((len(images), side, side, *images.shape[3:]), np.uint8)
    for image, place in zip(images, made, strict=True):
        place[:] = resized(Image.fromarray(image), (side, side))
    return made
