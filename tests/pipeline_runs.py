"""The script as a process that can be watched and killed, and what it leaves in the artifacts folder."""

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from tasks.store.layout import PROJECT

SCRIPT = PROJECT / "flows" / "mnist_pipeline.py"
MARK = "MNIST_PIPELINE_TEST_MARK"
DEADLINE = 900  # seconds; generous, because nothing here is about speed
LONG_FAULTS = bool(os.environ.get("MNIST_PIPELINE_LONG_FAULTS"))
TEMPORARY = ".mnist-pipeline-*.tmp*"


@dataclass
class Run:
    """One process of the script; all its descendants carry `mark` in their environment."""

    artifacts: Path
    flags: tuple[str, ...]
    log: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(SCRIPT), *self.flags, "--artifacts-dir", str(self.artifacts)],
                env={**os.environ, MARK: self.mark},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a group of its own, as a shell gives to a foreground command
                preexec_fn=hear_ctrl_c,
            )
        atexit.register(self.kill_everything)

    @property
    def output(self) -> str:
        """What it has written so far."""
        return self.log.read_text(errors="replace")

    @property
    def alive(self) -> bool:
        """Whether the script itself still runs."""
        return self.process.poll() is None

    def wait(self) -> int:
        """Return the exit code: negative if a signal ended the process."""
        return self.process.wait(DEADLINE)

    def processes(self) -> list[psutil.Process]:
        """Return the script, its trainings and its server, as far as they run."""
        return [process for process in psutil.process_iter() if mark_of(process) == self.mark]

    def trainings(self) -> dict[str, int]:
        """Return the process ids of the trainings that run, by the name of their folders; takes a millisecond."""
        found = {}
        for children in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):  # what has ended meanwhile
                for child in children.read_text().split():
                    words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
                    if "tasks.training.fit" in words:
                        found[Path(words[words.index("tasks.training.fit") + 1]).name] = int(child)
        return found

    def kill_everything(self) -> None:
        """Send SIGKILL to the script and to all that it started; finding all takes a while, so some come first."""
        for training in self.trainings().values() if self.alive else ():
            os.kill(training, signal.SIGKILL)
        self.process.kill()
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def leftovers(self) -> list[str]:
        """Return the command lines of what still runs some seconds after the end of the script."""
        wait_for(lambda: not self.processes(), 20, pause=0.5)
        return [" ".join(process.cmdline()) for process in self.processes()]


def hear_ctrl_c() -> None:
    """Take back that a shell lets its background jobs, of which the tests may be one, ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def mark_of(process: psutil.Process) -> str | None:
    """Return the mark in a process's environment, None if it has none or is gone."""
    try:
        return process.environ().get(MARK)
    except psutil.Error:
        return None


def wait_for(condition: Callable[[], Any], seconds: float = DEADLINE, pause: float = 0.05) -> bool:
    """Return whether the condition became true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def finished(folder: Path, flags: tuple[str, ...]) -> Path:
    """Run the pipeline to its end, undisturbed; return its artifacts folder."""
    run = Run(folder / "artifacts", flags, folder / "log")
    assert run.wait() == 0, run.output
    return run.artifacts


def few_digits(mnist: Path, path: Path) -> Path:
    """Write a data set of MNIST's first 4,000 training and 1,000 test images: evaluating it takes no time."""
    with np.load(mnist) as digits:
        few = {name: digits[name][: 4000 if "train" in name else 1000] for name in digits.files}
    np.savez(path, **few)
    return path


def results_of(artifacts: Path) -> dict[str, Any]:
    """Return the results.json of the newest run."""
    return dict(json.loads((artifacts / "latest" / "results.json").read_text()))


def record_of(folder: Path) -> dict[str, Any]:
    """Return the record of a finished training."""
    return dict(json.loads((folder / "training.json").read_text()))


def checkpoints(artifacts: Path) -> dict[str, int]:
    """Return how many epochs each training has kept, by the name of its folder."""
    return {
        path.parent.name: int(path.name.split("-")[1])
        for path in sorted(artifacts.glob("trainings/*/checkpoint-*.npz"))
    }


def unfinished(artifacts: Path) -> dict[str, int]:
    """Return how many epochs those trainings have kept that have begun and not ended."""
    return {
        name: epochs
        for name, epochs in checkpoints(artifacts).items()
        if not (artifacts / "trainings" / name / "training.json").exists()
    }


def arrays_of(path: Path) -> dict[str, bytes]:
    """Return what an npz file holds, as bytes that can be compared, but for the times in a checkpoint."""
    with np.load(path) as stored:
        return {name: stored[name].tobytes() for name in stored.files if name != "record"}


def bits_of(artifacts: Path) -> dict[str, Any]:
    """Return what no fault may change: of all trainings, and the digest of the results."""
    trainings = {folder.name: bits_of_training(folder) for folder in sorted(artifacts.glob("trainings/*/"))}
    return {"digest of the results": results_of(artifacts)["provenance"]["digest"], **trainings}


def bits_of_training(folder: Path) -> dict[str, Any]:
    """Return weights, optimizer, predictions and curves of a finished training."""
    (checkpoint,) = folder.glob("checkpoint-*.npz")
    with zipfile.ZipFile(folder / "model.keras") as model:
        weights = model.read("model.weights.h5")
    return {
        "history": record_of(folder)["history"],
        "checkpoint": arrays_of(checkpoint),
        "predictions": arrays_of(folder / "predictions.npz"),
        "model": weights,
        "best weights": (folder / "best.weights.h5").read_bytes(),
    }


def temporary_files(artifacts: Path) -> list[str]:
    """Return the temporary files below the artifacts folder."""
    return [str(path.relative_to(artifacts)) for path in artifacts.rglob(TEMPORARY)]
