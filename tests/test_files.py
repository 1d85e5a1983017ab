"""Durable files: whole or not at all, and known by their digests."""

import contextlib
import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tasks import files
from tasks.errors import UserError, explain
from tasks.store import layout
from tasks.store.sealed import DamagedError, read_record, set_aside, write_record
from tasks.training.checkpoint import Checkpoint, save_checkpoint


def test_atomic_write(tmp_path: Path) -> None:
    """A file appears under its name only when it is whole, with the suffix that writers choose formats by."""
    target = tmp_path / "new" / "array.weights.h5"
    with files.atomic_write(target) as temporary:
        temporary.write_text("whole")
        assert temporary.name.endswith(".weights.h5")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert target.stat().st_mode & 0o777 == 0o644  # workers of other users read it too
    assert [path.name for path in target.parent.iterdir()] == [target.name]


@pytest.mark.parametrize("known", [None, "another"])
def test_a_failed_write_says_which_file_it_was(known: str | None, tmp_path: Path) -> None:
    """An error of the disk names the file that was to be written, unless it names one already."""
    with pytest.raises(OSError, match="No space left") as caught, files.atomic_write(tmp_path / "wanted.txt"):
        raise OSError(errno.ENOSPC, "No space left on device", known)
    assert caught.value.filename == (known or str(tmp_path / "wanted.txt"))


@pytest.fixture
def disk_calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What the program asks of the disk from now on, in order: each call with the name of what it concerns."""
    seen = []

    def note(call: str, subject: Callable[..., str]) -> None:
        original = getattr(os, call)

        def noted(*arguments: Any, **options: Any) -> Any:
            seen.append((call, Path(subject(*arguments)).name))
            return original(*arguments, **options)

        monkeypatch.setattr(os, call, noted)

    note("fsync", lambda descriptor: os.readlink(f"/proc/self/fd/{descriptor}"))
    note("mkdir", lambda path, *_: path)
    note("unlink", lambda path: path)
    note("replace", lambda old, new: new)
    return seen


def test_a_power_cut_takes_back_no_write(tmp_path: Path, disk_calls: list[tuple[str, str]]) -> None:
    """The content is on the disk before the name leads to it, and the name before the write counts as done.

    So it is with the folders that a write makes.
    """
    with files.atomic_write(tmp_path / "new" / "newer" / "file.txt") as temporary:
        temporary.write_text("whole")
    assert disk_calls == [
        *(("mkdir", "new"), ("fsync", tmp_path.name), ("mkdir", "newer"), ("fsync", "new")),
        *(("fsync", temporary.name), ("replace", "file.txt"), ("fsync", "newer")),
        ("unlink", temporary.name),  # for a write that failed; here it is not there any more
    ]


def test_a_power_cut_leaves_one_of_two_checkpoints(tmp_path: Path, disk_calls: list[tuple[str, str]]) -> None:
    """The checkpoint of an epoch is on the disk under its name before that of the epoch before is removed."""
    first, second = (
        save_checkpoint(tmp_path, Checkpoint(epoch_seconds=seconds)) for seconds in ([1], [1, 2])
    )
    calls = disk_calls[disk_calls.index(("replace", second.name)) :]
    assert calls.index(("fsync", tmp_path.name)) < calls.index(("unlink", first.name))


def test_a_power_cut_takes_back_neither_run_nor_latest(
    tmp_path: Path, disk_calls: list[tuple[str, str]]
) -> None:
    """The folder of a run, and the link to it, are on the disk when the program goes on."""
    run = layout.start_run(tmp_path, "run", datetime(2026, 1, 2, tzinfo=UTC))
    assert disk_calls[disk_calls.index(("mkdir", run.name)) + 1] == ("fsync", "runs")
    layout.point_latest_at(run, print)
    assert disk_calls[-2:] == [("replace", "latest"), ("fsync", tmp_path.name)]


@pytest.mark.parametrize(("number", "fails"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_folder_that_cannot_be_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, fails: bool
) -> None:
    """A file system that knows no syncing of folders is used all the same; a disk that fails is an error."""

    def refuse(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="Input/output") if fails else contextlib.nullcontext():
        files.sync_folder(tmp_path)


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
