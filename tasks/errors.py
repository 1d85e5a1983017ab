"""Errors that a person can mend, and every other error as one line. Standard library only."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from tasks.printable import without_passwords

MACHINE_ERRORS = {
    errno.ENOSPC: "free some space and run again; finished epochs are kept.",
    errno.EDQUOT: "free some of your quota and run again; finished epochs are kept.",
    errno.EROFS: "choose a folder that can be written with --artifacts-dir.",
    errno.EACCES: "choose a folder that can be written with --artifacts-dir.",
    errno.EPERM: "choose a folder that can be written with --artifacts-dir.",
}


class PlainError(Exception):
    """An error whose message says all that a person wants to know."""


class UserError(PlainError):
    """A mistake the user can mend: its message says what happened, what was expected and what to do."""


def explain(error: BaseException) -> str:
    """Return one line for a person, without passwords: what happened and, if it is the machine, what to do."""
    if isinstance(error, PlainError):
        return without_passwords(str(error))
    if isinstance(error, OSError) and error.errno in MACHINE_ERRORS:
        where = f" at {error.filename}" if error.filename else ""
        # Not error.strerror: HDF5 puts several lines there.
        return f"{os.strerror(error.errno)}{where}: {MACHINE_ERRORS[error.errno]}"
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return (
            "Out of memory: run fewer trainings at a time (--parallel 1) or use a machine with more memory."
        )
    return without_passwords(f"{type(error).__name__}: {error}")


@contextlib.contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Turn a full disk or an unwritable folder into a UserError."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"Cannot write to {folder}: {error.strerror or error}. "
            "Free space there, or name another folder with --artifacts-dir."
        ) from error
