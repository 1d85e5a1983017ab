"""The training process itself, started as the flow starts it."""

import contextlib
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from specified import specified

from tasks import files
from tasks.sealed import DamagedError, read_record
from tasks.training.fitted import read_fitted
from tasks.training.process import start
from tasks.training.specification import Specification

DEADLINE = 300  # seconds; generous, because nothing here is about speed
MANY = 40  # epochs: a training of so many goes on while a busy machine takes a second to see that it began


def prepare(folder: Path) -> Path:
    """Write prepared data: 96 random images for training, 32 each for validation and test."""
    generator = np.random.default_rng(0)
    arrays: dict[str, Any] = {"train_sample": np.arange(32)}
    for part, count in (("train", 96), ("validation", 32), ("test", 32)):
        arrays[f"x_{part}"] = generator.integers(0, 256, (count, 28, 28, 1), np.uint8)
        arrays[f"y_{part}"] = generator.integers(0, 10, count).astype(np.uint8)
    np.savez(folder / "prepared.npz", **arrays)
    return folder


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """An artifacts folder that has nothing but prepared data."""
    return prepare(tmp_path)


def small(**changed: Any) -> Specification:
    """What to train: the small convolutional network, because it needs no compilation."""
    return specified(**{"model": "cnn", "epochs": 3, "batch_size": 32, "threads": 1, **changed})


def folder_of(artifacts: Path, specification: Specification) -> Path:
    """Make the folder of a training and write what to train."""
    folder = specification.folder(artifacts)
    files.write_json(folder / "spec.json", specification.to_json())
    return folder


class Process:
    """A training process and what it said so far."""

    def __init__(self, folder: Path, refresh: bool = False) -> None:
        data = folder.parent.parent / "prepared.npz"
        self.process = start(folder, str(data), refresh)
        self.said: list[dict[str, Any]] = []
        self.listener = threading.Thread(target=self._listen)
        self.listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(json.loads(line))

    def events(self, name: str) -> list[dict[str, Any]]:
        return [message for message in self.said if message["event"] == name]

    def go(self) -> None:
        """Let it train."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def wait(self) -> int:
        """Wait for its end; return the exit code."""
        code = self.process.wait(DEADLINE)
        self.listener.join()
        return code

    def wait_for(self, name: str, count: int = 1) -> None:
        """Return when the process has said this so often."""
        deadline = time.monotonic() + DEADLINE
        while len(self.events(name)) < count:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.001)


@contextlib.contextmanager
def training(folder: Path, refresh: bool = False, at_once: bool = True) -> Iterator[Process]:
    """Start a training process that may train at once, or else when it is told to; end it with the block."""
    process = Process(folder, refresh)
    if at_once:
        process.go()
    try:
        yield process
    finally:
        process.process.kill()
        process.wait()
        for pipe in (process.process.stdin, process.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]


def train(folder: Path, refresh: bool = False) -> list[dict[str, Any]]:
    """Train to the end; return what the process said."""
    with training(folder, refresh) as process:
        assert process.wait() == 0, (folder / "log.txt").read_text()
    return process.said


def arrays_of(path: Path) -> dict[str, bytes]:
    """Return the content of an npz file but for the times in a checkpoint."""
    with np.load(path) as stored:
        return {name: stored[name].tobytes() for name in stored.files if name != "record"}


def bits_of(folder: Path) -> dict[str, Any]:
    """Return weights, optimizer, predictions and curves of a finished training."""
    (checkpoint,) = folder.glob("checkpoint-*.npz")
    return {
        "history": read_fitted(folder).history,
        "checkpoint": arrays_of(checkpoint),
        "predictions": arrays_of(folder / "predictions.npz"),
    }


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """A finished training, and what its process said."""
    folder = folder_of(prepare(tmp_path_factory.mktemp("trained")), small())
    return folder, train(folder)


@pytest.fixture
def finished(trained: tuple[Path, list[dict[str, Any]]], tmp_path: Path) -> Path:
    """A copy of the finished training's folder, in an artifacts folder of its own."""
    artifacts = shutil.copytree(trained[0].parent.parent, tmp_path / "artifacts")
    return Path(artifacts) / "trainings" / trained[0].name


def test_a_training(trained: tuple[Path, list[dict[str, Any]]]) -> None:
    """The folder ends with models, predictions and a record that vouches for them; that is complete."""
    folder, said = trained
    assert [message["event"] for message in said if message["event"] != "step"] == [
        *("ready", "epoch", "epoch", "epoch", "finishing", "done")
    ]
    assert read_record(folder / "training.json", spec=small().to_json()) is not None
    fitted = read_fitted(folder)
    assert fitted.parameter_count == 95_946
    assert {len(curve) for _, curve in fitted.history} == {3}
    assert len(fitted.epoch_seconds) == 3
    assert fitted.seconds == sum(fitted.epoch_seconds)
    assert not fitted.diverged
    names = {path.name.split("-")[0] for path in folder.iterdir()}
    assert names == {
        *("best.weights.h5", "checkpoint", "log.txt", "model.keras", "predictions.npz"),
        *("spec.json", "training.json"),
    }
    with np.load(folder / "predictions.npz") as predicted:
        assert predicted["final_test"].shape == predicted["best_validation"].shape == (32, 10)
        assert np.exp(predicted["final_test"]).sum(axis=1) == pytest.approx(1, abs=1e-5)
        validation_nll = fitted.history.val_nll
        with np.load(folder.parent.parent / "prepared.npz") as data:
            chosen = predicted["best_validation"][np.arange(32), data["y_validation"]]
        assert -chosen.mean() == pytest.approx(min(validation_nll), rel=1e-5)

    assert [message["event"] for message in train(folder)] == ["complete"]


