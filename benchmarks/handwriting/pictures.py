"""Pictures of digits: MNIST's made harder, scikit-learn's, drawn ones, fonts.

A generator yields (picture, digit): Pillow's mode L, mostly 300 x 300, dark on light unless it says otherwise.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from scipy import interpolate, ndimage
from sklearn.datasets import load_digits

Labelled = Iterator[tuple[Image.Image, int]]
Random = np.random.Generator
Array = npt.NDArray[Any]
SIDE = 300  # pixels

# How people write each digit; several ways of writing it follow each other. Strokes are parted by ";": smooth
# curves through points "x,y" in a box of 100 x 100, y down. A corner is a point named twice.
DIGITS = {
    0: ["50,0 12,30 15,75 50,100 85,70 85,25 50,0"],
    1: ["50,0 50,50 48,100", "30,22 45,10 55,0 55,0 55,50 55,100"],
    2: [
        "15,25 45,0 80,20 60,60 12,100 12,100 50,100 90,100",
        "15,20 50,0 80,25 50,75 15,95 30,82 55,98 90,93",
    ],
    3: ["18,12 50,0 80,20 45,46 45,46 85,70 55,100 15,88"],
    4: ["30,0 20,35 12,60 12,60 50,60 90,58; 65,20 62,100", "62,100 64,50 65,0 65,0 40,35 10,65 10,65 92,65"],
    5: ["28,3 26,25 24,45 24,45 55,40 82,68 50,100 15,90; 28,3 55,3 85,1"],
    6: ["70,0 35,30 15,70 45,100 80,78 55,55 20,75"],
    7: ["12,5 50,4 88,2 88,2 60,45 40,100", "12,5 50,4 88,2 88,2 60,45 40,100; 35,50 82,48"],
    8: ["75,15 50,0 22,20 50,45 80,75 50,100 20,75 50,47 75,20"],
    9: ["78,20 45,2 18,28 45,50 78,22 75,60 60,100", "78,20 45,2 18,28 45,50 78,22 78,22 76,65 72,100"],
}


def on_paper(digit: Array, random: Random) -> Image.Image:
    """Return a picture of MNIST (28, 28) enlarged to 160..260 pixels, somewhere on white paper."""
    side = int(random.integers(160, 261))
    left, top = random.integers(0, SIDE - side, size=2, endpoint=True)
    paper = Image.new("L", (SIDE, SIDE), 255)
    enlarged_digit = Image.fromarray(255 - digit).resize((side, side), Image.Resampling.BICUBIC)
    paper.paste(enlarged_digit, (int(left), int(top)))
    return paper


def inverted(digit: Array, random: Random) -> Image.Image:
    """Return the digit light on dark."""
    return Image.fromarray(255 - np.asarray(on_paper(digit, random)))


def rotated(digit: Array, random: Random) -> Image.Image:
    """Return the digit turned by up to 10 degrees either way."""
    angle = random.uniform(-10, 10)
    return on_paper(digit, random).rotate(angle, Image.Resampling.BICUBIC, fillcolor=255)


def photographed(digit: Array, random: Random) -> Image.Image:
    """Return the digit in grey ink on greyish paper, under light that falls off to one side, with noise."""
    ink = 1 - np.asarray(on_paper(digit, random)) / 255
    return light_and_noise(ink, random)


def light_and_noise(ink: Array, random: Random) -> Image.Image:
    """Return ink (h, w), 0 to 1, on paper, with up to half of the light missing at one side and noise."""
    rows, columns = np.mgrid[-1 : 1 : ink.shape[0] * 1j, -1 : 1 : ink.shape[1] * 1j]
    angle, fall, vignette = random.uniform(0, 2 * np.pi), random.uniform(0, 0.25), random.uniform(0, 0.15)
    light = 1 - fall * (1 + (np.cos(angle) * rows + np.sin(angle) * columns) / np.sqrt(2))
    light -= vignette * (rows**2 + columns**2) / 2
    picture = random.uniform(0.8, 1) * light * (1 - random.uniform(0.5, 0.9) * ink)
    picture += random.normal(0, random.uniform(0.01, 0.05), ink.shape)
    return Image.fromarray((255 * picture).clip(0, 255).astype(np.uint8))


MNIST_KINDS: dict[str, Callable[[Array, Random], Image.Image]] = {
    "MNIST, 300 x 300, dark on light": on_paper,
    "... light on dark": inverted,
    "... rotated up to 10 degrees": rotated,
    "... JPEG, quality 30": on_paper,
    "... uneven light and noise": photographed,
}


def from_mnist(images: Array, digits: Array, seed: int) -> dict[str, Labelled]:
    """Return images of MNIST (n, 28, 28) as pictures of each kind."""

    def changed(change: Callable[[Array, Random], Image.Image], random: Random) -> Labelled:
        for image, digit in zip(images, digits, strict=True):
            yield change(image, random), int(digit)

    return {
        name: changed(change, np.random.default_rng([seed, number]))
        for number, (name, change) in enumerate(MNIST_KINDS.items())
    }


def enlarged(numbers: Iterable[int]) -> Labelled:
    """Yield these of scikit-learn's 1,797 digits of 8 x 8 pixels, enlarged 25 times, with borders."""
    digits = load_digits()
    for number in numbers:
        picture = Image.fromarray(np.round(255 - digits.images[number] * 255 / 16).astype(np.uint8))
        paper = Image.new("L", (SIDE, SIDE), 255)
        paper.paste(picture.resize((200, 200), Image.Resampling.BICUBIC), (50, 50))
        yield paper, int(digits.target[number])


