"""`--keep N`: the newest runs of each deployment stay, and what something refers to; the numbers of all stay."""

import csv
from pathlib import Path

import pytest
from synthetic import make_run

from tasks import files, housekeeping
from tasks.comparison.previous import earlier_runs
from tasks.errors import UserError
from tasks.report.history import run_history, update_history
from tasks.results.file import read_results
from tasks.store.layout import Artifacts, point_latest_at
from tasks.store.ownership import MARKER, mark


def add_run(
    artifacts: Path, day: int, deployment: str | None = "nightly", status: str = "completed", since: str = ""
) -> str:
    """Add a run to the artifacts folder and to history.csv; return its name. `since`: its gate's baseline."""
    name = f"202601{day:02}T000000Z-{deployment}"
    folder = artifacts / "runs" / name
    training = f"trainings/dense-{day}-aaaaaaaaaaaa"
    results = {
        "schema_version": 1,  # of another version, which goes like any other
        "status": status,
        "provenance": {"deployment": deployment},
        "gates": [{"since": since or None}],
        "models": {"dense": {"trainings": [{"folder": training}]}},
    }
    files.write_json(folder / "results.json", results)
    files.write_text(folder / "report.md", "report")
    mark(folder)
    files.write_json(artifacts / training / "training.json", {"spec": {"model": "dense"}})
    mark(artifacts)
    write_history(artifacts)
    return name


