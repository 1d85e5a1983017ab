"""A training process seen from outside: started, listened to, ended in time and never left behind."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from tasks.errors import PlainError
from tasks.store.layout import PROJECT

FIT = "tasks.training.fit"  # what a training process runs
HUGE_PAGES = "glibc.malloc.hugetlb=1"
SECONDS_TO_END = 5  # after that SIGKILL follows SIGTERM
STOPPED = "stopped with the run; finished epochs are kept, the next run goes on from there"


class TrainingFailedError(PlainError):
    """The training of `model` with `seed` ended without a result; `reason` says why and where its log is."""

    def __init__(self, model: str, seed: int, reason: str) -> None:
        super().__init__(model, seed, reason)  # all three, so that it can be pickled
        self.model, self.seed, self.reason = model, seed, reason

    def __str__(self) -> str:
        return f"{self.model} seed {self.seed}: {self.reason}"


class Deadline:
    """A moment after which a training is ended; it is put off while the training waits for its turn."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self.restart()

    def restart(self) -> None:
        self.moment = float("inf") if self.seconds is None else time.monotonic() + self.seconds

    def suspend(self) -> None:
        self.moment = float("inf")

    @property
    def past(self) -> bool:
        return time.monotonic() > self.moment


stopping = threading.Event()
processes: set[subprocess.Popen[str]] = set()


def is_stopping() -> bool:
    """Return whether this process's trainings are being ended.

    For tasks: what a task itself names is pickled on its way to a Dask worker, which an event cannot be.
    """
    return stopping.is_set()


@contextlib.contextmanager
def trainings_end_with_this() -> Iterator[None]:
    """End all training processes when the block is left by an exception: a signal, Ctrl-C, a cancellation."""
    stopping.clear()
    try:
        yield
    except BaseException:
        stopping.set()
        for process in list(processes):
            process.terminate()
        raise


def tensorflow_environment() -> dict[str, str]:
    """Return the environment of a process that finds this project's modules and loads TensorFlow."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        "PYTHONSAFEPATH": "1",  # a tasks.py or numpy.py in the folder where a person stands is not ours
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "KERAS_BACKEND": "tensorflow",
        "CUDA_VISIBLE_DEVICES": "-1",
        "HDF5_USE_FILE_LOCKING": "FALSE",  # it would wait for the lock of `atomic_write`
        # glibc's malloc asks for huge pages: quicker epochs (docs/log.md). A person's own setting, the last, wins.
        "GLIBC_TUNABLES": f"{HUGE_PAGES}:{os.environ.get('GLIBC_TUNABLES', '')}".rstrip(":"),
    }


def start(folder: Path, data_path: str, refresh: bool) -> subprocess.Popen[str]:
    """Start the training process; what it logs stands in its folder."""
    with (folder / "log.txt").open("ab") as log:
        return start_module(FIT, str(folder), data_path, *(["--refresh"] if refresh else []), log=log)


def start_module(module: str, *arguments: str, log: IO[bytes]) -> subprocess.Popen[str]:
    """Start a process that loads TensorFlow; it is a group of its own, so that Ctrl-C reaches the flow first."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env=tensorflow_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        start_new_session=True,
    )


def messages(process: subprocess.Popen[str], deadline: Deadline) -> Iterator[dict[str, Any]]:
    """Yield what the process says until it ends, or is to be ended: with the run, or because of the deadline."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while not stopping.is_set() and not deadline.past:
        with contextlib.suppress(queue.Empty):
            line = lines.get(timeout=0.2)
            if line is None:
                process.wait()
                return
            yield json.loads(line)


def end(process: subprocess.Popen[str]) -> None:
    """End the process if it still runs, and wait until it is gone."""
    process.terminate()
    try:
        process.wait(timeout=SECONDS_TO_END)
    except subprocess.TimeoutExpired:  # it is stopped, or deep inside a library
        process.kill()
        process.wait()
    processes.discard(process)
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        with contextlib.suppress(OSError):  # a "go" that nobody reads any more
            pipe.close()


def why_it_failed(process: subprocess.Popen[str], deadline: Deadline, problem: str, log: Path) -> str:
    """Return in words why a process ended without a result; `problem` is what it said itself, if anything."""
    if stopping.is_set():
        return STOPPED
    if deadline.past and not problem:
        return f"training_timeout of {deadline.seconds:g} s is over; finished epochs are kept"
    return f"{problem or how_it_ended(process.returncode)} (log: {log})"


def how_it_ended(returncode: int) -> str:
    """Return in words why a process that said nothing ended."""
    if returncode == -9:
        return "the training process was killed (signal 9); if nobody did, the machine ran out of memory"
    if returncode < 0:
        return f"the training process was ended by signal {-returncode}"
    return f"the training process ended with exit code {returncode}"
