"""Sealed records: a file that vouches for itself and for others in its folder, by their digests."""

from pathlib import Path
from typing import Any

from tasks.files import digest_of, make_folder, read_json, sha256_of, write_json


class DamagedError(Exception):
    """The file `path` of the store is not what its record says; `reason` is how it differs, in words."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path.name} {reason}")
        self.path, self.reason = path, reason


def write_record(path: Path, record: dict[str, Any], files: list[Path]) -> None:
    """Write a record that vouches for itself and for `files` in its folder, by SHA-256; write it last."""
    sealed = {**record, "files": {file.name: sha256_of(file) for file in files}}
    write_json(path, {**sealed, "digest": digest_of(sealed)})


def read_record(path: Path, **expected: Any) -> dict[str, Any] | None:
    """Return a record of `write_record`, None if there is none.

    Raises DamagedError if it, or a file it vouches for, is not what was written; or if it is sound but not what
    was `expected` (values by name), as that of another folder would be.
    """
    try:
        record = dict(read_json(path))
        agrees = record.pop("digest") == digest_of(record)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedError(path, f"cannot be read ({type(error).__name__})") from error
    if not agrees:
        raise DamagedError(path, "does not agree with its own digest")
    for name, value in expected.items():
        if record.get(name) != value:
            raise DamagedError(path, f"is of another {name}")
    for name, digest in record["files"].items():
        file = path.parent / name
        if not file.is_file():
            raise DamagedError(file, f"is missing, though {path.name} names it")
        if sha256_of(file) != digest:
            raise DamagedError(file, f"does not agree with its digest in {path.name}")
    return record


def set_aside(path: Path, damaged: Path) -> Path:
    """Move a damaged file into the folder `damaged`, for a person to look at; return its new path."""
    make_folder(damaged)
    number = 1
    while (target := damaged / f"{path.parent.name}--{path.name}.{number}").exists():
        number += 1
    return path.rename(target)
