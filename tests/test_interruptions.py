"""Runs that are stopped, run into each other, or find a disk that takes nothing."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pipeline_runs import DEADLINE, Run, checkpoints, results_of, temporary_files, wait_for

pytestmark = pytest.mark.slow

ENDLESS = ("--models", "dense", "cnn", "--train-samples", "500", "--epochs", "10000")
SHORT = ("--models", "dense", "--train-samples", "500", "--epochs", "2")
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a disk")


@pytest.fixture
def artifacts(tmp_path: Path, mnist: Path) -> Path:
    """An artifacts folder that has nothing but the data set."""
    (tmp_path / "artifacts" / "data").mkdir(parents=True)
    (tmp_path / "artifacts" / "data" / "mnist.npz").symlink_to(mnist)
    return tmp_path / "artifacts"


@pytest.mark.parametrize(
    ("number", "whom", "flags", "advice"),
    [
        (signal.SIGTERM, "script", (), "the same command goes on from there"),
        (signal.SIGINT, "group", ("--refresh",), "the same command without --refresh goes on from there"),
    ],
)
def test_stopped_by_a_signal(
    artifacts: Path, tmp_path: Path, number: int, whom: str, flags: tuple[str, ...], advice: str
) -> None:
    """SIGTERM, or Ctrl-C to the whole foreground group, ends a run in seconds; its last line says how to go on."""
    run = Run(artifacts, (*ENDLESS, *flags), tmp_path / "log")
    assert wait_for(lambda: max(checkpoints(artifacts).values(), default=0) >= 2, DEADLINE), run.output
    (os.killpg if whom == "group" else os.kill)(run.process.pid, number)
    assert run.wait() == 128 + number
    assert run.leftovers() == []
    assert run.output.splitlines()[-1] == f"mnist-pipeline was stopped. Finished epochs are kept: {advice}."
    assert "Traceback" not in run.output
    assert max(checkpoints(artifacts).values()) >= 2


def test_divergence(artifacts: Path, tmp_path: Path) -> None:
    """A training that diverges is a result: the run completes, and its report says so."""
    run = Run(
        artifacts,
        (*SHORT, "--learning-rate", "10", "--pixel-scaling", "none", "--epochs", "50"),
        tmp_path / "log",
    )
    assert run.wait() == 0, run.output
    (training,) = results_of(artifacts)["models"]["dense"]["trainings"]
    assert training["diverged"], training["history"]
    assert "diverged" in (artifacts / "latest" / "report.md").read_text()
    assert "Traceback" not in run.output


def test_timeout(artifacts: Path, tmp_path: Path) -> None:
    """A training that takes longer than training_timeout is ended; the run fails and names it."""
    run = Run(artifacts, (*ENDLESS, "--training-timeout", "20"), tmp_path / "log")
    assert run.wait() == 1, run.output
    assert "training_timeout of 20 s is over" in run.output.splitlines()[-1]
    failures = results_of(artifacts)["failures"]
    assert {failure["model"] for failure in failures} == {"dense", "cnn"}
    assert run.leftovers() == []
    assert "Traceback" not in run.output


def test_two_runs_at_once(artifacts: Path, tmp_path: Path) -> None:
    """Of two runs at the same time on one folder one trains; the other waits for it and reuses the training."""
    runs = [Run(artifacts, SHORT, tmp_path / f"log {number}") for number in range(2)]
    assert [run.wait() for run in runs] == [0, 0], "\n".join(run.output for run in runs)
    assert len(list((artifacts / "trainings").iterdir())) == 1
    log = "\n".join(run.output for run in runs)
    assert log.count("epoch 1/2") == log.count("epoch 2/2") == 1
    assert len(list((artifacts / "runs").glob("*/report.md"))) == 2
    assert temporary_files(artifacts) == []
    assert not (artifacts / "damaged").exists()
    assert [run.leftovers() for run in runs] == [[], []]


@pytest.fixture
def disk(tmp_path: Path, artifacts: Path) -> Iterator[Path]:
    """A disk of 18 MB: prepared data has room, a training has not."""
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=18m", "tmpfs", str(path)], check=True)
    shutil.copytree(artifacts / "data", path / "data", symlinks=True)
    yield path
    subprocess.run(["umount", str(path)], check=True)


@root_only
def test_full_disk(disk: Path, tmp_path: Path) -> None:
    """A disk that is full in the midst of a training is named in one line; with space the run goes on."""
    flags = ("--models", "cnn", "--train-samples", "500", "--epochs", "3")
    run = Run(disk, flags, tmp_path / "log")
    assert run.wait() == 1, run.output
    assert "No space left on device" in run.output.splitlines()[-1]
    assert "Traceback" not in run.output
    kept = checkpoints(disk)
    subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
    again = Run(disk, flags, tmp_path / "again.log")
    assert again.wait() == 0, again.output
    assert results_of(disk)["models"]["cnn"]["trainings"][0]["origin"] == ("resumed" if kept else "trained")
    assert temporary_files(disk) == []


@root_only
def test_read_only_folder(disk: Path, tmp_path: Path) -> None:
    """A folder that cannot be written is one line that names it and the flag for another one."""
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    run = Run(disk, SHORT, tmp_path / "log")
    assert run.wait() == 1
    last = run.output.splitlines()[-1]
    assert str(disk) in last
    assert "--artifacts-dir" in last
    assert "Traceback" not in run.output
