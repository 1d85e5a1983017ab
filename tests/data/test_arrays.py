"""Reading, checking and keeping the four arrays of a data set."""

import contextlib
import gzip
import struct
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as numpy_arrays
from small_datasets import Trap, changed, idx, npz, small_dataset

from tasks.data import arrays, memory
from tasks.data.arrays import (
    Arrays,
    content_digest,
    holds,
    keep,
    read_idx,
    read_idx_folder,
    read_npz,
)
from tasks.data.checks import checked
from tasks.errors import UserError

ARRAY = np.zeros((5, 4, 3), np.uint8)


def compressed(arrays: Arrays) -> bytes:
    """The compressed npz file of these arrays."""
    file = BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "read"),
    [
        pytest.param(npz(small_dataset()), read_npz, id="npz"),
        pytest.param(compressed(small_dataset()), read_npz, id="compressed npz"),
        pytest.param(gzip.compress(idx(small_dataset()["y_train"])), read_idx, id="compressed IDX"),
    ],
)
def test_no_flipped_bit_escapes(content: bytes, read) -> None:
    """Whatever zip, gzip, lzma and NumPy make of one flipped bit in a header, it is a UserError or nothing."""
    for place in {*range(len(content))[:300], *range(len(content))[-400:]}:
        for bit in range(8):
            damaged = bytearray(content)
            damaged[place] ^= 1 << bit
            with contextlib.suppress(UserError):
                read(BytesIO(damaged), "digits")


@given(numpy_arrays(np.uint8, st.one_of(st.tuples(st.integers(0, 9)), st.tuples(*[st.integers(0, 5)] * 3))))
def test_an_idx_file_is_read_back_plain_or_compressed(array: np.ndarray) -> None:
    """What was written as IDX is read back, compressed or not."""
    assert np.array_equal(read_idx(BytesIO(idx(array)), "plain"), array)
    assert np.array_equal(read_idx(BytesIO(gzip.compress(idx(array))), "compressed"), array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "not an IDX file", id="empty"),
        pytest.param(b"<html>not found</html>", "not an IDX file", id="web page"),
        pytest.param(b"\0\0\x0d\x03" + bytes(12), "not an IDX file", id="floats"),
        pytest.param(idx(ARRAY)[:-1], "should hold 60 bytes", id="truncated"),
        pytest.param(idx(ARRAY) + b"x", "should hold 60 bytes", id="too long"),
        pytest.param(gzip.compress(idx(ARRAY))[:-9], "damaged", id="truncated gz"),
        pytest.param(gzip.compress(idx(ARRAY))[:10] + b"\xff" * 20, "damaged", id="altered gz"),
        pytest.param(
            struct.pack(">4B3I", 0, 0, 8, 3, 2**31, 2**31, 2**31), "reading its images takes", id="huge"
        ),
    ],
)
def test_a_bad_idx_file_is_named(content: bytes, message: str) -> None:
    """Whatever is wrong with an IDX file ends in a UserError that names the file."""
    with pytest.raises(UserError, match=f"labels.gz.*{message}"):
        read_idx(BytesIO(content), "labels.gz")


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("separator", ["-", "."])
def test_a_folder_of_idx_files_is_read(tmp_path: Path, suffix: str, separator: str) -> None:
    """The four files may be compressed, and named train-images-idx3-ubyte or train-images.idx3-ubyte."""
    dataset = small_dataset()
    for array, name in arrays.IDX_FILES.items():
        content = idx(dataset[array])
        file = tmp_path / (name.replace("-idx", f"{separator}idx") + suffix)
        file.write_bytes(gzip.compress(content) if suffix else content)
    assert content_digest(read_idx_folder(tmp_path)) == content_digest(dataset)


def test_a_folder_without_idx_files_is_an_error(tmp_path: Path) -> None:
    """An empty folder's message says which files are expected."""
    with pytest.raises(UserError, match=r"has no train-images-idx3-ubyte nor .*t10k-labels-idx1-ubyte"):
        read_idx_folder(tmp_path)


def test_an_npz_file_is_read_compressed_or_not(tmp_path: Path) -> None:
    """Both of NumPy's npz forms serve, and further arrays in the file do no harm."""
    np.savez(tmp_path / "plain.npz", **small_dataset(), more=np.zeros(3))
    np.savez_compressed(tmp_path / "compressed.npz", **small_dataset())
    expected = content_digest(small_dataset())
    for file in tmp_path.iterdir():
        assert content_digest(read_npz(file, "the file")) == expected


