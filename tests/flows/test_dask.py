"""Trainings on Dask workers: the same results as without, also when a worker dies; what a worker must have."""

import contextlib
import importlib.util
import io
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from pipeline_runs import DEADLINE, SCRIPT, results_of
from test_flow import pipeline, process_of

from flows.cli import dask_runner, pipeline_command
from flows.mnist_pipeline import mnist_pipeline
from tasks.errors import UserError
from tasks.store.ownership import MARKER
from tasks.training.process import stopping

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("prefect_dask") is None, reason="the extra [dask] is not installed"
)
FLAGS = ("--models", "dense", "--seeds", "0", "1", "--train-samples", "500", "--epochs")
NO_API = "http://127.0.0.1:9/api"  # nobody listens on port 9


@contextlib.contextmanager
def cluster(**options: Any) -> Iterator[Any]:
    """Yield a client of a Dask cluster inside this process."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(processes=False, dashboard_address=None, **options) as local,
        Client(local, set_as_default=False) as client,
    ):
        yield client


@pytest.mark.long
def test_worker_that_dies(artifacts: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """The training of a killed Dask worker is taken up by another; all results equal those of a local run."""
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "data").mkdir(parents=True)
    (elsewhere / "data" / "mnist.npz").symlink_to((artifacts / "data" / "mnist.npz").resolve())
    assert pipeline(elsewhere, environment, *FLAGS, "3").returncode == 0

    command = [sys.executable, str(SCRIPT), *FLAGS, "3", "--artifacts-dir", str(artifacts), "--dask", "local"]
    with subprocess.Popen(
        [*command, "--parallel", "2"], env=environment, stderr=subprocess.PIPE, text=True
    ) as script:
        worker = process_of("dense-0-", script.pid, recursive=True).parent()
        assert worker is not None
        worker.kill()
        _, errors = script.communicate(timeout=DEADLINE)
    assert script.returncode == 0, errors
    on_dask, locally = results_of(artifacts), results_of(elsewhere)
    assert on_dask["provenance"]["digest"] == locally["provenance"]["digest"]
    origins = {training["origin"] for training in on_dask["models"]["dense"]["trainings"]}
    assert origins <= {"trained", "resumed"}
    assert "distributed.worker" not in errors
    assert not list(artifacts.glob(".shared-*"))


@pytest.mark.long
def test_training_whose_flow_is_killed(artifacts: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """A training on a worker of a lasting cluster ends when its flow is killed; the worker stays."""
    address = tmp_path / "scheduler.json"
    programs = (
        ["scheduler", "--port", "0", "--no-dashboard"],
        ["worker", "--nthreads", "1", "--no-nanny", "--no-dashboard"],
    )
    with contextlib.ExitStack() as stack:
        scheduler, worker = (
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "dask", *words, "--scheduler-file", str(address)],
                    env=environment,
                    cwd=tmp_path,
                    stderr=subprocess.DEVNULL,
                )
            )
            for words in programs
        )
        stack.callback(scheduler.kill)
        stack.callback(worker.kill)
        with client_of(address) as client:
            tcp = client.scheduler.address
        flags = [*FLAGS, "5000", "--artifacts-dir", str(artifacts), "--dask", tcp]
        script = subprocess.Popen([sys.executable, str(SCRIPT), *flags], env=environment)
        stack.callback(script.kill)
        training = process_of("dense-", worker.pid)
        script.kill()
        psutil.wait_procs([training], timeout=DEADLINE)
        assert not training.is_running()
        assert worker.poll() is None


@contextlib.contextmanager
def client_of(scheduler_file: Path) -> Iterator[Any]:
    """Yield a client of the scheduler that writes this file, once it has a worker."""
    from distributed import Client

    with Client(scheduler_file=str(scheduler_file), timeout=DEADLINE, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=DEADLINE)
        yield client


@pytest.mark.long
def test_nobody_there(tmp_path: Path) -> None:
    """An address where no scheduler answers is one clear message."""
    with (
        pytest.raises(UserError, match="No Dask scheduler answers"),
        dask_runner.dask_task_runner("tcp://127.0.0.1:9", 1, tmp_path, NO_API),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_dask_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, --dask says how to install it."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(UserError, match=r"pip install -e '\.\[dask\]'"),
        dask_runner.dask_task_runner("local", 1, tmp_path, NO_API),
    ):
        pass


def test_parallel_with_an_address(tmp_path: Path) -> None:
    """--parallel is for this machine; with a scheduler's address it is refused, not ignored."""
    with pytest.raises(UserError, match="--parallel does not go with"):
        pipeline_command.run(mnist_pipeline, {"artifacts_dir": str(tmp_path)}, 2, "tcp://127.0.0.1:9")


