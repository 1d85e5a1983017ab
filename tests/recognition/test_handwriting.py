"""From pictures of any kind to MNIST's form: what changes nothing, what is refused, and in which words."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tasks.data.picture_files import MOST_PIXELS
from tasks.errors import UserError
from tasks.recognition.handwriting import mnist_form
from tasks.recognition.picture_files import read_picture

SAME = 0.05  # mean difference of two forms, in parts of full ink; two different digits differ by 0.15


@pytest.fixture(scope="module")
def digits(mnist: Path) -> NDArray[np.uint8]:
    """The first 20 test images of MNIST."""
    with np.load(mnist) as data:
        return np.asarray(data["x_test"][:20])


def on_paper(digit: NDArray[np.uint8], side: int = 220, left: int = 40, top: int = 40) -> NDArray[np.float64]:
    """A digit of MNIST enlarged to `side` pixels, dark on 300 x 300 white ones: float64, 0 black to 1 white."""
    paper = Image.new("L", (300, 300), 255)
    paper.paste(Image.fromarray(255 - digit).resize((side, side), Image.Resampling.BICUBIC), (left, top))
    return np.asarray(paper) / 255


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """The mean difference of two forms, as a share of full ink."""
    return float(np.abs(one.astype(float) - other).mean() / 255)


def test_form(digits: NDArray[np.uint8]) -> None:
    """The longer side is 20 pixels; the centre of mass is MNIST's, as near as whole pixels allow."""
    for digit in digits:
        form = mnist_form(on_paper(digit))
        assert form.shape == (28, 28)
        assert form.dtype == np.uint8
        rows, columns = np.nonzero(form.max(axis=1) > 30)[0], np.nonzero(form.max(axis=0) > 30)[0]
        assert 19 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 20
        grid, mass = np.indices(form.shape), form.sum(dtype=float)
        centre = [(axis * form).sum() / mass for axis in grid]
        assert np.abs(np.array(centre) - 14).max() <= 0.51


def test_mnist_comes_back(digits: NDArray[np.uint8]) -> None:
    """A digit of MNIST drawn large, dark on light, becomes nearly the digit it was."""
    differences = [difference(mnist_form(on_paper(digit)), digit) for digit in digits]
    assert np.mean(differences) < 0.03
    assert max(differences) < 0.12  # one pixel to the side, where rounding goes the other way


def test_inversion(digits: NDArray[np.uint8]) -> None:
    """Light on dark or dark on light is all the same."""
    for digit in digits:
        picture = on_paper(digit)
        assert difference(mnist_form(picture), mnist_form(1 - picture)) < 0.001


@pytest.mark.parametrize("place", [(160, 0, 0), (160, 140, 140), (100, 150, 20), (260, 20, 20)])
def test_place_and_size(digits: NDArray[np.uint8], place: tuple[int, int, int]) -> None:
    """Where the digit is in the picture, and how large, hardly matters."""
    pairs = [(mnist_form(on_paper(digit)), mnist_form(on_paper(digit, *place))) for digit in digits]
    assert np.mean([difference(*pair) for pair in pairs]) < SAME


def test_uneven_light(digits: NDArray[np.uint8]) -> None:
    """Half the light on one side, and noise, leave the form as it is."""
    random = np.random.default_rng(0)
    light = np.linspace(1, 0.5, 300)
    pictures = [on_paper(digit) for digit in digits]
    photos = [picture * light + random.normal(0, 0.02, picture.shape) for picture in pictures]
    pairs = zip(map(mnist_form, pictures), map(mnist_form, photos), strict=True)
    assert np.mean([difference(*pair) for pair in pairs]) < SAME


def test_dirt_and_table(digits: NDArray[np.uint8]) -> None:
    """Specks, and a dark table beside the paper, do not belong to the digit."""
    for digit in digits[:10]:
        picture = on_paper(digit, 180, 60, 60)
        dirty = picture.copy()
        dirty[20:24, 270:274] = dirty[260:263, 30:33] = 0
        dirty[:, :15] = 0.1
        assert difference(mnist_form(picture), mnist_form(dirty)) < SAME


def test_small_digit_on_large_picture(digits: NDArray[np.uint8]) -> None:
    """A digit that fills a fifteenth of a photo is looked at closely."""
    for digit in digits[:5]:
        photo = np.full((1500, 2000), 0.9)
        small = Image.fromarray(255 - digit).resize((140, 140), Image.Resampling.BICUBIC)
        photo[900:1040, 300:440] = 0.9 * np.asarray(small) / 255
        assert difference(mnist_form(photo), mnist_form(on_paper(digit))) < SAME


def test_fine_pen() -> None:
    """A line of 2 pixels in a digit of 240 is thickened: it would be a tenth as dark as MNIST's strokes."""
    picture = Image.new("L", (300, 300), 255)
    ImageDraw.Draw(picture).ellipse((90, 30, 210, 270), outline=0, width=2)
    form = mnist_form(np.asarray(picture) / 255)
    assert form.max() > 200
    assert form.sum() > 255 * 40


