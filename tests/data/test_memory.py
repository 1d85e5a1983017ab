"""The estimates of memory and the refusals that follow."""

import pytest

from tasks.data import memory
from tasks.data.memory import check_reading, check_training, free_memory
from tasks.errors import UserError

COUNTS = {"train": 50_000, "validation": 5_000, "test": 10_000}


def test_what_is_free_is_what_the_container_leaves(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's free memory, or less where a control group has a limit; "max" is none."""
    monkeypatch.setattr(memory, "CONTROL_GROUP", tmp_path)
    assert free_memory() > 1000
    (tmp_path / "memory.current").write_text("600\n")
    (tmp_path / "memory.max").write_text("1000\n")
    assert free_memory() == 400
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory() > 1000


def test_reading_takes_twice_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written is compared with what was read."""
    monkeypatch.setattr(memory, "free_memory", lambda: 2_000)
    check_reading("flowers", 1_000)
    with pytest.raises(
        UserError, match=r"flowers: reading its images takes about .* Name a data set with fewer"
    ):
        check_reading("flowers", 1_001)


def test_training_takes_floats_beside_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """MNIST takes a gigabyte or so; of what is too large the number that fits is named, and fits."""
    monkeypatch.setattr(memory, "free_memory", lambda: 2_000_000_000)
    check_training("mnist", COUNTS, (28, 28, 1), 128, 1)
    with pytest.raises(UserError, match="12,288 values, 1 at a time") as caught:
        check_training("flowers", COUNTS, (64, 64, 3), 16, 1)
    fitting = int(str(caught.value).split("--train-samples ")[1].split(",")[0])
    assert 0 < fitting < COUNTS["train"]
    check_training("flowers", COUNTS | {"train": fitting}, (64, 64, 3), 16, 1)
    with pytest.raises(UserError, match="2 at a time"):
        check_training("mnist", COUNTS, (28, 28, 1), 128, 2)
