"""The chain of sources of MNIST."""

import lzma
import os
import time
import tokenize
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from prefect.logging import disable_run_logger
from prefect.states import Failed
from small_datasets import changed, npz, small_dataset

from tasks.data import download as download_module
from tasks.data.arrays import Arrays, content_digest, holds, read_npz
from tasks.data.download import MNIST_DIGEST, download, download_mnist, might_recover
from tasks.data.sources import SourceError
from tasks.errors import UserError


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replaces the sources, named a, b, c, ... in order; the small data set is taken for MNIST."""
    monkeypatch.setattr(download_module, "MNIST_DIGEST", content_digest(small_dataset()))

    def replace(*reads: Callable[[], Arrays]) -> None:
        monkeypatch.setattr(download_module, "SOURCES", tuple(zip("abcdef", reads, strict=False)))

    return replace


def fails(reason: str, *, transient: bool = False) -> Callable[[], Arrays]:
    """A source that never serves."""
    return Mock(side_effect=SourceError(reason, transient=transient))


def test_the_first_source_that_serves_is_used_and_named(use, tmp_path) -> None:
    """Sources behind the one that serves are not asked, and the record and the log name it."""
    use(fails("not there"), small_dataset, lambda: pytest.fail("asked although b served"))
    lines: list[str] = []
    dataset = download("mnist", tmp_path, lines.append)
    assert (dataset.name, dataset.source, dataset.is_mnist) == ("mnist", "b", True)
    assert dataset.path == str(tmp_path / "mnist.npz")
    assert dataset.digest == content_digest(small_dataset())
    assert holds(tmp_path / "mnist.npz", small_dataset())
    assert lines[0] == "a: not there"
    assert lines[1].startswith("MNIST: served by b in ")


def test_a_source_that_serves_other_content_is_passed_over(use, tmp_path) -> None:
    """One altered pixel is enough, whatever the source."""
    altered = small_dataset()
    altered["x_train"][7, 3, 3] += 1
    use(lambda: altered, small_dataset)
    lines: list[str] = []
    assert download("mnist", tmp_path, lines.append).source == "b"
    assert lines[0] == "a: served something other than MNIST"


@pytest.mark.parametrize("error", [MemoryError, lzma.LZMAError, tokenize.TokenError, OverflowError])
def test_a_source_whose_bytes_break_the_decoder_is_passed_over(use, tmp_path, error) -> None:
    """Whatever a corrupt file makes a library raise, the next source is asked."""
    use(Mock(side_effect=error("corrupt")), small_dataset)
    assert download("mnist", tmp_path, print).source == "b"


def test_a_stored_file_is_used_without_asking_any_source(use, tmp_path) -> None:
    """The second run asks nobody."""
    use(small_dataset)
    first = download("mnist", tmp_path, print)
    use()
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
def test_a_damaged_stored_file_is_replaced_with_a_warning(use, tmp_path, damage) -> None:
    """A truncated or altered file is fetched anew, never used."""
    use(small_dataset)
    path = tmp_path / "mnist.npz"
    download("mnist", tmp_path, print)
    damage(path)
    warnings: list[str] = []
    assert download("mnist", tmp_path, lambda _: None, warnings.append).source == "a"
    assert holds(path, small_dataset())
    assert len(warnings) == 1
    assert str(path) in warnings[0]
    assert "replaced" in warnings[0]


def test_if_all_sources_fail_the_error_lists_them_and_the_way_out(use, tmp_path) -> None:
    """What was tried, why each failed, and how to supply the file; nothing is stored."""
    use(fails("connection refused"), lambda: changed(y_test=np.zeros(10)), fails("HTTP 404"))
    with pytest.raises(UserError) as caught:
        download("mnist", tmp_path, print)
    assert str(caught.value).splitlines() == [
        "No source served MNIST:",
        "  a: connection refused",
        "  b: content: y_test is float64; expected whole numbers or strings.",
        "  c: HTTP 404",
        "Get mnist.npz, or the folder of its four IDX files, elsewhere and name it: --dataset PATH",
    ]
    assert list(tmp_path.iterdir()) == []


def test_only_failures_that_may_pass_are_tried_again(use, tmp_path) -> None:
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


def test_two_runs_at_once_fetch_once(use, tmp_path) -> None:
    """The second waits for the first and finds what it stored."""
    asked: list[str] = []

    def slow() -> Arrays:
        asked.append("a")
        time.sleep(0.2)
        return small_dataset()

    use(slow)
    with ThreadPoolExecutor(4) as pool:
        datasets = list(pool.map(lambda _: download("mnist", tmp_path, print), range(4)))
    assert asked == ["a"]
    assert {dataset.digest for dataset in datasets} == {content_digest(small_dataset())}


def test_the_task_stores_in_the_data_folder_of_the_artifacts(use, tmp_path) -> None:
    """What Prefect runs is the same function, on artifacts_dir/data."""
    use(small_dataset)
    with disable_run_logger():
        dataset = download_mnist.fn("mnist", str(tmp_path))
    assert dataset.path == str(tmp_path.resolve() / "data" / "mnist.npz")


@pytest.mark.parametrize("code", [28, 13])  # no space left, permission denied
def test_a_folder_that_cannot_be_written_is_the_users_to_mend(use, tmp_path, monkeypatch, code: int) -> None:
    """A full disk or missing permission is a UserError that names the folder and leaves no half file."""

    use(small_dataset)
    monkeypatch.setattr(np, "savez", Mock(side_effect=OSError(code, os.strerror(code))))
    message = f"Cannot write to {tmp_path}: {os.strerror(code)}. .*--artifacts-dir"
    with pytest.raises(UserError, match=message):
        download("mnist", tmp_path, print)
    assert list(tmp_path.iterdir()) == []


def test_mnist_by_path_is_recognised(use, tmp_path) -> None:
    """It is kept as mnist.npz, so the next run needs no path."""
    path = tmp_path / "from-a-colleague.npz"
    path.write_bytes(npz(small_dataset()))
    dataset = download(str(path), tmp_path / "data", print)
    assert (dataset.name, dataset.is_mnist) == ("mnist", True)
    use()
    assert download("mnist", tmp_path / "data", print).path == dataset.path


def test_the_digest_of_mnist_is_that_of_the_real_arrays(mnist: Path) -> None:
    """The real file passes, and its facts are the tutorial's."""
    arrays = read_npz(mnist, "mnist")
    assert content_digest(arrays) == MNIST_DIGEST
    assert arrays["y_test"][[0, 1, 2, -3, -2, -1]].tolist() == [7, 2, 1, 4, 5, 6]
    assert round(float(arrays["x_train"].mean() / 255), 5) == 0.13066
