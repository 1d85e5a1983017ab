"""How well handwriting that does not come from MNIST's files is read: accuracy by kind of picture.

    python benchmarks/handwriting.py [--run artifacts/latest] [--count 2000] [--tuning]

Pictures are made (`benchmarks/handwriting_pictures.py`), written as PNG or JPEG, read, brought to MNIST's form and
answered by every network of the run, as recognize-digit does; one that is refused counts as wrong. Prints a
Markdown table. The fonts are those of these Debian packages, as far as they are installed:

    apt-get install fonts-breip fonts-bwht fonts-dancingscript fonts-dkg-handwriting fonts-femkeklaver \
      fonts-kiloji fonts-kristi fonts-rufscript fonts-seto fonts-sjfonts

--tuning takes other images of every kind (MNIST's validation images, other random numbers, other fonts): whatever
is chosen is chosen on those, so that the table says how pictures fare that nobody looked at.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from handwriting_pictures import MNIST_KINDS, Labelled, drawn, enlarged, from_fonts
from matplotlib.ft2font import FT2Font
from PIL import ImageFont

from tasks.errors import UserError
from tasks.evaluation.measures import wilson_interval
from tasks.markdown import table
from tasks.recognition.handwriting import mnist_form
from tasks.recognition.picture_files import read_picture
from tasks.recognition.recognize import Pictures, ask_networks, networks_of
from tasks.wording import percent_with_interval

ROOT = Path(__file__).resolve().parents[1]
FONTS = (
    *("fonts-breip", "fonts-bwht", "fonts-dancingscript", "fonts-dkg-handwriting", "fonts-femkeklaver"),
    *("fonts-kiloji", "fonts-kristi", "fonts-rufscript", "fonts-seto", "fonts-sjfonts"),
)
TUNING_FONTS = (
    "fonts-comic-neue",
    "fonts-ecolier-court",
    "fonts-humor-sans",
    "fonts-klee",
    "fonts-yusei-magic",
)
PICTURES_PER_FONT_AND_DIGIT = 4
REFUSED = 255  # as a digit, which no network says
Array = npt.NDArray[Any]


def fonts_of(packages: tuple[str, ...]) -> list[Path]:
    """Return the font files of the installed ones of these Debian packages that draw all ten digits."""
    done = subprocess.run(["dpkg-query", "-L", *packages], capture_output=True, text=True)
    paths = [Path(line) for line in done.stdout.splitlines() if line.lower().endswith((".ttf", ".otf"))]
    return sorted(path for path in paths if draws_digits(path))


def draws_digits(font: Path) -> bool:
    """Return whether a font has the ten digits, and ink in each."""
    has = set(FT2Font(font).get_charmap())
    return all(
        ord(digit) in has and any(ImageFont.truetype(font, 50).getmask(digit)) for digit in "0123456789"
    )


def mnist_images(count: int, tuning: bool) -> tuple[Array, Array]:
    """Return `count` images (n, 28, 28) of MNIST and their digits (n,): of test, or of validation for tuning."""
    with np.load(ROOT / "artifacts" / "data" / "mnist.npz", allow_pickle=False) as mnist:
        part, first = ("train", 54_000) if tuning else ("test", 0)
        images, digits = mnist[f"x_{part}"][first:], mnist[f"y_{part}"][first:]
    chosen = np.sort(np.random.default_rng(0).choice(len(images), count, replace=False))
    return images[chosen], digits[chosen]


def kinds(images: Array, digits: Array, fonts: list[Path], tuning: bool) -> dict[str, Labelled]:
    """Return the pictures of each kind."""
    made: dict[str, Labelled] = {}
    for number, (name, change) in enumerate(MNIST_KINDS.items()):
        random = np.random.default_rng([tuning, number])
        made[name] = changed(images, digits, change, random)
    random = np.random.default_rng([tuning, 100])
    made["scikit-learn's digits, 8 x 8, enlarged"] = enlarged(range(int(tuning), 1797, 2))
    made["drawn by code, uneven light, noise"] = drawn(len(images) // 2, random)
    if fonts:
        made[f"{len(fonts)} handwriting fonts, uneven light, noise"] = from_fonts(
            fonts, PICTURES_PER_FONT_AND_DIGIT, random
        )
    return made


def changed(images: Array, digits: Array, change: Any, random: np.random.Generator) -> Labelled:
    """Yield images of MNIST as pictures of one kind."""
    for image, digit in zip(images, digits, strict=True):
        yield change(image, random), int(digit)


def in_mnist_form(pictures: Labelled, jpeg: bool, folder: Path) -> tuple[Array, Array]:
    """Return pictures as recognize-digit brings them to MNIST's form, (n, 28, 28), and their digits (n,)."""
    forms, digits = [], []
    path = folder / ("picture.jpg" if jpeg else "picture.png")
    for picture, digit in pictures:
        picture.save(path, **({"quality": 30} if jpeg else {"compress_level": 1}))
        try:
            forms.append(mnist_form(read_picture(path)))
            digits.append(digit)
        except UserError:
            forms.append(np.zeros((28, 28), dtype=np.uint8))
            digits.append(REFUSED)
    return np.array(forms), np.array(digits)


def main() -> None:
    """Make, read and answer all pictures; print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--run", type=Path, default=ROOT / "artifacts" / "latest")
    parser.add_argument("--count", type=int, default=2000, help="MNIST images of each kind")
    parser.add_argument("--tuning", action="store_true")
    arguments = parser.parse_args()
    networks = networks_of(arguments.run)
    fonts = fonts_of(TUNING_FONTS if arguments.tuning else FONTS)
    images, digits = mnist_images(arguments.count, arguments.tuning)
    seen = {"MNIST's own 28 x 28 images": (images, digits)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind, pictures in kinds(images, digits, fonts, arguments.tuning).items():
            seen[kind] = in_mnist_form(pictures, "JPEG" in kind, folder)
        every_form = np.concatenate([forms for forms, _ in seen.values()])
        np.savez(folder / "images.npz", images=every_form)
        stored = Pictures(str(folder / "images.npz"), [""] * len(every_form), {})
        said = ask_networks.fn(stored, networks)
    answers = {network: np.argmax(values, axis=1) for network, values in said.items()}
    rows, start = [], 0
    for kind, (_, truth) in seen.items():
        n = len(truth)
        cells = [kind, f"{n:,}", str((truth == REFUSED).sum())]
        for answer in answers.values():
            right = int((answer[start : start + n] == truth).sum())
            cells.append(percent_with_interval(right / n, wilson_interval(right, n)))
        rows.append(cells)
        start += n
    print(table(["pictures", "n", "refused", *answers], rows))
    if not fonts:
        return
    of_fonts = seen[kind][1].reshape(len(fonts), -1)  # the last kind
    for network, answer in answers.items():
        shares = (answer[-of_fonts.size :].reshape(of_fonts.shape) == of_fonts).mean(axis=1)
        worst = [f"{fonts[i].stem} {shares[i]:.0%}" for i in np.argsort(shares, kind="stable")[:6]]
        print(f"\nFonts that {network} reads least: {', '.join(worst)}.")


if __name__ == "__main__":
    main()
