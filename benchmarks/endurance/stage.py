"""What kills, damages and nights share: a data set, one training, files of strangers, what is out of order."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from benchmarks import common
from tasks import files
from tasks.data.download import download
from tasks.data.prepare import PreparedData, prepare
from tasks.training.networks import MODELS
from tasks.training.specification import Specification, specifications
from tests.pipeline_runs import wait_for

HOOK = Path(__file__).with_name("hook")
STRANGERS = ("notes.txt", "data/notes.npz", "trainings/notes.json", "runs/mine/report.md", ".secret.tmp")


def digits(path: Path, first: int = 0) -> Path:
    """Write a data set of 600 of MNIST's training images, from `first` on, and 200 of its test images."""
    with np.load(common.mnist()) as stored:
        np.savez(path, **{
            name: stored[name][first : first + (600 if "train" in name else 200)] for name in stored.files
        })  # fmt: skip
    return path


@dataclass(frozen=True)
class Stage:
    """An artifacts folder with prepared data, and a training to be done in it, by the pipeline's own steps."""

    artifacts: Path
    dataset: Path
    prepared: PreparedData
    specification: Specification

    @property
    def folder(self) -> Path:
        return self.specification.folder(self.artifacts)


def set_up(artifacts: Path, dataset: Path, epochs: int, seed: int = 0) -> Stage:
    """Download and prepare as a run does, and say what to train: the small convolutional network."""
    data = download(str(dataset), artifacts / "data", quiet)
    prepared = prepare(data, 0.1, None, artifacts / "data", quiet)
    (specification,) = specifications(
        {"cnn": MODELS["cnn"]},
        [seed],
        prepared.digest,
        epochs=epochs,
        batch_size=128,
        learning_rate=None,
        pixel_scaling="unit",
        precision="float32",
        threads=1,
    )
    stage = Stage(artifacts, dataset, prepared, specification)
    files.write_json(stage.folder / "spec.json", specification.to_json())
    return stage


def quiet(line: str) -> None:
    """Take a line for the log and drop it."""


def put_strangers(artifacts: Path) -> None:
    """Put files that this program did not make beside its own."""
    for name in STRANGERS:
        (artifacts / name).parent.mkdir(parents=True, exist_ok=True)
        (artifacts / name).write_text(f"{name}: of somebody else")


def strangers_touched(artifacts: Path) -> list[str]:
    """Return which of them are not as they were."""
    return [
        name
        for name in STRANGERS
        if not (artifacts / name).is_file() or (artifacts / name).read_text() != f"{name}: of somebody else"
    ]


def locked(artifacts: Path) -> list[str]:
    """Return the folders below the artifacts folder that a process holds, some seconds from now at the latest."""

    def now() -> list[str]:
        found = []
        for folder in (artifacts, *(path for path in artifacts.rglob("*/") if not path.is_symlink())):
            with files.lock(folder, wait=False) as held:
                if not held:
                    found.append(str(folder))
        return found

    wait_for(lambda: not now(), 20, pause=0.5)
    return now()


def working_in(folder: Path) -> list[str]:
    """Return the command lines that name something below the folder, some seconds from now at the latest."""

    def now() -> list[str]:
        found = []
        for process in psutil.process_iter(["cmdline", "pid"]):
            words = process.info["cmdline"] or []
            if process.info["pid"] != os.getpid() and any(str(folder) in word for word in words):
                found.append(" ".join(words))
        return found

    wait_for(lambda: not now(), 20, pause=0.5)
    return now()


def out_of_order(artifacts: Path) -> list[str]:
    """Return what should be neither after a kill nor after an end."""
    found = [f"running: {line}" for line in working_in(artifacts)]
    found += [f"locked: {path}" for path in locked(artifacts)]
    return found + [f"touched: {name}" for name in strangers_touched(artifacts)]


@contextlib.contextmanager
def environment(**values: str) -> Iterator[None]:
    """Set environment variables for the processes that the block starts."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