def test_refresh(finished: Path) -> None:
    """With --refresh a finished training is done again from the start, and ends with the same bits.

    Until then another run can read the old results, which vouch for nothing any more.
    """
    bits = bits_of(finished)
    with training(finished, refresh=True, at_once=False) as process:
        process.wait_for("ready")
        assert arrays_of(finished / "predictions.npz") == bits["predictions"]
        with pytest.raises(DamagedError):
            read_record(finished / "training.json")
        process.go()
        assert process.wait() == 0
    assert [message["epochs_done"] for message in process.said if message["event"] == "ready"] == [0]
    assert bits_of(finished) == bits


@pytest.mark.long
def test_killed_and_started_again(artifacts: Path) -> None:
    """A training killed after an epoch goes on at the next one and ends with the bits of an undisturbed one."""
    specification = small(model="regularized_cnn", epochs=MANY)
    folder = folder_of(artifacts, specification)
    train(folder)
    undisturbed = bits_of(folder)
    shutil.rmtree(folder)
    folder_of(artifacts, specification)
    for epochs in (1, 2):
        with training(folder) as process:
            process.wait_for("epoch", 1)
            process.process.kill()
            process.wait()
        kept = [int(path.name.split("-")[1]) for path in folder.glob("checkpoint-*.npz")]
        assert epochs <= max(kept) < MANY
    said = train(folder)
    (ready,) = [message for message in said if message["event"] == "ready"]
    assert ready["epochs_done"] >= 2
    assert bits_of(folder) == undisturbed


@pytest.mark.parametrize("name", ["training.json", "predictions.npz", "checkpoint"])
def test_damaged_files_are_made_again(finished: Path, name: str) -> None:
    """A damaged file is set aside, with a warning, and made again in the same bits; no sound epoch is repeated."""
    bits = bits_of(finished)
    (path,) = finished.glob(f"{name}*")
    path.write_bytes(path.read_bytes()[:-10])
    said = train(finished)
    (warning,) = [message["message"] for message in said if message["event"] == "warning"]
    assert path.name in warning
    assert [kept.name for kept in (finished.parent.parent / "damaged").iterdir()] == [
        f"{finished.name}--{path.name}.1"
    ]
    (ready,) = [message for message in said if message["event"] == "ready"]
    assert ready["epochs_done"] == (0 if name == "checkpoint" else 3)
    assert bits_of(finished) == bits


def test_ends_with_its_parent(artifacts: Path) -> None:
    """The end of its standard input, which is the end of its parent, ends the process at once."""
    with training(folder_of(artifacts, small(epochs=10_000))) as process:
        process.wait_for("epoch")
        assert process.process.stdin is not None
        process.process.stdin.close()
        assert process.wait() == 3


def test_two_at_once(artifacts: Path) -> None:
    """Of two processes on one folder one trains; the other waits, and finds the training complete."""
    folder = folder_of(artifacts, small())
    with training(folder, at_once=False) as first:
        first.wait_for("ready")
        with training(folder) as second:
            second.wait_for("waiting")
            first.go()
            assert second.wait() == 0
    assert [message["event"] for message in second.said] == ["waiting", "complete"]


def test_divergence(artifacts: Path) -> None:
    """A loss that is no longer finite ends the training early; the record says so in strict JSON."""
    folder = folder_of(artifacts, small(learning_rate=1e30, epochs=10))
    said = train(folder)
    fitted = read_fitted(folder)
    assert fitted.diverged
    assert len(fitted.history.loss) < 10
    assert fitted.history.val_nll[-1] is None
    assert "NaN" not in (folder / "training.json").read_text()
    assert all("NaN" not in json.dumps(message) for message in said)


@pytest.mark.long
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_full_disk(artifacts: Path) -> None:
    """A disk that fills up is one line that says what to do; what was reached is still there afterwards."""
    disk = artifacts / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(disk)], check=True)
    try:
        (disk / "prepared.npz").symlink_to(artifacts / "prepared.npz")
        folder = folder_of(disk, small(epochs=MANY))
        ballast = disk / "ballast"
        with training(folder) as process:
            process.wait_for("epoch")
            with contextlib.suppress(OSError), ballast.open("wb") as file:
                while True:
                    file.write(b"0" * 65_536)
                    file.flush()
            assert process.wait() == 1
        (error,) = process.events("error")
        assert "No space left" in error["message"]
        assert len(error["message"].splitlines()) == 1
        ballast.unlink()
        said = train(folder)
        (ready,) = [message for message in said if message["event"] == "ready"]
        assert ready["epochs_done"] >= 1
        assert said[-1]["event"] == "done"
        assert not list(folder.glob(".mnist-pipeline-*.tmp*"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)
