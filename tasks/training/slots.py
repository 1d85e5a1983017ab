"""The machine's slots: all runs on it, of any deployment or script, share them, and each training holds one.

A slot is a file with a lock, which the kernel releases when its holder ends, however it ends; its text names the
holder. Slots belong to a user: they lie in a folder of theirs below /tmp, or in MNIST_PIPELINE_SLOTS.
"""

import contextlib
import fcntl
import os
import stat
from io import FileIO
from pathlib import Path

from tasks.errors import UserError


def folder_of_slots() -> Path:
    """Return this user's folder of slots, made if it is missing.

    Raises UserError if something else is there: whoever owned it could read along, or lock everybody out.
    """
    name = os.environ.get("MNIST_PIPELINE_SLOTS") or f"/tmp/mnist-pipeline-slots-{os.getuid()}"
    try:
        folder = Path(name).expanduser()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"{name} cannot hold the machine's slots ({error}). Name a folder of your own in MNIST_PIPELINE_SLOTS."
        ) from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise UserError(f"{name} belongs to another user. Name a folder of your own in MNIST_PIPELINE_SLOTS.")
    return folder


def slot_files(at_a_time: int) -> list[Path]:
    """Return the files of the machine's first `at_a_time` slots, which may not be there yet."""
    return [folder_of_slots() / f"mnist-pipeline-slot-{number}" for number in range(at_a_time)]


def take_slot(at_a_time: int, holder: str) -> FileIO | None:
    """Take one of the machine's first `at_a_time` slots in the name of `holder`; return None if all are taken.

    The slot is free again when the file that is returned is closed.
    """
    for path in slot_files(at_a_time):
        slot = FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+")
        try:
            fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            slot.close()
            continue
        with contextlib.suppress(OSError):  # a full disk: the lock counts, the name is for those who wait
            slot.truncate(0)
            slot.write(holder.encode())
        return slot
    return None


def holders(at_a_time: int) -> list[str]:
    """Return who holds, or held last, the machine's first `at_a_time` slots."""
    names = []
    for path in slot_files(at_a_time):
        with contextlib.suppress(FileNotFoundError):
            names.append(path.read_text(encoding="utf-8", errors="replace"))
    return [name for name in names if name]
