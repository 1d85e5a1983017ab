"""The slots that all trainings on a machine share."""

import subprocess
import sys
from pathlib import Path

import pytest

from tasks.errors import UserError
from tasks.training.slots import holders, take_slot

HOLD = """
import sys
from tasks.training.slots import take_slot
slot = take_slot(1, "theirs")
print(slot is not None, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def slots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of slots for one test."""
    monkeypatch.setenv("MNIST_PIPELINE_SLOTS", str(tmp_path / "slots"))
    return tmp_path / "slots"


def test_each_slot_has_one_holder() -> None:
    """As many hold one as there are; who comes later gets none until one is free, and learns who holds them."""
    first, second = take_slot(2, "first"), take_slot(2, "second")
    assert first is not None
    assert second is not None
    assert take_slot(2, "third") is None
    assert holders(2) == ["first", "second"]
    first.close()
    assert take_slot(2, "third") is not None


def test_a_run_that_asks_for_more_has_more() -> None:
    """A run that may train two at a time takes the second slot, which no run of one at a time counts on."""
    first = take_slot(1, "first")
    assert first is not None
    assert take_slot(1, "second") is None
    assert take_slot(2, "second") is not None


def test_slots_end_with_their_holder() -> None:
    """Another process's slot is taken, and free again when that process is killed."""
    command = [sys.executable, "-c", HOLD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        assert take_slot(1, "mine") is None
        assert holders(1) == ["theirs"]
        other.kill()
        other.wait()
    assert take_slot(1, "mine") is not None


def test_a_folder_of_somebody_else(slots: Path, tmp_path: Path) -> None:
    """A link in the place of the folder is refused: whoever made it could read along or lock everybody out."""
    (tmp_path / "elsewhere").mkdir()
    slots.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="MNIST_PIPELINE_SLOTS"):
        take_slot(1, "mine")
