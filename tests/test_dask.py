"""Trainings on Dask workers: the same results as without, also when a worker dies."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from test_flow import DEADLINE, SCRIPT, artifacts, environment, latest_results, pipeline, process_of

from flows.dask_runner import check_workers, dask_task_runner, sees
from tasks.files import UserError

__all__ = ["artifacts", "environment"]  # fixtures

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("prefect_dask") is None, reason="the extra [dask] is not installed"
)
FLAGS = ("--models", "dense", "--seeds", "0", "1", "--train-samples", "500", "--epochs", "3")


@pytest.mark.slow
def test_worker_that_dies(artifacts: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """The training of a killed Dask worker is taken up by another; all results equal those of a local run."""
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "data").mkdir(parents=True)
    (elsewhere / "data" / "mnist.npz").symlink_to((artifacts / "data" / "mnist.npz").resolve())
    assert pipeline(elsewhere, environment, *FLAGS).returncode == 0

    command = [sys.executable, str(SCRIPT), *FLAGS, "--artifacts-dir", str(artifacts), "--dask", "local"]
    with subprocess.Popen(
        [*command, "--parallel", "2"], env=environment, stderr=subprocess.PIPE, text=True
    ) as script:
        worker = process_of("dense-0-", script.pid, recursive=True).parent()
        assert worker is not None
        worker.kill()
        _, errors = script.communicate(timeout=DEADLINE)
    assert script.returncode == 0, errors
    on_dask, locally = latest_results(artifacts), latest_results(elsewhere)
    assert on_dask["provenance"]["digest"] == locally["provenance"]["digest"]
    assert "distributed.worker" not in errors


def test_nobody_there(tmp_path: Path) -> None:
    """An address where no scheduler answers is one clear message."""
    with pytest.raises(UserError, match="No Dask scheduler answers"):
        dask_task_runner("tcp://127.0.0.1:9", 1, tmp_path)
    assert not list(tmp_path.iterdir())


def test_workers_without_the_artifacts_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler without workers is named; so is a worker that does not see the artifacts folder."""
    seen: dict[str, bool] = {}
    monkeypatch.setattr("distributed.Client.__init__", lambda self, *args, **kwargs: None)
    monkeypatch.setattr("distributed.Client.__enter__", lambda self: self)
    monkeypatch.setattr("distributed.Client.__exit__", lambda self, *details: None)
    monkeypatch.setattr("distributed.Client.run", lambda self, function: seen)
    with pytest.raises(UserError, match="has no workers"):
        check_workers("tcp://127.0.0.1:8786", tmp_path)
    seen["tcp://10.0.0.2:4000"] = False
    with pytest.raises(UserError, match=r"do not see .*10\.0\.0\.2"):
        check_workers("tcp://127.0.0.1:8786", tmp_path)
    seen["tcp://10.0.0.2:4000"] = True
    check_workers("tcp://127.0.0.1:8786", tmp_path)
    assert not list(tmp_path.iterdir())


def test_token(tmp_path: Path) -> None:
    """What is run on a worker tells whether the file is there."""
    (tmp_path / "token").touch()
    assert sees(str(tmp_path / "token"))()
    assert not sees(str(tmp_path / "other"))()
