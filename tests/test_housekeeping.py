"""The list of what is kept, and pruning: what a run refers to stays, whatever is damaged.

Which runs are old enough to go is in test_older_runs.py.
"""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from tasks import files, housekeeping
from tasks.errors import UserError
from tasks.store.kept import Kept
from tasks.store.layout import PROJECT, Artifacts, held_until_the_end, point_latest_at, start_run
from tasks.store.ownership import MARKER
from tasks.store.sealed import write_record


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """A run that refers to one training and one file of data; as much that none refers to; a stopped run."""
    for name in ("dense-0-aaaaaaaaaaaa", "regularized_cnn-1-bbbbbbbbbbbb"):
        folder = tmp_path / "trainings" / name
        folder.mkdir(parents=True)
        (folder / "model.keras").write_bytes(b"x" * 2_000_000)
        write_record(folder / "training.json", {"spec": {"model": name.split("-")[0]}}, [])
    (tmp_path / "data").mkdir()
    for name in ("prepared-111111111111.npz", "prepared-222222222222.npz", "mnist.npz"):
        np.savez(tmp_path / "data" / name, train_sample=np.arange(3))
        os.utime(tmp_path / "data" / name, (time.time() - 7200,) * 2)
    training = {"folder": "trainings/dense-0-aaaaaaaaaaaa"}
    run = tmp_path / "runs" / "20260101T000000Z-first"
    dataset = {"prepared_digest": "1" * 64}
    files.write_json(
        run / "results.json", {"dataset": dataset, "models": {"dense": {"trainings": [training]}}}
    )
    files.write_json(run / "trainings" / "dense-0.json", {"model": "dense", "training": training})
    start_run(tmp_path, "killed", datetime(2026, 1, 2, tzinfo=UTC))
    held_until_the_end.close()
    return tmp_path


def names(artifacts: Path) -> set[str]:
    """What lies in the folders of the artifacts folder."""
    return {path.name for path in artifacts.glob("*/*")} - {MARKER}


EVERYTHING = {
    *("dense-0-aaaaaaaaaaaa", "regularized_cnn-1-bbbbbbbbbbbb", "20260101T000000Z-first"),
    *("prepared-111111111111.npz", "prepared-222222222222.npz", "mnist.npz", "20260102T000000Z-killed"),
}
USED = {"dense-0-aaaaaaaaaaaa", "20260101T000000Z-first", "prepared-111111111111.npz", "mnist.npz"}


