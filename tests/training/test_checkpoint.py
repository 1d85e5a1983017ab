"""What a training has reached: kept whole, found again, and never taken from a damaged file."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tasks.training.checkpoint import CURVES, Progress, load_checkpoint, save_checkpoint


class Variable:
    """A number with the two methods of Keras's variables that a checkpoint needs."""

    def __init__(self, value: float) -> None:
        self.value = np.float32(value)

    def assign(self, value: Any) -> None:
        self.value = value

    def numpy(self) -> Any:
        return self.value


class Model:
    """Two weights."""

    def __init__(self, value: float) -> None:
        self.weights = [np.full((2, 3), value, np.float32), np.float32(value)]

    def get_weights(self) -> list[Any]:
        return self.weights

    def set_weights(self, weights: list[Any]) -> None:
        self.weights = weights


def network(value: float) -> Any:
    """A network whose every number is `value`."""
    return SimpleNamespace(
        model=Model(value), optimizer=SimpleNamespace(variables=[Variable(value), Variable(value)])
    )


def progress(epochs: int) -> Progress:
    """What is known after some epochs, each a second long."""
    reached = Progress(best_weights=[np.ones(2, np.float32)], epoch_seconds=[1.0] * epochs)
    for curve in CURVES:
        reached.history[curve] = [0.1 + epoch for epoch in range(epochs)]
    return reached


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a training in an artifacts folder."""
    path = tmp_path / "trainings" / "dense-0-abc"
    path.mkdir(parents=True)
    return path


def load(folder: Path) -> tuple[Progress, Any, list[str]]:
    """Load what the folder holds into a network of zeros; return progress, network and warnings."""
    warnings: list[str] = []
    empty = network(0)
    found = load_checkpoint(folder, empty, lambda event, message: warnings.append(message))
    return found, empty, warnings


def test_what_was_saved_is_loaded(folder: Path) -> None:
    """Weights, optimizer, curves and best weights come back as they were, to the bit."""
    save_checkpoint(folder, network(1 / 3), progress(2))
    found, loaded, warnings = load(folder)
    assert found.history == progress(2).history
    assert found.epochs_done == 2
    assert [array.tolist() for array in found.best_weights] == [[1.0, 1.0]]
    np.testing.assert_array_equal(loaded.model.weights[0], np.full((2, 3), 1 / 3, np.float32))
    assert [variable.value for variable in loaded.optimizer.variables] == [np.float32(1 / 3)] * 2
    assert warnings == []


def test_nothing_saved(folder: Path) -> None:
    """Without a checkpoint, nothing is done yet."""
    assert load(folder)[0].epochs_done == 0


def test_only_the_newest_is_kept(folder: Path) -> None:
    """A new checkpoint takes the place of the one before."""
    save_checkpoint(folder, network(1), progress(1))
    newest = save_checkpoint(folder, network(2), progress(2))
    assert list(folder.iterdir()) == [newest]


def test_an_older_one_stands_in_for_a_damaged_one(folder: Path) -> None:
    """A process killed between writing and removing leaves two; if the newer is damaged, the older counts."""
    older = save_checkpoint(folder, network(1), progress(1))
    content = older.read_bytes()
    newer = save_checkpoint(folder, network(2), progress(2))
    older.write_bytes(content)
    newer.write_bytes(newer.read_bytes()[:-1])
    found, loaded, warnings = load(folder)
    assert found.epochs_done == 1
    assert loaded.model.weights[1] == 1
    assert len(warnings) == 1
    assert "does not agree with the digest in its name" in warnings[0]
    assert [path.name for path in (folder.parents[1] / "damaged").iterdir()] == [
        f"dense-0-abc--{newer.name}.1"
    ]


def test_a_checkpoint_of_another_training_is_not_taken(folder: Path) -> None:
    """A sound checkpoint that was copied from another training's folder is set aside."""
    other = folder.with_name("dense-1-def")
    other.mkdir()
    saved = save_checkpoint(other, network(1), progress(3))
    saved.rename(folder / saved.name)
    found, _, warnings = load(folder)
    assert found.epochs_done == 0
    assert "belongs to another training" in warnings[0]


@pytest.mark.parametrize("curve", ["loss", "val_nll"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_diverged(folder: Path, curve: str, value: float) -> None:
    """A training whose last loss is not finite has diverged, also after it was loaded again."""
    reached = progress(2)
    assert not reached.diverged
    reached.history[curve][-1] = value
    assert reached.diverged
    save_checkpoint(folder, network(1), reached)
    assert load(folder)[0].diverged