def write_history(artifacts: Path) -> None:
    """Write a history.csv that has a line for every run."""
    with (artifacts / "history.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerows([["run"], *([run.name] for run in (artifacts / "runs").iterdir())])


def kept(artifacts: Path, keep: int) -> list[str]:
    """Return the names of the runs that are there after housekeeping."""
    housekeeping.keep_house(Artifacts(artifacts), keep=keep)
    return sorted(path.name for path in (artifacts / "runs").iterdir() if path.name != housekeeping.GOING)


def test_the_newest_of_each_deployment_stay(tmp_path: Path) -> None:
    """Each deployment, and the runs by hand together, keep that many; trainings and data go with the others."""
    nightly = [add_run(tmp_path, day) for day in (1, 2, 3, 5)]
    weekly = [add_run(tmp_path, day, "weekly") for day in (4, 6)]
    by_hand = [add_run(tmp_path, day, None) for day in (7, 8, 9)]
    assert kept(tmp_path, keep=2) == sorted([*nightly[-2:], *weekly, *by_hand[-2:]])
    trainings = {int(path.name.split("-")[1]) for path in (tmp_path / "trainings").glob("dense-*")}
    assert trainings == {3, 5, 4, 6, 8, 9}


def test_a_dry_run_marks_the_older_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Marked are the older runs, with their deployment, and the trainings that nobody would refer to any more."""
    first, second = add_run(tmp_path, 1), add_run(tmp_path, 2)
    housekeeping.keep_house(Artifacts(tmp_path), keep=1, dry_run=True)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert [line.split()[1] for line in lines if line.startswith("- ")] == ["dense", first]
    assert f"- {first} 0.0 0 h older nightly" in lines
    assert f"{second} 0.0 0 h ended nightly" in lines
    assert lines[-1].startswith("--keep 1 removes 2 of 4 (marked -)")
    assert len(list(tmp_path.glob("*/*"))) == 4


def test_what_a_link_leads_to_stays(tmp_path: Path) -> None:
    """The run of `latest` stays, older or not, and so does one that a person's link leads to."""
    first, second, third, fourth = (add_run(tmp_path, day) for day in (1, 2, 3, 4))
    point_latest_at(tmp_path / "runs" / second, print)
    (tmp_path / "thesis").symlink_to(tmp_path / "runs" / third)
    assert kept(tmp_path, keep=1) == [second, third, fourth]
    assert (tmp_path / "latest" / "results.json").is_file()
    assert not (tmp_path / "runs" / first).exists()


def test_what_a_link_leads_into_stays(tmp_path: Path) -> None:
    """A link to a file of a run holds the run; one that leads to itself holds nothing and stops nobody."""
    first, second, third = (add_run(tmp_path, day) for day in (1, 2, 3))
    (tmp_path / "best.json").symlink_to(tmp_path / "runs" / first / "results.json")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert kept(tmp_path, keep=1) == [first, third]
    assert not (tmp_path / "runs" / second).exists()


def test_the_baseline_of_failed_runs_stays(tmp_path: Path) -> None:
    """However many runs fail against a baseline, it stays: without it the next run would be judged by nothing.

    A completed run is a baseline itself, so what it was held against may go.
    """
    old, baseline = add_run(tmp_path, 1), add_run(tmp_path, 2)
    trial = add_run(tmp_path, 3, since=old)
    failed = [add_run(tmp_path, day, status="failed", since=baseline) for day in (4, 5, 6)]
    assert kept(tmp_path, keep=2) == [baseline, trial, *failed[-2:]]


def test_the_last_completed_run_stays(tmp_path: Path) -> None:
    """The next run is compared with it, even if the runs since then measured nothing."""
    completed = [add_run(tmp_path, day) for day in (1, 2)]
    failed = [add_run(tmp_path, day, status="failed") for day in (3, 4)]
    assert kept(tmp_path, keep=1) == [completed[1], failed[1]]


@pytest.mark.parametrize("damage", ["", "[]", "{", "\udcff"])
def test_a_run_that_cannot_be_read_stays(tmp_path: Path, damage: str) -> None:
    """Whose it is and how old is unknown; a person decides."""
    first, second = add_run(tmp_path, 1), add_run(tmp_path, 2)
    results = tmp_path / "runs" / first / "results.json"
    results.write_bytes(damage.encode(errors="surrogateescape"))
    assert kept(tmp_path, keep=1) == [first, second]


@pytest.mark.parametrize("results", ["{}", '{"provenance": 3, "gates": [4, {"since": 5}], "status": []}'])
def test_unusual_results(tmp_path: Path, results: str) -> None:
    """A run whose results say little counts as one by hand."""
    first, second = add_run(tmp_path, 1, None), add_run(tmp_path, 2, None)
    (tmp_path / "runs" / first / "results.json").write_text(results)
    assert kept(tmp_path, keep=1) == [second]


def test_a_run_with_other_files_stays_and_so_does_its_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a person put into an older run is named, and the run stays whole."""
    first, second = add_run(tmp_path, 1), add_run(tmp_path, 2)
    (tmp_path / "runs" / first / "notes.txt").write_text("mine")
    assert kept(tmp_path, keep=1) == [first, second]
    assert f"Left, not made by this program: runs/{first}/notes.txt" in capsys.readouterr().out
    assert len(list(tmp_path.glob("trainings/dense-*"))) == 2


@pytest.mark.parametrize("history", [None, "", "\x00", "day,run\n1,20260102T000000Z-nightly\n"])
def test_a_run_stays_until_its_numbers_are_in_the_history(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], history: str | None
) -> None:
    """The history keeps the numbers of removed runs, so a run waits until it has them."""
    runs = [add_run(tmp_path, day) for day in (1, 2)]
    (tmp_path / "history.csv").unlink()
    if history is not None:
        (tmp_path / "history.csv").write_text(history)
    assert kept(tmp_path, keep=1) == runs
    assert f"history.csv does not hold it: {runs[0]}, 1 in all" in capsys.readouterr().out


def test_no_older_run_goes_while_one_goes_on(tmp_path: Path) -> None:
    """A run has results before it has its report and its line in the history."""
    runs = [add_run(tmp_path, day) for day in (1, 2)]
    with files.lock(tmp_path / "runs" / runs[1]), pytest.raises(UserError, match="is in use"):
        housekeeping.keep_house(Artifacts(tmp_path), keep=1)
    assert len(list((tmp_path / "runs").iterdir())) == 2


def test_real_runs(tmp_path: Path) -> None:
    """Of runs as the program makes them the older go whole; readers see the others, and the history all three."""
    for day in (1, 2, 3):
        folder = make_run(
            tmp_path, models=("dense",), test_images=100, name=f"2026010{day}T000000Z-night", shift=day / 1000
        )
        mark(folder)
        update_history(folder, read_results(folder))
    mark(tmp_path)
    before = (tmp_path / "history.csv").read_text()
    assert kept(tmp_path, keep=2) == ["20260102T000000Z-night", "20260103T000000Z-night"]
    [(earlier, _)] = earlier_runs(folder, None, read_results(folder).dataset.digest)
    assert earlier.name == "20260102T000000Z-night"
    assert len(run_history(tmp_path)) == 2
    update_history(folder, read_results(folder))
    assert (tmp_path / "history.csv").read_text() == before
    assert {path.name for path in tmp_path.iterdir()} >= {MARKER, "trend-scripts.png"}