def test_list(artifacts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each training has a line with network, seed, size, age, state and the runs that refer to it.

    What `--prune` would remove is marked.
    """
    long_ago = time.time() - 3 * 86_400
    for path in [*(folder := artifacts / "trainings" / "dense-0-aaaaaaaaaaaa").iterdir(), folder]:
        os.utime(path, (long_ago, long_ago))
    housekeeping.keep_house(Artifacts(artifacts))
    lines = capsys.readouterr().out.splitlines()
    first, second = (" ".join(line.split()) for line in lines[1:3])
    assert first == "dense 0 aaaaaaaaaaaa 2.0 3 days complete 1 run, last 20260101T000000Z-first"
    assert second == "- regularized_cnn 1 bbbbbbbbbbbb 2.0 0 h complete 0 runs"
    marked = [line.split()[1] for line in lines if line.startswith("- ")]
    assert marked == ["regularized_cnn", "prepared-222222222222.npz", "20260102T000000Z-killed"]
    assert lines[-1].startswith("--prune removes 3 of 6 (marked -), ")
    assert names(artifacts) == EVERYTHING


@pytest.mark.parametrize(("hours", "age"), [(47, "47 h"), (48, "2 days"), (240, "10 days")])
def test_ages(hours: int, age: str, artifacts: Path) -> None:
    """What is less than two days old has its age in hours."""
    path = artifacts / "data" / "mnist.npz"
    os.utime(path, (time.time() - 3600 * hours,) * 2)
    assert f" {age} " in housekeeping.line(Kept(path, "data", []), {})


def test_the_run_of_latest_stays(artifacts: Path) -> None:
    """A run that was stopped stays while `latest` leads to it, which must not lead nowhere."""
    point_latest_at(artifacts / "runs" / "20260102T000000Z-killed", pytest.fail)
    housekeeping.keep_house(Artifacts(artifacts), prune=True)
    assert (artifacts / "latest" / "progress").is_dir()


def test_prune(artifacts: Path) -> None:
    """Pruning removes what no run refers to; downloads and runs with results stay."""
    housekeeping.keep_house(Artifacts(artifacts), prune=True)
    assert names(artifacts) == USED


def test_dry_run(artifacts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run says what pruning would remove, even while a run goes on, and changes nothing."""
    with files.lock(artifacts / "trainings" / "dense-0-aaaaaaaaaaaa"):
        housekeeping.keep_house(Artifacts(artifacts), prune=True, dry_run=True)
    assert "--prune removes 3 of 6" in capsys.readouterr().out
    assert names(artifacts) == EVERYTHING


def test_an_interrupted_removal(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is half removed is no training or run for anybody, and the next pruning removes it."""

    def killed(folder: Path) -> None:
        (folder / "regularized_cnn-1-bbbbbbbbbbbb" / "training.json").unlink(missing_ok=True)
        raise KeyboardInterrupt

    for _ in range(2):  # the second one is interrupted while it ends the work of the first
        with monkeypatch.context() as patched:
            patched.setattr("shutil.rmtree", killed)
            with pytest.raises(KeyboardInterrupt):
                housekeeping.keep_house(Artifacts(artifacts), prune=True)
    assert housekeeping.GOING in names(artifacts)
    assert not list(artifacts.glob("runs/*killed"))
    housekeeping.keep_house(Artifacts(artifacts), prune=True)
    assert names(artifacts) == USED


def test_new_data_stay(artifacts: Path) -> None:
    """Prepared data of the last hour may be those of a run that is about to begin."""
    new = artifacts / "data" / "prepared-222222222222.npz"
    os.utime(new)
    housekeeping.keep_house(Artifacts(artifacts), prune=True)
    assert names(artifacts) == USED | {new.name}


@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"models": {"dense": {"trainings": 3}}}', "\udcff"])
def test_damaged_results(artifacts: Path, damage: str) -> None:
    """Damaged results cost no training: each is also named in a file of its own."""
    results = artifacts / "runs" / "20260101T000000Z-first" / "results.json"
    results.write_bytes(damage.encode(errors="surrogateescape"))
    housekeeping.keep_house(Artifacts(artifacts), prune=True)
    assert names(artifacts) == USED - {"prepared-111111111111.npz"}  # made again in a second


def test_no_pruning_while_a_run_goes_on(artifacts: Path) -> None:
    """What a run will refer to is not written down before its end, so pruning waits for it."""
    with files.lock(artifacts / "runs" / "20260102T000000Z-killed"), pytest.raises(UserError, match="in use"):
        housekeeping.keep_house(Artifacts(artifacts), prune=True)
    with (
        files.lock(artifacts / "trainings" / "regularized_cnn-1-bbbbbbbbbbbb"),
        pytest.raises(UserError, match="in use"),
    ):
        housekeeping.keep_house(Artifacts(artifacts), prune=True)
    assert names(artifacts) == EVERYTHING


def test_what_others_made_stays(artifacts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Folders, links and files that this program did not make are left and named; all else is still pruned."""
    elsewhere = artifacts.parent / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    (elsewhere / "spec.json").write_text('{"model": "dense"}')
    foreign = [
        artifacts / "trainings" / "my-notes",
        artifacts / "runs" / "thesis",
        artifacts / "runs" / "20260103T000000Z-copied",
        artifacts / "trainings" / "dense-3-cccccccccccc",
    ]
    for folder in foreign[:-1]:
        folder.mkdir()
        (folder / "precious.txt").write_text("mine")
    foreign[-1].symlink_to(elsewhere)
    notes = artifacts / "trainings" / "regularized_cnn-1-bbbbbbbbbbbb" / "notes.txt"
    notes.write_text("mine, in a folder of theirs")
    data = artifacts / "data" / "prepared-mine.npz"
    data.write_text("not prepared by them")
    os.utime(data, (time.time() - 7200,) * 2)
    housekeeping.keep_house(Artifacts(artifacts), prune=True)
    said = capsys.readouterr().out
    for path in (*foreign, notes, data):
        assert path.exists()
        assert f"Left, not made by this program: {path.relative_to(artifacts)}" in said
    assert not (artifacts / "runs" / "20260102T000000Z-killed").exists()
    assert "Removed 2 of 6" in said


def test_a_folder_of_others_is_not_pruned(tmp_path: Path) -> None:
    """Pruning is refused where this program made nothing."""
    (tmp_path / "letters.txt").write_text("mine")
    with pytest.raises(UserError, match="holds other things"):
        housekeeping.keep_house(Artifacts(tmp_path), prune=True)
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_results_set_aside(artifacts: Path) -> None:
    """A run that has a report is not a stopped one, even if somebody removed its results."""
    run = artifacts / "runs" / "20260101T000000Z-first"
    (run / "results.json").rename(run / "report.md")
    housekeeping.keep_house(Artifacts(artifacts), prune=True)
    assert {run.name, "dense-0-aaaaaaaaaaaa"} <= names(artifacts)


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    """Call the command as a person does."""
    command = [sys.executable, "-m", "tasks.housekeeping", *flags]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)


def test_command(artifacts: Path) -> None:
    """The command prunes on request."""
    assert run("--artifacts-dir", str(artifacts), "--prune").returncode == 0
    assert names(artifacts) == USED


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--artifacts-dir", "nowhere"], "There is no folder"),
        (["--prone"], "--prone"),
        (["--keep", "0"], "Must be >= 1"),
    ],
)
def test_wrong_usage(flags: list[str], complaint: str) -> None:
    """What a person did wrong is one line and exit code 2."""
    done = run(*flags)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert complaint in line
