"""The slots that all trainings on a machine share."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.errors import UserError
from tasks.training.slots import folder_of_slots, holders, slot_files, take_slot

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


def test_what_stands_in_the_place_of_the_folder(slots: Path, tmp_path: Path) -> None:
    """A link, a file or a home that nobody has, where the folder belongs, is refused in a line."""
    (tmp_path / "elsewhere").mkdir()
    slots.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="MNIST_PIPELINE_SLOTS"):
        take_slot(1, "mine")
    slots.unlink()
    slots.touch()
    with pytest.raises(UserError, match="MNIST_PIPELINE_SLOTS"):
        take_slot(1, "mine")


@pytest.mark.parametrize("name", ["~/slots", "~nobody-of-that-name/slots"])
def test_a_home(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """~ is one's home in the variable too; somebody whom the machine does not know has none."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MNIST_PIPELINE_SLOTS", name)
    if name == "~/slots":
        assert folder_of_slots() == tmp_path / "slots"
    else:
        with pytest.raises(UserError, match="MNIST_PIPELINE_SLOTS"):
            folder_of_slots()


def test_files_of_others_stay(slots: Path, tmp_path: Path) -> None:
    """What lies in the folder under another name is left as it is, and no link in it is followed."""
    slots.mkdir()
    (slots / "0").write_text("notes of a person")
    first = take_slot(1, "mine")
    assert first is not None
    assert (slots / "0").read_text() == "notes of a person"
    (tmp_path / "diary").write_text("of a person")
    slot_files(2)[1].symlink_to(tmp_path / "diary")
    with pytest.raises(OSError, match="symbolic links"):
        take_slot(2, "other")
    assert (tmp_path / "diary").read_text() == "of a person"


def test_the_folder_removed_while_a_slot_is_held(slots: Path) -> None:
    """Somebody tidies /tmp: the training that holds a slot goes on, and the next one makes the folder anew."""
    first = take_slot(1, "first")
    assert first is not None
    shutil.rmtree(slots)
    assert holders(1) == []
    assert take_slot(1, "second") is not None
    first.close()
    assert holders(1) == ["second"]


def test_a_full_disk() -> None:
    """Where not a byte can be written the slot is held all the same, and closed without complaint."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
    checked = limit + "from tasks.training.slots import take_slot\nslot = take_slot(1, 'mine')\n"
    checked += "assert slot and not take_slot(1, 'other'); slot.close(); assert take_slot(1, 'other')"
    done = subprocess.run([sys.executable, "-B", "-c", checked], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_damaged_name() -> None:
    """A holder's name that is no text is shown as far as it is."""
    assert take_slot(1, "mine") is not None
    slot_files(1)[0].write_bytes(b"dense\xff")
    assert holders(1) == ["dense\N{REPLACEMENT CHARACTER}"]


def test_no_child_keeps_a_slot() -> None:
    """A process that the holder starts, such as the training, does not inherit the slot."""
    slot = take_slot(1, "mine")
    assert slot is not None
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False) as child:
        slot.close()
        assert take_slot(1, "other") is not None
        child.terminate()
