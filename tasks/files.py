"""Durable files: atomic writes, digests, locks. The training process runs it, so: standard library only."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.errors import UserError
from tasks.printable import in_one_line

TEMPORARY_PREFIX, TEMPORARY_SUFFIX = ".mnist-pipeline-", ".tmp"
TEMPORARY_FILES = f"{TEMPORARY_PREFIX}*{TEMPORARY_SUFFIX}*"


def path_of(name: str | Path) -> Path:
    """Return the absolute path that a person's text names: ~ is a home, links are followed.

    Raises UserError if it leads nowhere, or holds characters that would steer a terminal.
    """
    shown = in_one_line(str(name))
    if shown != str(name):
        raise UserError(f"{shown} holds a control character. Name a path without one.")
    try:
        path = Path(os.path.realpath(Path(name).expanduser()))
    except RuntimeError:
        raise UserError(f"{shown} begins with the home of a user who is unknown here.") from None
    except FileNotFoundError:
        raise UserError(
            f"{shown} is sought from a folder that was deleted. Change to another folder."
        ) from None
    try:
        path.stat()
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENAMETOOLONG):
            raise UserError(f"{shown} cannot be followed: {error.strerror}. Name another path.") from None
    if in_one_line(str(path)) != str(path):
        raise UserError(f"{in_one_line(str(path))} holds a control character. Name a path without one.")
    return path


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to the disk: a power cut then takes back no name that was made in it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot
            raise
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, to last."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` if the block succeeds, else remove it.

    The temporary name keeps the suffix of `path`, because NumPy and Keras choose the format by it. The file is
    locked for as long as it is written: one that is not was left by a killed process. When the block is left, file
    and name are on the disk: a power cut takes neither back.
    """
    make_folder(path.parent)
    handle, name = tempfile.mkstemp(
        dir=path.parent, prefix=TEMPORARY_PREFIX, suffix=TEMPORARY_SUFFIX + "".join(path.suffixes)
    )
    temporary = Path(name)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield temporary
        os.fsync(handle)  # after a power cut the new name must not lead to an empty file
        os.fchmod(handle, 0o644)  # mkstemp makes private files; workers of other users read the store too
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        error.filename = error.filename or str(path)  # a failed write does not say which file it was
        raise
    finally:
        temporary.unlink(missing_ok=True)
        os.close(handle)


def remove_temporary_files(folder: Path) -> None:
    """Remove what killed processes left of `atomic_write` in `folder`, told by the name that only it gives."""
    for leftover in folder.glob(TEMPORARY_FILES):
        if leftover.is_symlink() or not leftover.is_file():
            continue
        with contextlib.suppress(OSError), leftover.open("rb") as file:  # gone, or being written
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            leftover.unlink()


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path` atomically as strict JSON: NaN and infinity are a ValueError."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Return the JSON value in `path`."""
    return json.loads(path.read_text(encoding="utf-8"))


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(value: Any) -> str:
    """Return the SHA-256 of a JSON value, independent of the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@contextlib.contextmanager
def lock(folder: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold an exclusive `flock` on a folder; yield whether it is held (always, if `wait`).

    The kernel releases it when the process ends, however it ends: there are no stale locks.
    """
    make_folder(folder)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
