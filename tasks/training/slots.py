"""The machine's slots: all runs on it, of any deployment or script, share them, and each training holds one.

A slot is a file with a lock, which the kernel releases when its holder ends, however it ends; its text names the
holder. Slots belong to a user: they lie in a folder of theirs below /tmp, or in MNIST_PIPELINE_SLOTS.
"""

import fcntl
import os
from pathlib import Path
from typing import IO

from tasks.errors import UserError


def folder_of_slots() -> Path:
    """Return this user's folder of slots, made if it is missing; UserError if it belongs to somebody else."""
    folder = Path(os.environ.get("MNIST_PIPELINE_SLOTS") or f"/tmp/mnist-pipeline-slots-{os.getuid()}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise UserError(
            f"{folder} belongs to another user. Name a folder of your own in MNIST_PIPELINE_SLOTS."
        )
    return folder


def take_slot(at_a_time: int, holder: str) -> IO[str] | None:
    """Take one of the machine's first `at_a_time` slots in the name of `holder`; return None if all are taken.

    The slot is free again when the file that is returned is closed.
    """
    for number in range(at_a_time):
        slot = (folder_of_slots() / str(number)).open("a+")
        try:
            fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            slot.close()
            continue
        slot.truncate(0)
        slot.write(holder)
        slot.flush()
        return slot
    return None


def holders(at_a_time: int) -> list[str]:
    """Return who holds, or held last, the machine's first `at_a_time` slots."""
    slots = [folder_of_slots() / str(number) for number in range(at_a_time)]
    return [name for slot in slots if slot.exists() and (name := slot.read_text())]
