"""What a training has reached: kept whole, found again, and never taken from a damaged file."""

from pathlib import Path

import numpy as np
import pytest

from tasks.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint


def reached(epochs: int) -> Checkpoint:
    """What is known after some epochs, each a second long."""
    arrays = {"weight_000": np.full((2, 3), epochs / 3, np.float32), "curve_loss": np.arange(epochs) / 7}
    return Checkpoint(arrays, [1.0] * epochs, [1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a training in an artifacts folder."""
    path = tmp_path / "trainings" / "dense-0-abc"
    path.mkdir(parents=True)
    return path


def load(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """Load what the folder holds; return it and the warnings."""
    warnings: list[str] = []
    return load_checkpoint(folder, lambda event, message: warnings.append(message)), warnings


def test_what_was_saved_is_loaded(folder: Path) -> None:
    """Arrays and times come back as they were, to the bit."""
    save_checkpoint(folder, reached(2))
    found, warnings = load(folder)
    assert found is not None
    assert (found.epoch_seconds, found.resumed_after, warnings) == ([1.0, 1.0], [1], [])
    assert found.arrays.keys() == reached(2).arrays.keys()
    for name, values in reached(2).arrays.items():
        assert (found.arrays[name].dtype, found.arrays[name].tolist()) == (values.dtype, values.tolist())


def test_nothing_saved(folder: Path) -> None:
    """Without a checkpoint, nothing is done yet."""
    assert load(folder) == (None, [])


def test_only_the_newest_is_kept(folder: Path) -> None:
    """A new checkpoint takes the place of the one before."""
    save_checkpoint(folder, reached(1))
    newest = save_checkpoint(folder, reached(2))
    assert list(folder.iterdir()) == [newest]


def test_an_older_one_stands_in_for_a_damaged_one(folder: Path) -> None:
    """A process killed between writing and removing leaves two; if the newer is damaged, the older counts."""
    older = save_checkpoint(folder, reached(1))
    content = older.read_bytes()
    newer = save_checkpoint(folder, reached(2))
    older.write_bytes(content)
    newer.write_bytes(newer.read_bytes()[:-1])
    found, warnings = load(folder)
    assert found is not None
    assert found.epoch_seconds == [1.0]
    [warning] = warnings
    assert "does not agree with the digest in its name" in warning
    [kept] = (folder.parents[1] / "damaged").iterdir()
    assert kept.name == f"dense-0-abc--{newer.name}.1"


def test_a_checkpoint_of_another_training_is_not_taken(folder: Path) -> None:
    """A sound checkpoint that was copied from another training's folder is set aside."""
    other = folder.with_name("dense-1-def")
    other.mkdir()
    saved = save_checkpoint(other, reached(3))
    saved.rename(folder / saved.name)
    found, warnings = load(folder)
    assert found is None
    assert "belongs to another training" in warnings[0]
