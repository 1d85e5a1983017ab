"""Training processes, started as the flow starts them, on data of 160 random images."""

import contextlib
import json
import threading
import time
from pathlib import Path
from typing import Any, Self

import numpy as np
from specified import specified

from tasks import files
from tasks.training.process import start
from tasks.training.specification import Specification

DEADLINE = 300  # seconds; generous, because nothing here is about speed


def small(**changed: Any) -> Specification:
    """What to train: the small convolutional network, because it needs no compilation."""
    return specified(**{"model": "cnn", "epochs": 3, "batch_size": 32, "threads": 1, **changed})


def folder_of(artifacts: Path, specification: Specification) -> Path:
    """Make the folder of a training with what to train, and prepared data: 96 random images, 32 of other parts."""
    generator = np.random.default_rng(0)
    arrays: dict[str, Any] = {"train_sample": np.arange(32)}
    for part, count in (("train", 96), ("validation", 32), ("test", 32)):
        arrays[f"x_{part}"] = generator.integers(0, 256, (count, 28, 28, 1), np.uint8)
        arrays[f"y_{part}"] = generator.integers(0, 10, count).astype(np.uint8)
    np.savez(artifacts / "prepared.npz", **arrays)
    folder = specification.folder(artifacts)
    files.write_json(folder / "spec.json", specification.to_json())
    return folder


Said = list[dict[str, Any]]


def only(said: Said, event: str) -> dict[str, Any]:
    """The one message of this event."""
    (message,) = [message for message in said if message["event"] == event]
    return message


class Process:
    """A training process and what it said so far; it may train at once, or else when it is told to.

    With the `with` block it ends.
    """

    def __init__(self, folder: Path, refresh: bool = False, at_once: bool = True) -> None:
        self.process = start(folder, str(folder.parents[1] / "prepared.npz"), refresh)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        self.said: Said = []
        self.listener = threading.Thread(target=self._listen)
        self.listener.start()
        if at_once:
            self.go()

    def _listen(self) -> None:
        self.said.extend(json.loads(line) for line in self.stdout)

    def go(self) -> None:
        """Let it train."""
        self.stdin.write("go\n")
        self.stdin.flush()

    def wait(self) -> int:
        """Wait for its end; return the exit code."""
        code = self.process.wait(DEADLINE)
        self.listener.join()
        return code

    def wait_for(self, event: str) -> None:
        """Return when the process has said this."""
        deadline = time.monotonic() + DEADLINE
        while not any(message["event"] == event for message in self.said):
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.001)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.wait()
        for pipe in (self.stdin, self.stdout):
            with contextlib.suppress(OSError):
                pipe.close()


def train(folder: Path) -> Said:
    """Train to the end; return what the process said."""
    with Process(folder) as process:
        assert process.wait() == 0, (folder / "log.txt").read_text()
    return process.said
