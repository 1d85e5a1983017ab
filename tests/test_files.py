"""Durable files: whole or not at all, and known by their digests."""

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tasks import files
from tasks.errors import UserError, explain
from tasks.sealed import DamagedError, read_record, set_aside, write_record


def test_atomic_write(tmp_path: Path) -> None:
    """A file appears under its name only when it is whole, with the suffix that writers choose formats by."""
    target = tmp_path / "new" / "array.weights.h5"
    with files.atomic_write(target) as temporary:
        temporary.write_text("whole")
        assert temporary.name.endswith(".weights.h5")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """What was there stays, and nothing else is left, if writing fails."""
    target = tmp_path / "file.json"
    files.write_json(target, 1)
    with pytest.raises(ValueError, match="JSON compliant"):
        files.write_json(target, float("nan"))
    with pytest.raises(ZeroDivisionError), files.atomic_write(target) as temporary:
        temporary.write_text(str(1 / 0))
    assert files.read_json(target) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file.json"]


def test_leftovers_are_removed_but_not_files_being_written(tmp_path: Path) -> None:
    """What a killed process left goes; what somebody writes at the moment stays."""
    code = (
        "import os, pathlib, sys; from tasks import files\n"
        "with files.atomic_write(pathlib.Path(sys.argv[1]) / 'a.txt'): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    with files.atomic_write(tmp_path / "b.txt") as temporary:
        files.remove_temporary_files(tmp_path)
        assert list(tmp_path.iterdir()) == [temporary]


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A record that vouches for one file."""
    (tmp_path / "data.bin").write_bytes(b"0123456789")
    write_record(tmp_path / "record.json", {"spec": {"seed": 1}}, [tmp_path / "data.bin"])
    return tmp_path / "record.json"


def test_record(record: Path) -> None:
    """A record is returned as written; one that is not there is None."""
    found = read_record(record, spec={"seed": 1})
    assert found is not None
    assert found["spec"] == {"seed": 1}
    assert list(found["files"]) == ["data.bin"]
    assert read_record(record.with_name("none.json")) is None


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("name", ["data.bin", "record.json"])
@pytest.mark.parametrize("damage", [truncate, flip_a_bit, empty])
def test_damage_is_seen(record: Path, name: str, damage) -> None:
    """A truncated, altered or emptied file, the record's own included, is never taken for the one written."""
    damage(record.with_name(name))
    with pytest.raises(DamagedError) as caught:
        read_record(record)
    assert caught.value.path.name == name


def test_missing_and_foreign_files_are_seen(record: Path) -> None:
    """A record without its file, or of something else, is not accepted."""
    with pytest.raises(DamagedError, match="another spec"):
        read_record(record, spec={"seed": 2})
    record.with_name("data.bin").unlink()
    with pytest.raises(DamagedError, match="missing"):
        read_record(record)
    record.write_text(json.dumps([1, 2]))
    with pytest.raises(DamagedError, match="cannot be read"):
        read_record(record)


def test_set_aside_keeps_every_damaged_file(tmp_path: Path) -> None:
    """Damaged files of the same name are all kept."""
    kept = []
    for content in ("first", "second"):
        path = tmp_path / "training" / "model.keras"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        kept.append(set_aside(path, tmp_path / "damaged"))
        assert not path.exists()
    assert [path.read_text() for path in kept] == ["first", "second"]


def test_lock(tmp_path: Path) -> None:
    """One holder at a time; whoever does not wait learns that the lock is taken."""
    with files.lock(tmp_path) as held:
        assert held
        with files.lock(tmp_path, wait=False) as second:
            assert not second
    with files.lock(tmp_path, wait=False) as free:
        assert free


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (UserError("Do this."), "Do this."),
        (OSError(errno.ENOSPC, "x", "/a/file"), "No space left on device at /a/file: free some space"),
        (OSError(errno.EROFS, "x"), "--artifacts-dir"),
        (MemoryError(), "Out of memory"),
        (ValueError("odd"), "ValueError: odd"),
    ],
)
def test_explain(error: BaseException, expected: str) -> None:
    """Errors become one line that says what to do where the machine is the cause."""
    assert expected in explain(error)
    assert len(explain(error).splitlines()) == 1


def test_digest_ignores_the_order_of_keys() -> None:
    """Equal values have equal digests, in whatever order their keys were written."""
    assert files.digest_of({"a": 1, "b": 2}) == files.digest_of({"b": 2, "a": 1})
    assert files.digest_of({"a": 1}) != files.digest_of({"a": 1.5})


def test_a_link_is_no_leftover(tmp_path: Path) -> None:
    """What only looks like a temporary file stays: `atomic_write` makes no links and no folders."""
    link, folder = (tmp_path / f"{files.TEMPORARY_PREFIX}{name}.tmp" for name in ("link", "folder"))
    (tmp_path / "mine.txt").write_text("mine")
    link.symlink_to(tmp_path / "mine.txt")
    folder.mkdir()
    files.remove_temporary_files(tmp_path)
    assert link.is_symlink()
    assert folder.is_dir()
