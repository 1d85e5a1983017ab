"""The four arrays of a data set: read from npz and IDX files, checked, digested, kept on disk."""

import contextlib
import gzip
import hashlib
import math
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tasks.data.memory import check_reading
from tasks.errors import UserError
from tasks.files import atomic_write, digest_of

Arrays = dict[str, NDArray[Any]]
Report = Callable[[str], None]  # takes a line for the log

CLASS_NAMES = "class_names"  # may be in an npz file beside the four
NAMES = ("x_train", "y_train", "x_test", "y_test")
IDX_FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


class UnreadableError(UserError):
    """A file cannot be read as the arrays that its name promises."""


@contextlib.contextmanager
def reading(name: str, is_not: str = "cannot be read as npz file") -> Iterator[None]:
    """Turn whatever a decoder says to bytes that anyone may have damaged into UnreadableError, of one line.

    One flipped bit makes zipfile, gzip, lzma and NumPy raise a dozen types, MemoryError and TokenError among them.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise UnreadableError(f"{name} {is_not}: {reason or type(error).__name__}") from error


def stored_arrays(path: Path) -> Arrays:
    """Return all arrays of an npz file. Raises UnreadableError, also if there is none."""
    with reading(str(path)), np.load(path, allow_pickle=False) as archive:
        return {name: np.asarray(archive[name]) for name in archive.files}


def read_npz(file: Path | BinaryIO, name: str) -> Arrays:
    """Return the four arrays in an npz file, and its class_names if it has them; messages call it `name`.

    Pickled objects in it are refused, never unpickled. Raises UserError; OSError, if it cannot be opened.
    """
    if isinstance(file, Path):
        with file.open("rb") as opened:  # `is_zipfile` would call an unreadable file no zip file
            return read_npz(opened, name)
    with reading(name):
        if not zipfile.is_zipfile(file):
            raise UserError(f"{name} is not an npz file; expected one that holds {', '.join(NAMES)}.")
        with np.load(file, allow_pickle=False) as archive:
            missing = [array for array in NAMES if array not in archive.files]
            if missing:
                raise UserError(f"{name} has no array {', '.join(missing)}; expected {', '.join(NAMES)}.")
            check_reading(name, sum(member.file_size for member in archive.zip.infolist()))
            # Of a member that is no array NumPy returns the bytes: as an array they fail the checks.
            return {array: np.asarray(archive[array]) for array in (*NAMES, CLASS_NAMES) if array in archive}


def read_idx(file: BinaryIO, name: str) -> NDArray[np.uint8]:
    """Return the array in an IDX file, plain or gzip-compressed. Raises UserError.

    The format: two zero bytes, the type (8: unsigned byte), the number of dimensions, each dimension as a
    big-endian 32-bit integer, then the bytes.
    """
    with reading(name, "is damaged"):
        compressed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = gzip.GzipFile(fileobj=file) if compressed else file
        zero, kind, dimensions = stream.read(2), stream.read(1), stream.read(1)
        if zero != b"\0\0" or kind != b"\x08" or dimensions not in (b"\x01", b"\x03"):
            raise UserError(f"{name} is not an IDX file of unsigned bytes.")
        shape = tuple(int.from_bytes(stream.read(4), "big") for _ in range(dimensions[0]))
        size = math.prod(shape)
        check_reading(name, size)
        body = stream.read(size + 1)
    if len(body) != size:
        raise UserError(f"{name} is damaged: it should hold {size:,} bytes for shape {shape}.")
    return np.frombuffer(body, np.uint8).reshape(shape)


def read_idx_folder(folder: Path) -> Arrays:
    """Return the four arrays in a folder's IDX files, plain or .gz. Raises UserError."""
    arrays: Arrays = {}
    for array, plain in IDX_FILES.items():
        dotted = plain.replace("-idx", ".idx")  # some unpackers write train-images.idx3-ubyte
        candidates = [folder / (name + suffix) for name in (plain, dotted) for suffix in ("", ".gz")]
        path = next((candidate for candidate in candidates if candidate.is_file()), None)
        if path is None:
            raise UserError(
                f"{folder} has no {plain} nor {plain}.gz; expected the four IDX files "
                f"{', '.join(IDX_FILES.values())}, or pictures in train/<class>/."
            )
        with path.open("rb") as file:
            arrays[array] = read_idx(file, str(path))
    return arrays


def content_digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return a SHA-256 over names, types, shapes and bytes; how the arrays are stored has no influence."""

    def facts(array: NDArray[Any]) -> list[Any]:
        digest = hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
        return [array.dtype.str, list(array.shape), digest]

    return digest_of({name: facts(array) for name, array in arrays.items()})


def keep(path: Path, arrays: Mapping[str, NDArray[Any]], warn: Report) -> None:
    """Make `path` an npz file with exactly these arrays: nothing to do if it is, else written anew.

    Not compressed: MNIST loads in a twentieth of the time, and every training loads it.
    """
    if path.exists():
        if holds(path, arrays):
            return
        warn(f"{path} was damaged or altered; written anew.")
    with atomic_write(path) as temporary:
        np.savez(temporary, allow_pickle=False, **arrays)


def holds(path: Path, arrays: Mapping[str, NDArray[Any]]) -> bool:
    """Return whether the npz file `path` holds exactly these arrays."""
    try:
        kept = stored_arrays(path)
    except UnreadableError:
        return False
    return kept.keys() == arrays.keys() and all(
        kept[name].dtype == array.dtype and np.array_equal(kept[name], array)
        for name, array in arrays.items()
    )