def test_scheduler_without_workers(tmp_path: Path) -> None:
    """A scheduler without workers is named, with the command that starts one."""
    with (
        cluster(n_workers=0) as client,
        pytest.raises(UserError, match=r"dask worker \S+ --nthreads 1"),
        dask_runner.checked_workers(client, tmp_path, NO_API),
    ):
        pass


@pytest.mark.parametrize(
    ("threads", "expected"), [(2, "has 2 threads"), (1, "does not reach the Prefect server at http")]
)
def test_worker_that_cannot_train(threads: int, expected: str, tmp_path: Path) -> None:
    """What a worker lacks is found before the flow begins, and no token stays behind."""
    with (
        cluster(n_workers=1, threads_per_worker=threads) as client,
        pytest.raises(UserError, match=expected),
        dask_runner.checked_workers(client, tmp_path, NO_API),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [MARKER]


def test_folder_that_is_not_shared(tmp_path: Path) -> None:
    """A worker that does not see the token does not share the artifacts folder."""
    with pytest.raises(UserError, match=f"does not see {tmp_path}"):
        dask_runner.check_worker("tcp://10.0.0.2:4000", 1, tmp_path / "token", NO_API, {})


def test_other_code(tmp_path: Path) -> None:
    """A worker with another version of a package or of the code is told what differs."""
    (tmp_path / "token").touch()
    expected = dask_runner.code_and_versions()
    expected["versions"]["tensorflow"] = "1.0"
    expected["code"]["build_cnn"] = "another"
    with pytest.raises(UserError, match=r"code of build_cnn changed; tensorflow \S+ -> 1\.0"):
        dask_runner.check_worker("tcp://10.0.0.2:4000", 1, tmp_path / "token", NO_API, expected)


def test_worker_that_can_train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that joins while the block runs is checked like those that were there."""
    asked: list[str] = []

    def answer(url: str, timeout: float) -> Any:
        asked.append(url)
        return io.BytesIO()

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    with cluster(n_workers=1, threads_per_worker=1) as client:
        with dask_runner.checked_workers(client, tmp_path, "http://server/api"):
            client.cluster.scale(2)
            client.wait_for_workers(2, timeout=DEADLINE)
        client.cluster.scale(3)
        client.wait_for_workers(3, timeout=DEADLINE)
    assert asked == ["http://server/api/health"] * 2


begun = threading.Event()


def stand_in_for_training() -> bool:
    """Run until trainings are stopped, as one does on a worker."""
    begun.set()
    return stopping.wait(60)


def stopping_is_set() -> bool:
    """Tell whether trainings of this worker may not begin."""
    return stopping.is_set()


def test_cancelled_training_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that nobody waits for any more stops its worker's training; the next task may train."""
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: io.BytesIO())
    with (
        cluster(n_workers=1, threads_per_worker=1) as client,
        dask_runner.checked_workers(client, tmp_path, "http://server/api"),
    ):
        task = client.submit(stand_in_for_training)
        assert begun.wait(60)
        task.release()
        assert stopping.wait(60)
        assert not client.submit(stopping_is_set).result(timeout=DEADLINE)
