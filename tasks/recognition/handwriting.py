"""From a photo or scan of one handwritten digit to a picture like those of MNIST.

MNIST's makers fitted each digit into 20 x 20 pixels, keeping its shape, and moved its centre of mass to the
centre of 28 x 28 pixels; ink is 255, paper 0. Here a picture is an array (height, width) of float64, 0 black to
1 white, and ink is an array of the same shape, 0 for paper and 1 for a full stroke.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from tasks.errors import UserError
from tasks.wording import counted

Picture = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

FIELD, DIGIT = 28, 20  # pixels: the side of MNIST's pictures, and of the square into which a digit is fitted
CENTRE = 14.0  # the row and the column of MNIST's centres of mass, counted from 0
FINE = 4  # the digit is looked at with this many pixels for one of MNIST's
LOOKED_AT = 256  # pixels on the longer side of a picture in which the digit is searched

LEAST_CONTRAST = 0.08  # of the paper's brightness; the faintest pencil has more, unevenness of paper has less
LEAST_SIGNAL = 6.0  # times the noise
LEAST_RANGE = 0.25  # of brightness, given to ink: on nearly black paper a little noise would be much ink
LEAST_DIGIT = 8  # pixels: a smaller digit cannot be read
OUTLINE = 0.25  # share of the stroke's darkness at which a digit ends; lower, and noise would belong to it
SPECK = 0.02  # share of the largest piece's ink below which a piece is dirt
THINNEST = 2.0  # MNIST pixels; 5 % of MNIST's digits have thinner strokes
MARGIN = 0.5  # of the digit's longer side, around it: with less paper, its brightness is not known well


@dataclass(frozen=True)
class Box:
    """Part of a picture: rows `top` up to `bottom`, columns `left` up to `right`, the ends not included."""

    top: float
    bottom: float
    left: float
    right: float

    @property
    def longer_side(self) -> float:
        return max(self.bottom - self.top, self.right - self.left)


def mnist_form(picture: Picture) -> npt.NDArray[np.uint8]:
    """Return the digit of a picture as uint8 (28, 28), ink 255 on 0, fitted and centred as MNIST's are.

    Raises UserError if there is nothing to be seen, or only something too small.
    """
    ratio = min(1.0, LOOKED_AT / max(picture.shape))
    box = outline(digit_in(scaled(picture, ratio)), OUTLINE)
    if (pixels := round(box.longer_side / ratio)) < LEAST_DIGIT:
        raise UserError(
            f"the digit is only {counted(pixels, 'pixel')} tall. Expected {LEAST_DIGIT} or more: write it larger, "
            "or take the picture from nearer."
        )
    margin = MARGIN * box.longer_side
    top, left = (max(0, round((start - margin) / ratio)) for start in (box.top, box.left))
    bottom, right = (round((end + margin) / ratio) for end in (box.bottom, box.right))
    close = scaled(picture[top:bottom, left:right], ratio * FINE * DIGIT / box.longer_side)
    return centred(shrunk(thick_enough(digit_in(close))))


def scaled(picture: Picture, ratio: float) -> Picture:
    """Return the picture enlarged or reduced by `ratio`, at least one pixel each way."""
    height, width = (max(1, round(side * ratio)) for side in picture.shape)
    return resized(picture, width, height)


def resized(picture: Picture, width: int, height: int, box: Box | None = None) -> Picture:
    """Return the part `box` of a picture with `width` x `height` pixels; those that vanish are averaged."""
    part = None if box is None else (box.left, box.top, box.right, box.bottom)
    image = Image.fromarray(picture.astype(np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC, part), dtype=np.float64)


def digit_in(picture: Picture) -> Picture:
    """Return the ink of the digit in a picture, full strokes about 1, everything else 0. Raises UserError.

    The digit is the piece with the most ink, and what lies near it and is no speck; pieces that run out of the
    picture, such as the table around the paper, count for little.
    """
    contrast = evened_out(picture)
    smooth = ndimage.gaussian_filter(contrast, max(picture.shape) / 300)
    noise = spread(smooth)
    if smooth.max() < max(LEAST_CONTRAST, LEAST_SIGNAL * noise):
        raise UserError(
            f"no digit is to be seen: nothing stands out by {LEAST_CONTRAST:.0%} or more from the background. "
            "Expected one digit, dark on light or light on dark."
        )
    main = heaviest(smooth, smooth > smooth.max() / 2)
    level = np.percentile(contrast[main], 75)
    ink = contrast / level
    smooth /= level
    pieces = smooth > max(OUTLINE, 3 * noise / level)
    kept = with_neighbours(heaviest(smooth, pieces), pieces, smooth)
    reach = outline(kept.astype(float), 0.5).longer_side / DIGIT  # one pixel of MNIST's around the digit
    near = ndimage.distance_transform_edt(~kept) <= reach
    other = pieces & ~kept
    return np.where(near & ~other, ink, 0.0).clip(0, 1)


def evened_out(picture: Picture) -> Picture:
    """Return how much each pixel stands out from the background, as a share of the most that it could.

    The background is a surface of second degree: light falls off smoothly. It is fitted to most of the pixels, so
    a digit that covers less than half of the picture does not bend it. What stands out is positive, whether it is
    darker or lighter than the background.
    """
    height, width = picture.shape
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    terms = np.stack(
        [np.ones_like(rows), rows, columns, rows**2, rows * columns, columns**2], axis=-1
    ).reshape(-1, 6)
    values = picture.ravel()
    chosen = slice(None, None, max(1, values.size // 2_500) | 1)  # odd: not the same columns in every row
    some_terms, some_values = terms[chosen], values[chosen]
    surface = np.zeros(6)
    surface[0] = np.median(some_values)
    for _ in range(20):  # iterated least squares: a pixel counts less the further it is off
        off = np.abs(some_values - some_terms @ surface)
        weighted = some_terms.T / np.maximum(off, 0.01)
        surface = np.linalg.lstsq(weighted @ some_terms, weighted @ some_values, rcond=None)[0]
    background: Picture = (terms @ surface).reshape(picture.shape)
    difference: Picture = picture - background
    darker = (difference**3).sum() < 0
    most = background if darker else 1 - background
    return np.asarray((-difference if darker else difference) / np.maximum(most, LEAST_RANGE))


def spread(values: Picture) -> float:
    """Return the standard deviation of the noise, from the median of what is no ink."""
    return float(1.4826 * np.median(np.abs(values)))


def heaviest(ink: Picture, mask: Mask) -> Mask:
    """Return the connected piece of the mask with the most ink; ink counts a tenth if it leaves the picture."""
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    masses = ndimage.sum_labels(ink, labels, np.arange(1, count + 1))
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    masses[np.unique(edge[edge > 0]) - 1] *= 0.1
    return np.asarray(labels == 1 + int(masses.argmax()))


def with_neighbours(main: Mask, pieces: Mask, ink: Picture) -> Mask:
    """Return the main piece with those that lie near it, within a fifth of its size, and are no specks."""
    labels, count = ndimage.label(pieces, np.ones((3, 3)))
    numbers = np.arange(1, count + 1)
    masses = ndimage.sum_labels(ink, labels, numbers)
    distance = ndimage.distance_transform_edt(~main)
    reach = 0.2 * outline(main.astype(float), 0.5).longer_side
    belongs = np.isin(numbers, labels[distance <= reach]) & (masses >= SPECK * ink[main].sum())
    return np.isin(labels, numbers[belongs]) | main


def outline(ink: Picture, level: float) -> Box:
    """Return the smallest box around all ink above `level`."""
    rows, columns = np.flatnonzero((ink > level).any(axis=1)), np.flatnonzero((ink > level).any(axis=0))
    return Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)


def thick_enough(ink: Picture) -> Picture:
    """Return the ink with strokes at least as thick as MNIST's thin ones: a fine pen would vanish in 20 pixels."""
    strokes = np.pad(ink, 2 * FINE)
    mask = strokes > strokes.max() / 2
    # Across a stroke the distance to the paper rises to half its width and falls again: its mean is a quarter.
    width = 4 * ndimage.distance_transform_edt(mask)[mask].mean()
    unit = outline(strokes, OUTLINE).longer_side / DIGIT
    radius = round((THINNEST * unit - width) / 2)
    if radius < 1:
        return strokes
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(ndimage.grey_dilation(strokes, footprint=x**2 + y**2 <= (radius + 0.5) ** 2))


def shrunk(ink: Picture) -> Picture:
    """Return the digit reduced to 20 pixels on its longer side, its shape kept."""
    box = outline(ink, OUTLINE)
    unit = box.longer_side / DIGIT
    height, width = (max(1, round(side / unit)) for side in (box.bottom - box.top, box.right - box.left))
    y, x = (box.top + box.bottom) / 2, (box.left + box.right) / 2
    half_height, half_width = height * unit / 2, width * unit / 2
    around = Box(y - half_height, y + half_height, x - half_width, x + half_width)
    return resized(ink, width, height, around).clip(0, 1)


def centred(digit: Picture) -> npt.NDArray[np.uint8]:
    """Return a digit in 28 x 28 pixels, its centre of mass as near to the centre as whole pixels allow."""
    field = np.zeros((FIELD, FIELD), dtype=np.uint8)
    height, width = digit.shape
    y, x = ndimage.center_of_mass(digit)
    top, left = (
        min(max(round(CENTRE - centre), 0), FIELD - side) for centre, side in ((y, height), (x, width))
    )
    field[top : top + height, left : left + width] = np.round(255 * digit)
    return field
