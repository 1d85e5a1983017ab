"""The training process itself, started as the flow starts it."""

import contextlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_process import Process, Said, folder_of, only, small, train

from tasks.store.sealed import DamagedError, read_record
from tasks.training.fit import images_per_prediction
from tasks.training.fitted import read_fitted

MANY = 40  # epochs: a training of so many goes on while a busy machine takes a second to see that it began


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
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Said]:
    """A finished training, and what its process said."""
    folder = folder_of(tmp_path_factory.mktemp("trained"), small())
    return folder, train(folder)


@pytest.fixture
def finished(trained: tuple[Path, Said], tmp_path: Path) -> Path:
    """A copy of the finished training's folder, in an artifacts folder of its own."""
    shutil.copytree(trained[0].parents[1], tmp_path, dirs_exist_ok=True)
    return tmp_path / "trainings" / trained[0].name


def test_a_training(trained: tuple[Path, Said]) -> None:
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
        for name in ("final_validation", "final_test", "best_validation", "best_test"):
            assert predicted[name].shape == (32, 10)
        assert predicted["validation_losses"].dtype == np.float16
        means = predicted["validation_losses"].mean(axis=1, dtype=float)
        assert means == pytest.approx(fitted.history.val_nll, rel=1e-3)
        assert np.exp(predicted["final_test"]).sum(axis=1) == pytest.approx(1, abs=1e-5)
        with np.load(folder.parent.parent / "prepared.npz") as data:
            chosen = predicted["best_validation"][np.arange(32), data["y_validation"]]
        assert -chosen.mean() == pytest.approx(min(fitted.history.val_nll), rel=1e-5)

    assert [message["event"] for message in train(folder)] == ["complete"]


def test_refresh(finished: Path) -> None:
    """With --refresh a finished training is done again from the start, and ends with the same bits.

    Until then another run can read the old results, which vouch for nothing any more.
    """
    bits = bits_of(finished)
    with Process(finished, refresh=True, at_once=False) as process:
        process.wait_for("ready")
        assert arrays_of(finished / "predictions.npz") == bits["predictions"]
        with pytest.raises(DamagedError):
            read_record(finished / "training.json")
        process.go()
        assert process.wait() == 0
    assert only(process.said, "ready")["epochs_done"] == 0
    assert bits_of(finished) == bits


@pytest.mark.long
def test_killed_and_started_again(tmp_path: Path) -> None:
    """A training killed after an epoch goes on at the next one and ends with the bits of an undisturbed one."""
    specification = small(model="regularized_cnn", epochs=MANY)
    folder = folder_of(tmp_path, specification)
    train(folder)
    undisturbed = bits_of(folder)
    shutil.rmtree(folder)
    folder_of(tmp_path, specification)
    for epochs in (1, 2):
        with Process(folder) as process:
            process.wait_for("epoch")
            process.process.kill()
            process.wait()
        kept = [int(path.name.split("-")[1]) for path in folder.glob("checkpoint-*.npz")]
        assert epochs <= max(kept) < MANY
    said = train(folder)
    assert only(said, "ready")["epochs_done"] >= 2
    assert bits_of(folder) == undisturbed


@pytest.mark.parametrize("name", ["training.json", "predictions.npz", "checkpoint"])
def test_damaged_files_are_made_again(finished: Path, name: str) -> None:
    """A damaged file is set aside, with a warning, and made again in the same bits; no sound epoch is repeated."""
    bits = bits_of(finished)
    (path,) = finished.glob(f"{name}*")
    path.write_bytes(path.read_bytes()[:-10])
    said = train(finished)
    assert path.name in only(said, "warning")["message"]
    (kept,) = (finished.parents[1] / "damaged").iterdir()
    assert kept.name == f"{finished.name}--{path.name}.1"
    assert only(said, "ready")["epochs_done"] == (0 if name == "checkpoint" else 3)
    assert bits_of(finished) == bits


def test_ends_with_its_parent(tmp_path: Path) -> None:
    """The end of its standard input, which is the end of its parent, ends the process at once."""
    with Process(folder_of(tmp_path, small(epochs=10_000))) as process:
        process.wait_for("epoch")
        process.stdin.close()
        assert process.wait() == 3


def test_two_at_once(tmp_path: Path) -> None:
    """Of two processes on one folder one trains; the other waits, and finds the training complete."""
    folder = folder_of(tmp_path, small())
    with Process(folder, at_once=False) as first:
        first.wait_for("ready")
        with Process(folder) as second:
            second.wait_for("waiting")
            first.go()
            assert second.wait() == 0
    assert [message["event"] for message in second.said] == ["waiting", "complete"]


def test_divergence(tmp_path: Path) -> None:
    """A loss that is no longer finite ends the training early; the record says so in strict JSON."""
    folder = folder_of(tmp_path, small(learning_rate=1e30, epochs=10))
    said = train(folder)
    fitted = read_fitted(folder)
    assert fitted.diverged
    assert len(fitted.history.loss) < 10
    assert fitted.history.val_nll[-1] is None
    assert "NaN" not in (folder / "training.json").read_text()
    assert all("NaN" not in json.dumps(message) for message in said)


@pytest.mark.long
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_full_disk(tmp_path: Path) -> None:
    """A disk that fills up is one line that says what to do; what was reached is still there afterwards."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(disk)], check=True)
    try:
        folder, ballast = folder_of(disk, small(epochs=MANY)), disk / "ballast"
        with Process(folder) as process:
            process.wait_for("epoch")
            with contextlib.suppress(OSError), ballast.open("wb") as file:
                while True:
                    file.write(b"0" * 65_536)
                    file.flush()
            assert process.wait() == 1
        (line,) = only(process.said, "error")["message"].splitlines()
        assert "No space left" in line
        ballast.unlink()
        said = train(folder)
        (ready,) = [message for message in said if message["event"] == "ready"]
        assert ready["epochs_done"] >= 1
        assert said[-1]["event"] == "done"
        assert not list(folder.glob(".mnist-pipeline-*.tmp*"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_images_per_prediction() -> None:
    """A thousand like MNIST's or smaller; of the largest still some."""
    shapes = ((8, 8, 3), (28, 28, 1), (56, 56, 3), (256, 256, 3))
    assert [images_per_prediction(shape) for shape in shapes] == [1000, 1000, 250, 11]
