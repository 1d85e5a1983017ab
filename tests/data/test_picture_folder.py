"""Folders of pictures: train/<class>/*.png, test/<class>/*.png."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks.data.arrays import content_digest
from tasks.data.download import download
from tasks.data.picture_folder import read_picture_folder
from tasks.errors import UserError

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


def picture(
    value: int | tuple[int, ...], size: tuple[int, int] = (8, 8), mode: str | None = None
) -> Image.Image:
    """A picture of one value; of (width, height)."""
    return Image.new(mode or ("L" if isinstance(value, int) else "RGB"), size, value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three colours, five pictures of each for training, one for testing."""
    for name, colour in COLOURS.items():
        for part, count in (("train", 5), ("test", 1)):
            (tmp_path / "colours" / part / name).mkdir(parents=True)
            for number in range(count):
                picture(colour).save(tmp_path / "colours" / part / name / f"{number}.png")
    return tmp_path / "colours"


def read(folder: Path, image_size: int | None = None, skip_broken: bool = False):
    """The data set in a folder."""
    return read_picture_folder(folder, image_size, skip_broken, print)


def colours_of(found, part: str) -> list[tuple[str, tuple[int, ...]]]:
    """The class of each image and the colour of its first pixel."""
    labels = [found.class_names[label] for label in found.arrays[f"y_{part}"]]
    return list(zip(labels, map(tuple, found.arrays[f"x_{part}"][:, 0, 0].tolist()), strict=True))


def test_a_folder_of_colour_pictures(folder: Path) -> None:
    """Its folders name the classes, sorted; each picture has the label of its folder."""
    found = read(folder)
    assert found.class_names == ["blue", "green", "red"]
    assert colours_of(found, "test") == [(name, COLOURS[name]) for name in sorted(COLOURS)]
    assert set(colours_of(found, "train")) == set(COLOURS.items())
    assert found.arrays["x_train"].shape == (15, 8, 8, 3)
    assert not found.test_set_aside


def test_the_order_of_training_pictures_is_by_chance(folder: Path) -> None:
    """In the folder they are sorted by class, and validation takes the end; the same at every reading."""
    labels = read(folder).arrays["y_train"].tolist()
    assert labels != sorted(labels)
    assert content_digest(read(folder).arrays) == content_digest(read(folder).arrays)


def test_without_a_test_folder_a_fifth_of_each_class_is_set_aside(folder: Path, tmp_path: Path) -> None:
    """And that is said."""
    for path in folder.glob("test/*/*"):
        path.unlink()
    for path in [*folder.glob("test/*"), folder / "test"]:
        path.rmdir()
    lines: list[str] = []
    dataset = download(str(folder), tmp_path / "data", lines.append)
    assert dataset.test_set_aside
    assert (dataset.name, dataset.class_names) == ("colours", ["blue", "green", "red"])
    assert (
        "There is no folder test: a fifth of the pictures of each class, drawn by seed 0, is set aside."
        in lines
    )
    found = read(folder)
    assert np.bincount(found.arrays["y_test"]).tolist() == [1, 1, 1]
    assert np.bincount(found.arrays["y_train"]).tolist() == [4, 4, 4]


def test_grey_pictures_have_one_channel_and_one_colour_picture_makes_all_three(folder: Path) -> None:
    """Grey is what is stored without colours, whatever it shows."""
    for path in folder.glob("*/*/*.png"):
        picture(100).save(path)
    assert read(folder).arrays["x_train"].shape == (15, 8, 8)
    picture((100, 100, 100)).save(folder / "train" / "red" / "0.png")
    found = read(folder)
    assert found.arrays["x_train"].shape == (15, 8, 8, 3)
    assert (found.arrays["x_train"] == 100).all()


ODD: dict[str, tuple[Callable[[Path], None], tuple[int, int, int]]] = {
    "CMYK": (
        lambda path: picture((0, 255, 255, 0), mode="CMYK").save(path, "JPEG", quality=100),
        (254, 0, 0),
    ),
    "16 bit": (lambda path: Image.fromarray(np.full((8, 8), 25_700, np.uint16)).save(path), (100, 100, 100)),
    "transparent": (lambda path: picture((9, 9, 9, 0), mode="RGBA").save(path), (255, 255, 255)),
    "palette": (lambda path: picture((255, 0, 0)).quantize(4).save(path), (255, 0, 0)),
    "one bit": (lambda path: picture(1, mode="1").save(path), (255, 255, 255)),
    "animated": (
        lambda path: picture((255, 0, 0)).save(path, save_all=True, append_images=[picture((0, 0, 255))]),
        (255, 0, 0),
    ),
    "JPEG by another name": (lambda path: picture((128, 128, 128)).save(path, "JPEG"), (128, 128, 128)),
}


