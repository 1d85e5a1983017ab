"""Data sets that a test can make in a moment and a reader can check by eye."""

import io
import os
import struct
from pathlib import Path

import numpy as np

from tasks.data.arrays import Arrays


def small_dataset() -> Arrays:
    """20 training and 10 test images; every pixel of an image is its label."""
    train, test = np.arange(20, dtype=np.uint8) % 10, np.arange(10, dtype=np.uint8)
    x_train, x_test = (labels[:, None, None].repeat(28, 1).repeat(28, 2) for labels in (train, test))
    return {"x_train": x_train, "y_train": train, "x_test": x_test, "y_test": test}


def idx(array: np.ndarray) -> bytes:
    """The IDX file of an array of bytes."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def changed(**replaced: np.ndarray) -> Arrays:
    """The small data set with some arrays replaced."""
    return small_dataset() | replaced


class Trap:
    """An object that makes a folder when it is unpickled, as it could call any function."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.folder),)


def npz(arrays: Arrays) -> bytes:
    """The npz file of these arrays."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()
