"""Runs that are stopped, run into each other, diverge, or find a disk that takes nothing."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pipeline_runs import PROJECT, Run, checkpoints, record_of, results_of, temporary_files, wait_for

pytestmark = pytest.mark.long

ENDLESS = ("--models", "dense", "cnn", "--train-samples", "500", "--epochs", "10000")
SHORT = ("--models", "dense", "--train-samples", "500", "--epochs", "2")
# No learning rate that the flow takes makes a loss infinite (10 does not), so here it takes any.
DIVERGES = """
import sys
from flows.cli import pipeline_command
from flows.mnist_pipeline import mnist_pipeline
flow = mnist_pipeline.with_options(validate_parameters=False)
parameters = {"models": ["cnn"], "train_samples": 500, "epochs": 5, "learning_rate": 1e30}
state = pipeline_command.run(flow, {**parameters, "artifacts_dir": sys.argv[1]}, None, None)
sys.exit(not state.is_completed())
"""
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a disk")


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
    assert wait_for(lambda: max(checkpoints(artifacts).values(), default=0) >= 2), run.output
    (os.killpg if whom == "group" else os.kill)(run.process.pid, number)
    assert run.wait() == 128 + number
    assert run.leftovers() == []
    assert run.output.splitlines()[-1] == f"mnist-pipeline was stopped. Finished epochs are kept: {advice}."
    assert "Traceback" not in run.output
    assert max(checkpoints(artifacts).values()) >= 2


def test_divergence(artifacts: Path) -> None:
    """A training that diverges is a result: the run completes, and its report says so."""
    done = subprocess.run(
        [sys.executable, "-c", DIVERGES, str(artifacts)], cwd=PROJECT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (training,) = results_of(artifacts)["models"]["cnn"]["trainings"]
    assert training["diverged"]
    assert training["onset"]["status"] == "diverged"
    assert "diverged" in (artifacts / "latest" / "report.md").read_text()
    assert "Traceback" not in done.stderr


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
    """A small disk with the data set."""
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", str(path)], check=True)
    try:
        shutil.copytree(artifacts / "data", path / "data", symlinks=True)
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)


def fill(path: Path) -> None:
    """Write into a file until the disk is full."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(b"0" * 65_536)


@root_only
def test_full_disk(disk: Path, tmp_path: Path) -> None:
    """A disk that fills up in the midst of a training is named in one line; with space the run goes on."""
    flags = ("--models", "cnn", "--train-samples", "500", "--epochs", "8")
    run = Run(disk, flags, tmp_path / "log")
    assert wait_for(lambda: checkpoints(disk), pause=0.01)
    fill(disk / "ballast")
    assert run.wait() == 1, run.output
    assert f"No space left on device at {disk / 'runs'}" in run.output.splitlines()[-1]
    assert "Traceback" not in run.output
    assert run.leftovers() == []
    (disk / "ballast").unlink()
    kept = checkpoints(disk)
    again = Run(disk, flags, tmp_path / "again.log")
    assert again.wait() == 0, again.output
    (training,) = results_of(disk)["models"]["cnn"]["trainings"]
    assert training["origin"] == "resumed"
    assert [record_of(disk / "trainings" / name)["resumed_after"] for name in kept] == [list(kept.values())]
    assert temporary_files(disk) == []


@root_only
def test_read_only_folder(disk: Path, tmp_path: Path) -> None:
    """A folder that cannot be written is one line that names it and the flag for another one."""
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    run = Run(disk, SHORT, tmp_path / "log")
    assert run.wait() == 2
    last = run.output.splitlines()[-1]
    assert str(disk) in last
    assert "--artifacts-dir" in last
    assert "Traceback" not in run.output
