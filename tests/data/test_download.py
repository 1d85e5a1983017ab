"""The chain of sources, and data sets that users name."""

import gzip
import lzma
import os
import time
import tokenize
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from prefect.logging import disable_run_logger
from prefect.states import Failed
from small_datasets import changed, idx, npz, small_dataset

from tasks.data import download as download_module
from tasks.data.arrays import IDX_FILES, Arrays, content_digest, holds, read_npz
from tasks.data.download import MNIST_DIGEST, download, download_mnist, might_recover, name_of
from tasks.data.sources import SourceError
from tasks.errors import UserError


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


@pytest.mark.parametrize("error", [MemoryError, lzma.LZMAError, tokenize.TokenError, OverflowError])
def test_a_source_whose_bytes_break_the_decoder_is_passed_over(small_mnist, use, tmp_path, error) -> None:
    """Whatever a corrupt file makes a library raise, the next source is asked."""
    use(lambda: (_ for _ in ()).throw(error("corrupt")), small_dataset)
    assert download("mnist", tmp_path, print).source == "b"


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
        pytest.param(lambda path: path.write_bytes(path.read_bytes().replace(b"28)", b"28(")), id="header"),
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


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("My digits_2.npz", "my-digits-2"),
        ("숫자.npz", "숫자"),
        ("MNIST.npz", "not-mnist"),
        ("--.npz", "unnamed"),
    ],
)
def test_names_of_data_sets(file: str, name: str) -> None:
    """A file's name in any script names its data set; only MNIST is called mnist."""
    assert name_of(Path(file)) == name


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