def test_an_npz_file_with_objects_is_refused_and_never_unpickled(tmp_path: Path) -> None:
    """An object array may run code when unpickled; reading it is an error and runs nothing."""
    trap = tmp_path / "trap"
    np.savez(tmp_path / "evil.npz", **changed(y_test=np.array([Trap(trap)] * 10, dtype=object)))
    with pytest.raises(UserError, match="evil cannot be read"):
        read_npz(tmp_path / "evil.npz", "evil")
    assert not trap.exists()


def test_an_npz_file_lacking_an_array_is_an_error(tmp_path: Path) -> None:
    """The missing arrays are named."""
    dataset = small_dataset()
    np.savez(tmp_path / "part.npz", x_train=dataset["x_train"], y_train=dataset["y_train"])
    with pytest.raises(UserError, match="has no array x_test, y_test"):
        read_npz(tmp_path / "part.npz", "part")


def test_files_that_are_no_npz_are_an_error(tmp_path: Path) -> None:
    """Text, an empty file, an npy file, a zip of something else and a truncated npz are all refused."""
    np.savez(tmp_path / "whole.npz", **small_dataset())
    np.save(tmp_path / "array.npy", np.zeros(3))
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "no arrays here")
    with zipfile.ZipFile(tmp_path / "text.zip", "w") as archive:
        for name in arrays.NAMES:
            archive.writestr(f"{name}.npy", "no array in here")
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("x_train")
    (tmp_path / "truncated").write_bytes((tmp_path / "whole.npz").read_bytes()[:-100])
    for file in sorted(set(tmp_path.iterdir()) - {tmp_path / "whole.npz"}):
        with pytest.raises(UserError, match=file.name):
            checked(read_npz(file, file.name), file.name)


def test_an_npz_file_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size is looked up before anything is unpacked."""
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    np.savez_compressed(tmp_path / "big.npz", **small_dataset())
    with pytest.raises(UserError, match=r"big: reading its images takes about 0\.0 GB of memory"):
        read_npz(tmp_path / "big.npz", "big")


def test_the_digest_sees_every_pixel_and_every_shape() -> None:
    """One altered pixel, or the same bytes in another shape, is other content."""
    pixel = small_dataset()["x_test"]
    pixel[3, 14, 15] ^= 1
    reshaped = small_dataset()["x_test"].reshape(10, 14, 56)
    digests = {content_digest(d) for d in (small_dataset(), changed(x_test=pixel), changed(x_test=reshaped))}
    assert len(digests) == 3


def test_the_digest_does_not_depend_on_the_layout_in_memory() -> None:
    """A transposed copy that was transposed back is the same content."""
    images = small_dataset()["x_test"]
    assert content_digest({"x": np.asfortranarray(images)}) == content_digest({"x": images})


def test_a_kept_file_is_written_once(tmp_path: Path) -> None:
    """Keeping the same arrays again leaves the file untouched and warns of nothing."""
    path = tmp_path / "kept.npz"
    keep(path, small_dataset(), pytest.fail)
    before = path.stat()
    keep(path, small_dataset(), pytest.fail)
    after = path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


KEPT = npz(small_dataset())
ALONE = BytesIO()
np.save(ALONE, np.zeros(3))


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(KEPT[:-1000], id="truncated"),
        pytest.param(KEPT.replace(b"\0" * 28, b"\0" * 27 + b"\1", 1), id="flipped bit"),
        pytest.param(KEPT.replace(b"(20, 28, 28)", b"(20, 28, 28(", 1), id="TokenError"),
        pytest.param(npz(changed(y_test=np.zeros(10, np.uint8))), id="other arrays"),
        pytest.param(b"not an npz file", id="text"),
        pytest.param(ALONE.getvalue(), id="npy"),
    ],
)
def test_a_damaged_kept_file_is_replaced_with_a_warning(tmp_path: Path, damaged: bytes) -> None:
    """Whatever happened to it, the file holds the arrays afterwards, and the warning names it."""
    path, warnings = tmp_path / "kept.npz", list[str]()
    path.write_bytes(damaged)
    assert not holds(path, small_dataset())
    keep(path, small_dataset(), warnings.append)
    assert holds(path, small_dataset())
    assert warnings == [f"{path} was damaged or altered; written anew."]
