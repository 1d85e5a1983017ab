"""Pictures of digits: MNIST's made harder, scikit-learn's, drawn ones, fonts.

A generator yields (picture, digit): Pillow's mode L, mostly 300 x 300, dark on light unless it says otherwise.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont, ImageOps
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
    large = Image.fromarray(255 - digit).resize((side, side), Image.Resampling.BICUBIC)
    paper.paste(large, (int(left), int(top)))
    return paper


def rotated(digit: Array, random: Random) -> Image.Image:
    """Return the digit turned by up to 10 degrees either way."""
    angle = random.uniform(-10, 10)
    return on_paper(digit, random).rotate(angle, Image.Resampling.BICUBIC, fillcolor=255)


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
    "... light on dark": lambda digit, random: ImageOps.invert(on_paper(digit, random)),
    "... rotated up to 10 degrees": rotated,
    "... JPEG, quality 30": on_paper,
    "... uneven light and noise": lambda digit, random: light_and_noise(
        1 - np.asarray(on_paper(digit, random)) / 255, random
    ),
}


def from_mnist(kind: str, images: Array, digits: Array, tuning: bool) -> Labelled:
    """Yield images of MNIST (n, 28, 28) as pictures of a kind."""
    random = np.random.default_rng([tuning, list(MNIST_KINDS).index(kind)])
    for image, digit in zip(images, digits, strict=True):
        yield MNIST_KINDS[kind](image, random), int(digit)


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
    for digit in np.arange(count) % 10:
        ways = DIGITS[digit]
        strokes = ways[random.integers(len(ways))].split(";")
        height, width = random.uniform(90, 230), random.uniform(0.55, 0.85)
        slant, angle = random.normal(0.1, 0.12), random.normal(0, 0.07)
        radius = random.uniform(0.04, 0.14) * height
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        place = SIDE / 2 + random.uniform(-25, 25, 2)
        canvas = Image.new("L", (2 * SIDE, 2 * SIDE), 0)  # twice as large: smooth edges when reduced
        pen = ImageDraw.Draw(canvas)
        for stroke in strokes:
            points = np.array([point.split(",") for point in stroke.split()], dtype=np.float64) / 100
            curve = smooth_curve(points, random.normal(0, 0.025, points.shape)) - 0.5
            curve = np.column_stack([width * curve[:, 0] - slant * curve[:, 1], curve[:, 1]])
            curve = 2 * (height * curve @ turn.T + place)
            pen.line([tuple(point) for point in curve], fill=255, width=round(2 * radius), joint="curve")
            for x, y in curve:
                pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        ink = np.asarray(canvas.reduce(2)) / 255
        yield light_and_noise(ndimage.gaussian_filter(ink, random.uniform(0, 1.5)), random), int(digit)


def smooth_curve(points: Array, shifts: Array) -> Array:
    """Return a curve (m, 2) through shifted points (k, 2), smooth but at points that follow each other twice."""
    twice = np.flatnonzero((np.diff(points, axis=0) == 0).all(axis=1))
    points = points + shifts
    points[twice + 1] = points[twice]
    pieces = []
    for part in np.split(points, twice + 1):
        along = np.concatenate([[0], np.linalg.norm(np.diff(part, axis=0), axis=1).cumsum()])
        curve = interpolate.PchipInterpolator if len(part) < 3 else interpolate.CubicSpline
        pieces.append(curve(along, part)(np.linspace(0, along[-1], 60)))
    return np.concatenate(pieces)


def from_fonts(fonts: list[Path], per_digit: int, random: Random) -> Labelled:
    """Yield each digit of each font, turned by up to 5 degrees, in sizes from 60 to 220 pixels, photographed."""
    for path, _, digit in product(fonts, range(per_digit), range(10)):
        font = ImageFont.truetype(str(path), int(random.integers(80, 281)))
        paper = Image.new("L", (SIDE, SIDE), 0)
        ImageDraw.Draw(paper).text((SIDE / 2, SIDE / 2), str(digit), fill=255, font=font, anchor="mm")
        paper = paper.rotate(random.uniform(-5, 5), Image.Resampling.BICUBIC)
        yield light_and_noise(np.asarray(paper) / 255, random), digit