def test_two_strokes_that_do_not_touch() -> None:
    """The bar of a 5 that does not touch the rest belongs to the digit."""
    picture = Image.new("L", (300, 300), 255)
    pen = ImageDraw.Draw(picture)
    pen.arc((100, 120, 200, 250), -90, 150, fill=0, width=12)
    pen.line((110, 60, 110, 125), fill=0, width=12)
    pen.line((128, 60, 200, 60), fill=0, width=12)
    form = mnist_form(np.asarray(picture) / 255)
    assert (form[:8, 15:20] > 128).any()


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_blank(level: float) -> None:
    """Nothing but paper is refused, also with noise and light that falls off."""
    random = np.random.default_rng(0)
    blank = np.full((200, 300), level)
    for picture in (blank, blank * np.linspace(1, 0.7, 300) + random.normal(0, 0.03, blank.shape)):
        with pytest.raises(UserError, match="no digit is to be seen"):
            mnist_form(picture.clip(0, 1))


def test_speck() -> None:
    """A speck is no digit."""
    picture = np.ones((300, 300))
    picture[100:105, 100:104] = 0
    with pytest.raises(UserError, match=r"only \d pixels tall"):
        mnist_form(picture)


@pytest.mark.parametrize("shape", [(4, 16), (16, 4), (4, 60), (60, 5), (2000, 8)])
def test_odd_shapes(shape: tuple[int, int]) -> None:
    """Any shape that may be read is answered or refused, not a crash."""
    picture = np.ones(shape)
    picture[shape[0] // 4 : -(shape[0] // 4), shape[1] // 4 : -(shape[1] // 4)] = 0
    with contextlib.suppress(UserError):
        assert mnist_form(picture).shape == (28, 28)


def written(folder: Path, image: Image.Image, name: str = "picture.png", **options: object) -> Path:
    """The path of a picture file."""
    image.save(folder / name, **options)
    return folder / name


def ramp() -> Image.Image:
    """A picture 40 pixels wide and 30 high, white but for its dark upper left quarter."""
    pixels = np.full((30, 40), 255, dtype=np.uint8)
    pixels[:15, :20] = 0
    return Image.fromarray(pixels)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_modes_of_png(tmp_path: Path, mode: str) -> None:
    """Every kind of PNG is read as the same brightness."""
    deep = Image.fromarray(np.asarray(ramp()).astype(np.uint16) * 257)
    image = deep if mode == "I;16" else ramp().convert(mode)
    picture = read_picture(written(tmp_path, image))
    assert np.abs(picture - np.asarray(ramp()) / 255).max() < 0.01


def test_transparency(tmp_path: Path) -> None:
    """What is transparent is white paper, whatever colour lies hidden there."""
    pixels = np.zeros((30, 40, 4), dtype=np.uint8)
    pixels[:15, :20, 3] = 255
    picture = read_picture(written(tmp_path, Image.fromarray(pixels)))
    assert (picture == np.asarray(ramp()) / 255).all()


@pytest.mark.parametrize("name", ["picture.jpg", "picture.png"])
def test_orientation(tmp_path: Path, name: str) -> None:
    """A photo taken with the camera on its side stands upright."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    picture = read_picture(written(tmp_path, ramp(), name, exif=exif))
    assert picture.shape == (40, 30)
    assert picture[:15, 18:].max() < 0.2 < 0.8 < picture[25:].min()


def test_large_photo_is_reduced(tmp_path: Path) -> None:
    """A photo of 4096 x 3072 pixels is read as 1024 x 768."""
    picture = read_picture(written(tmp_path, ramp().resize((4096, 3072)), "photo.jpg"))
    assert picture.shape == (768, 1024)


def test_refused_files(tmp_path: Path) -> None:
    """What is no picture, damaged, missing, too small or huge is one line that says so and what to do."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (100, 100), dtype=np.uint8))
    whole = written(tmp_path, noise).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("seven")
    (tmp_path / "empty.jpg").write_bytes(b"")
    Image.new("L", (50, 50)).save(tmp_path / "other.gif")
    Image.new("L", (10, 12)).save(tmp_path / "small.png")
    Image.new("1", (10_000, MOST_PIXELS // 10_000 + 1)).save(tmp_path / "huge.png")
    Image.new("1", (20_000, 10_000)).save(tmp_path / "bomb.png")  # Pillow itself refuses this one
    expected = {
        "cut.png": "cannot be read",
        "text.png": "it is neither",
        "empty.jpg": "it is neither",
        "other.gif": "it is neither",
        "missing.png": "no such file",
        ".": "no regular file",
        "small.png": "too small, 10 x 12 pixels",
        "huge.png": "huge, 10000 x",
        "bomb.png": "huge, more than",
    }
    for name, words in expected.items():
        with pytest.raises(UserError) as refused:
            read_picture(tmp_path / name)
        assert words in str(refused.value), name
        assert "\n" not in str(refused.value)
        assert str(tmp_path) not in str(refused.value)


def test_damaged_bytes(tmp_path: Path) -> None:
    """Whatever bytes are changed in a picture, it is read or refused."""
    random = np.random.default_rng(0)
    for name in ("picture.png", "picture.jpg"):
        whole = np.frombuffer(written(tmp_path, ramp(), name).read_bytes(), dtype=np.uint8)
        for _ in range(100):
            damaged = whole.copy()
            damaged[random.integers(0, len(whole), 3)] = random.integers(0, 256, 3)
            (tmp_path / name).write_bytes(damaged.tobytes())
            with contextlib.suppress(UserError):
                assert read_picture(tmp_path / name).ndim == 2
