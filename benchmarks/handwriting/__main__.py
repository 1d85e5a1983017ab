"""How well handwriting that does not come from MNIST's files is read: accuracy by kind of picture.

    python -m benchmarks.handwriting [--run artifacts/latest] [--count 2000] [--tuning]

Pictures are made (pictures.py; --count MNIST images of each kind), written as PNG or JPEG, read, brought to
MNIST's form and answered by every network of the run, as recognize-digit does; one that is refused counts as
wrong. Prints a Markdown table. The fonts are those of these Debian packages, as far as they are installed:

    apt-get install fonts-breip fonts-bwht fonts-dancingscript fonts-dkg-handwriting fonts-femkeklaver \
      fonts-kiloji fonts-kristi fonts-rufscript fonts-seto fonts-sjfonts

--tuning takes other images of every kind (MNIST's validation images, other random numbers, other fonts): whatever
is chosen is chosen on those, so that the table says how pictures fare that nobody looked at.
"""

import subprocess
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.ft2font import FT2Font
from PIL import ImageFont

from benchmarks import common
from benchmarks.handwriting import pictures
from benchmarks.handwriting.pictures import Array, Labelled
from tasks.errors import UserError
from tasks.evaluation.measures import wilson_interval
from tasks.markdown import table
from tasks.recognition.handwriting import mnist_form
from tasks.recognition.picture_files import read_picture
from tasks.recognition.recognize import Pictures, ask_networks, named_run
from tasks.wording import percent_with_interval

FONTS = (
    *("breip", "bwht", "dancingscript", "dkg-handwriting", "femkeklaver"),
    *("kiloji", "kristi", "rufscript", "seto", "sjfonts"),
)
TUNING_FONTS = ("comic-neue", "ecolier-court", "humor-sans", "klee", "yusei-magic")
PICTURES_PER_FONT_AND_DIGIT = 4
REFUSED = 255  # as a digit, which no network says


def installed_fonts(names: tuple[str, ...]) -> list[Path]:
    """Return the font files of those of the Debian packages fonts-NAME that draw all ten digits."""
    command = ["dpkg-query", "-L", *(f"fonts-{name}" for name in names)]
    lines = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    paths = [Path(line) for line in lines if line.lower().endswith((".ttf", ".otf"))]
    return sorted(path for path in paths if all(map(partial(draws, path), "0123456789")))


def draws(font: Path, digit: str) -> bool:
    """Return whether a font has a digit, and ink in it."""
    return ord(digit) in FT2Font(font).get_charmap() and any(ImageFont.truetype(font, 50).getmask(digit))


def mnist_images(count: int, tuning: bool) -> tuple[Array, Array]:
    """Return `count` images (n, 28, 28) of MNIST and their digits (n,): of test, or of validation for tuning."""
    with np.load(common.mnist(), allow_pickle=False) as mnist:
        part, first = ("train", common.FITTED) if tuning else ("test", 0)
        images, digits = mnist[f"x_{part}"][first:], mnist[f"y_{part}"][first:]
    chosen = np.sort(np.random.default_rng(0).choice(len(images), count, replace=False))
    return images[chosen], digits[chosen]


def kinds(images: Array, digits: Array, fonts: list[Path], tuning: bool) -> dict[str, Labelled]:
    """Return the pictures of each kind; those of fonts, if there are any, are the last."""
    made = {kind: pictures.from_mnist(kind, images, digits, tuning) for kind in pictures.MNIST_KINDS}
    random = np.random.default_rng([tuning, 100])
    made["scikit-learn's digits, 8 x 8, enlarged"] = pictures.enlarged(range(int(tuning), 1797, 2))
    made["drawn by code, uneven light, noise"] = pictures.drawn(len(images) // 2, random)
    if fonts:
        name = f"{len(fonts)} handwriting fonts, uneven light, noise"
        made[name] = pictures.from_fonts(fonts, PICTURES_PER_FONT_AND_DIGIT, random)
    return made


def in_mnist_form(made: Labelled, jpeg: bool, folder: Path) -> tuple[Array, Array]:
    """Return pictures as recognize-digit brings them to MNIST's form, (n, 28, 28), and their digits (n,)."""
    answered: list[tuple[Array, int]] = []
    path = folder / ("picture.jpg" if jpeg else "picture.png")
    for picture, digit in made:
        picture.save(path, **({"quality": 30} if jpeg else {"compress_level": 1}))
        try:
            answered.append((mnist_form(read_picture(path)), digit))
        except UserError:
            answered.append((np.zeros((28, 28), dtype=np.uint8), REFUSED))
    forms, digits = zip(*answered, strict=True)
    return np.array(forms), np.array(digits)


def worst_fonts(fonts: list[Path], right: Array) -> str:
    """Return the names of six fonts and their shares of `right`, which holds a truth value for each picture."""
    shares = right.reshape(len(fonts), -1).mean(axis=1)
    return ", ".join(f"{fonts[i].stem} {shares[i]:.0%}" for i in np.argsort(shares, kind="stable")[:6])


def main(
    *, run: Path = common.PROJECT / "artifacts" / "latest", count: int = 2000, tuning: bool = False
) -> None:
    """Make, read and answer all pictures; print the table."""
    networks = named_run(run).networks
    fonts = installed_fonts(TUNING_FONTS if tuning else FONTS)
    images, digits = mnist_images(count, tuning)
    seen = {"MNIST's own 28 x 28 images": (images, digits)}
    with tempfile.TemporaryDirectory() as name:
        for kind, made in kinds(images, digits, fonts, tuning).items():
            seen[kind] = in_mnist_form(made, "JPEG" in kind, Path(name))
        forms, truth = (np.concatenate(parts) for parts in zip(*seen.values(), strict=True))
        np.savez(Path(name, "images.npz"), images=forms)
        said = ask_networks.fn(Pictures(str(Path(name, "images.npz")), [""] * len(forms), {}), networks)
    ends = np.cumsum([len(digits) for _, digits in seen.values()])[:-1]
    right = {name: np.split(np.argmax(values, axis=1) == truth, ends) for name, values in said.items()}
    rows = []
    for place, (kind, (_, digits)) in enumerate(seen.items()):
        n, correct = len(digits), [int(parts[place].sum()) for parts in right.values()]
        shares = [percent_with_interval(k / n, wilson_interval(k, n)) for k in correct]
        rows.append([kind, f"{n:,}", str((digits == REFUSED).sum()), *shares])
    print(table(["pictures", "n", "refused", *right], rows))
    for network, parts in right.items() if fonts else ():
        print(f"\nFonts that {network} reads least: {worst_fonts(fonts, parts[-1])}.")


if __name__ == "__main__":
    common.run(main)