def drawn(count: int, random: Random) -> Labelled:
    """Yield digits drawn with a round pen along curves that no two times are the same, photographed."""
    for number in range(count):
        digit = number % 10
        ways = DIGITS[digit]
        strokes = strokes_of(ways[random.integers(len(ways))])
        height, width = random.uniform(90, 230), random.uniform(0.55, 0.85)
        slant, angle = random.normal(0.1, 0.12), random.normal(0, 0.07)
        pen = random.uniform(0.04, 0.14) * height
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        place = SIDE / 2 + random.uniform(-25, 25, 2)
        canvas = Image.new("L", (2 * SIDE, 2 * SIDE), 0)  # twice as large: smooth edges when reduced
        for stroke in strokes:
            points = stroke + random.normal(0, 0.025, stroke.shape)
            corners = np.flatnonzero((np.diff(stroke, axis=0) == 0).all(axis=1))
            points[corners + 1] = points[corners]
            curve = smooth_curve(points) - 0.5
            curve = np.column_stack([width * curve[:, 0] - slant * curve[:, 1], curve[:, 1]])
            draw_stroke(canvas, 2 * (height * curve @ turn.T + place), pen)
        ink = np.asarray(canvas.reduce(2)) / 255
        yield light_and_noise(ndimage.gaussian_filter(ink, random.uniform(0, 1.5)), random), digit


def strokes_of(text: str) -> list[Array]:
    """Return the strokes, points (k, 2) from 0 to 1, that one entry of DIGITS describes."""
    strokes = [[point.split(",") for point in stroke.split()] for stroke in text.split(";")]
    return [np.array(stroke, dtype=np.float64) / 100 for stroke in strokes]


def smooth_curve(points: Array) -> Array:
    """Return a curve (m, 2) through points (k, 2), smooth but at points that follow each other twice."""
    corners = [0, *(np.flatnonzero((np.diff(points, axis=0) == 0).all(axis=1)) + 1), len(points)]
    pieces = []
    for start, end in pairwise(corners):
        part = points[start:end]
        along = np.concatenate([[0], np.linalg.norm(np.diff(part, axis=0), axis=1).cumsum()])
        curve = interpolate.PchipInterpolator if len(part) < 3 else interpolate.CubicSpline
        pieces.append(curve(along, part)(np.linspace(0, along[-1], 60)))
    return np.concatenate(pieces)


def draw_stroke(canvas: Image.Image, curve: Array, width: float) -> None:
    """Draw a curve (m, 2) with a round pen; the canvas has twice the resolution of `width`."""
    pen = ImageDraw.Draw(canvas)
    pen.line([tuple(point) for point in curve], fill=255, width=round(2 * width), joint="curve")
    for x, y in curve:
        pen.ellipse((x - width, y - width, x + width, y + width), fill=255)


def from_fonts(fonts: list[Path], per_digit: int, random: Random) -> Labelled:
    """Yield each digit of each font, turned by up to 5 degrees, in sizes from 60 to 220 pixels, photographed."""
    for path in fonts:
        for number in range(10 * per_digit):
            digit = number % 10
            font = ImageFont.truetype(str(path), int(random.integers(80, 281)))
            paper = Image.new("L", (SIDE, SIDE), 0)
            ImageDraw.Draw(paper).text((SIDE / 2, SIDE / 2), str(digit), fill=255, font=font, anchor="mm")
            paper = paper.rotate(random.uniform(-5, 5), Image.Resampling.BICUBIC)
            yield light_and_noise(np.asarray(paper) / 255, random), digit