@pytest.mark.parametrize("kind", ODD)
def test_pictures_of_other_kinds(folder: Path, kind: str) -> None:
    """16 bits are scaled, transparent is white, of an animation the first picture counts."""
    save, colour = ODD[kind]
    save(folder / "test" / "red" / "0.png")
    [seen] = [pixel for name, pixel in colours_of(read(folder), "test") if name == "red"]
    assert np.abs(np.subtract(seen, colour)).max() <= 1


def test_pictures_of_several_sizes_need_one(folder: Path) -> None:
    """The sizes are named; with --image-size all are stretched to it, turned as their EXIF data say."""
    picture((0, 0, 255), (30, 20)).save(folder / "train" / "blue" / "0.png")
    with pytest.raises(
        UserError, match=r"2 sizes: train/blue/0.png 20 x 30, .* 8 x 8. Name one .*--image-size 64"
    ):
        read(folder)
    assert read(folder, image_size=16).arrays["x_train"].shape == (15, 16, 16, 3)
    exif = Image.Exif()
    exif[0x0112] = 6
    for path in folder.glob("*/*/*.png"):
        picture((0, 0, 255), (30, 20)).save(path, exif=exif)
    assert read(folder).arrays["x_train"].shape == (15, 30, 20, 3)


def truncate(path: Path) -> None:
    """Leave half of a picture."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).resize((8, 8)).save(path, "PNG")
    path.write_bytes(path.read_bytes()[:-60])


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (truncate, "cannot be read as PNG or JPEG"),
    "text": (lambda path: path.write_text("no picture"), "it is neither"),
    "empty": (lambda path: path.write_bytes(b""), "it is neither"),
    "GIF by another name": (lambda path: picture(5).save(path, "GIF"), "it is neither"),
    "FIFO": (lambda path: (path.unlink(), os.mkfifo(path)), "it is no regular file"),
    "link to nothing": (lambda path: (path.unlink(), path.symlink_to("nowhere")), "there is no such file"),
    "folder": (lambda path: (path.unlink(), path.mkdir()), "it is no regular file"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_picture_that_cannot_be_read_is_named(folder: Path, kind: str) -> None:
    """It is an error of one line; --skip-broken leaves it out, and counts and names it."""
    make, reason = BROKEN[kind]
    make(folder / "train" / "red" / "3.png")
    with pytest.raises(
        UserError, match=r"1 of 18 pictures cannot be read: train/red/3.png. .*--skip-broken"
    ) as caught:
        read(folder)
    assert "\n" not in str(caught.value)
    warnings: list[str] = []
    found = read_picture_folder(folder, None, True, warnings.append)
    assert (found.broken_pictures, len(found.arrays["x_train"])) == (1, 14)
    assert warnings[0].startswith(f"{folder}/train/red/3.png is left out: ")
    assert reason in warnings[0]


def test_a_class_of_which_nothing_can_be_read_is_an_error(folder: Path) -> None:
    """Not a data set of one class fewer, even with --skip-broken."""
    for path in folder.glob("*/red/*.png"):
        path.write_text("no picture")
    with pytest.raises(UserError, match="no picture of class red can be read"):
        read(folder, skip_broken=True)


def remove(folder: Path) -> None:
    """Remove a folder of files."""
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: remove(folder / "test" / "red"), "y_test has no image of class red"),
        (lambda folder: remove(folder / "train" / "red"), "y_test has labels that are no class .*: red"),
        (lambda folder: (folder / "train" / "empty").mkdir(), "train/empty holds no picture .*Remove the folder"),
        (lambda folder: [remove(folder / part / name) for part in ("train", "test") for name in ("red", "blue")],
         "the number of classes is 1; expected 2 to 1,000"),
        (lambda folder: [remove(path) for path in folder.glob("train/*")], "train holds no folders; expected one"),
        (lambda folder: [picture(1, (4, 4)).save(path) for path in folder.glob("*/*/*.png")],
         "images of 4 x 4 pixels; expected 8 x 8 to 256 x 256"),
    ],
)  # fmt: skip
def test_folders_that_are_no_data_set(folder: Path, change: Callable[[Path], object], message: str) -> None:
    """One line says what is missing."""
    change(folder)
    with pytest.raises(UserError, match=message) as caught:
        read(folder)
    assert "\n" not in str(caught.value)


def test_other_files_are_left_out_and_said(folder: Path) -> None:
    """Hidden files silently; an upper-case ending is a picture's too."""
    (folder / "train" / "red" / ".DS_Store").touch()
    (folder / "train" / "red" / "notes.txt").touch()
    (folder / "train" / "red" / "0.png").rename(folder / "train" / "red" / "0.PNG")
    lines: list[str] = []
    assert len(read_picture_folder(folder, None, False, lines.append).arrays["x_train"]) == 15
    assert lines == [f"{folder}: 1 entries that are no .png, .jpg, .jpeg are left out: train/red/notes.txt."]
