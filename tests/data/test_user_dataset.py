"""Data sets that users name."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from small_datasets import changed, idx, npz, small_dataset

from tasks.data import user_dataset
from tasks.data.arrays import IDX_FILES, Arrays, content_digest, holds
from tasks.data.download import download
from tasks.data.user_dataset import name_of
from tasks.errors import UserError


def given(folder: Path, name: str, arrays: Arrays) -> Path:
    """The path of a user's npz file with these arrays."""
    path = folder / name
    path.write_bytes(npz(arrays))
    return path


def test_an_npz_file_of_the_users_is_copied_under_its_name_and_digest(tmp_path) -> None:
    """Later steps read the copy, so a change of the user's file cannot reach them."""
    path = given(tmp_path, "My Letters.npz", small_dataset())
    dataset = download(str(path), tmp_path / "data", print)
    digest = content_digest(small_dataset())
    assert (dataset.name, dataset.source, dataset.is_mnist) == ("my-letters", str(path), False)
    assert dataset.digest == digest
    assert dataset.path == str(tmp_path / "data" / f"my-letters-{digest[:12]}.npz")
    assert holds(Path(dataset.path), small_dataset())


def test_a_changed_file_of_the_users_is_another_dataset(tmp_path) -> None:
    """The old copy stays what it was."""
    flipped = changed(x_test=255 - small_dataset()["x_test"])
    first, second = (
        download(str(given(tmp_path, "letters.npz", arrays)), tmp_path / "data", print)
        for arrays in (small_dataset(), flipped)
    )
    assert first.path != second.path
    assert holds(Path(first.path), small_dataset())
    assert holds(Path(second.path), flipped)


def test_a_folder_of_the_users_gives_its_name(tmp_path) -> None:
    """As /usr/share/datasets/fashion-mnist does."""
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    for array, file in IDX_FILES.items():
        (folder / f"{file}.gz").write_bytes(gzip.compress(idx(small_dataset()[array])))
    assert download(str(folder), tmp_path / "data", print).name == "fashion-mnist"


@pytest.fixture
def idx_folder(tmp_path: Path) -> Path:
    """A folder of the small data set's IDX files."""
    folder = tmp_path / "letters"
    folder.mkdir()
    for array, file in IDX_FILES.items():
        (folder / file).write_bytes(idx(small_dataset()[array]))
    return folder


def test_labels_txt_names_the_classes_of_idx_files(idx_folder: Path, tmp_path: Path) -> None:
    """One a line; a name too few is an error, and so is what is no text."""
    names = idx_folder / "labels.txt"
    names.write_text("\n".join("abcdefghij") + "\n\n")
    assert download(str(idx_folder), tmp_path / "data", print).class_names == list("abcdefghij")
    names.write_text("a\nb\n")
    with pytest.raises(UserError, match="labels that are no class"):
        download(str(idx_folder), tmp_path / "data", print)
    names.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"labels.txt is no UTF-8"):
        download(str(idx_folder), tmp_path / "data", print)


def test_a_known_data_set_has_its_names(
    idx_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its content, where nothing else names its classes, as with Fashion-MNIST."""
    monkeypatch.setitem(user_dataset.KNOWN_NAMES, content_digest(small_dataset()), list("ABCDEFGHIJ"))
    assert download(str(idx_folder), tmp_path / "data", print).class_names == list("ABCDEFGHIJ")
    (idx_folder / "labels.txt").write_text("\n".join("abcdefghij"))
    assert download(str(idx_folder), tmp_path / "data", print).class_names == list("abcdefghij")


def test_an_image_size_makes_another_data_set(idx_folder: Path, tmp_path: Path) -> None:
    """Its digest is of the images as they are trained on."""
    small, whole = (
        download(str(idx_folder), tmp_path / "data", print, image_size=size) for size in (14, None)
    )
    assert small.digest != whole.digest
    assert np.load(small.path)["x_train"].shape == (20, 14, 14)


def test_other_content_is_never_called_mnist(tmp_path) -> None:
    """A file mnist.npz with other images would mislead the reader of the report."""
    path = given(tmp_path, "mnist.npz", small_dataset())
    assert download(str(path), tmp_path / "data", print).name == "not-mnist"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "There is no file or folder", id="missing"),
        pytest.param(b"hello", "is not an npz file", id="text"),
        pytest.param(npz(small_dataset())[:-50], "is not an npz file", id="truncated"),
        pytest.param(npz(changed(x_train=np.zeros((20, 32, 32), np.uint8))), "expected one size", id="shape"),
        pytest.param(npz(changed(y_train=np.arange(20))), "y_test has no image of class 10, 11", id="labels"),
    ],
)
def test_a_bad_file_of_the_users_is_an_error_and_leaves_nothing(tmp_path, content, message: str) -> None:
    """One or two lines that name the path."""
    path = tmp_path / "mine.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=f"{path}.*") as caught:
        download(str(path), tmp_path / "data", print)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
@pytest.mark.parametrize("kind", ["file", "folder", "hidden"])
def test_a_path_that_may_not_be_read_is_an_error(tmp_path, kind: str) -> None:
    """The system's reason is given, not a guess at the format."""
    file, folder = tmp_path / "mine.npz", tmp_path / "folder"
    folder.mkdir()
    for name in IDX_FILES.values():
        (folder / name).touch(mode=0)
    file.touch(mode=0)
    path = {"file": file, "folder": folder, "hidden": folder / "mine.npz"}[kind]
    if kind == "hidden":
        folder.chmod(0)
    with pytest.raises(UserError, match=r"cannot be read: Permission denied"):
        download(str(path), tmp_path / "data", print)
    folder.chmod(0o700)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("My digits_2.npz", "my-digits-2"),
        ("숫자.npz", "숫자"),
        ("숫" * 80 + ".npz", "숫" * 33),  # 99 bytes of the 255 that a file's name may have
        ("MNIST.npz", "not-mnist"),
        ("--.npz", "unnamed"),
    ],
)
def test_names_of_data_sets(file: str, name: str) -> None:
    """A file's name in any script names its data set; only MNIST is called mnist."""
    assert name_of(Path(file)) == name
