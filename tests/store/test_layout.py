"""The artifacts folder: whose it is, one folder for each run, `latest`."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tasks import files
from tasks.errors import UserError
from tasks.store import layout
from tasks.store.ownership import MARKER

NOON = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)


def test_home() -> None:
    """A folder may be named from a person's home, also where no shell has replaced the ~."""
    assert layout.named("~/digits") == Path.home().resolve() / "digits"


def test_folder_of_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine's own folder comes before the project's; one that a run names comes before both."""
    monkeypatch.delenv("MNIST_PIPELINE_ARTIFACTS", raising=False)
    assert layout.named(None) == layout.ARTIFACTS
    monkeypatch.setenv("MNIST_PIPELINE_ARTIFACTS", str(tmp_path / "kept"))
    assert layout.named(None) == (tmp_path / "kept").resolve()
    assert layout.named("/elsewhere") == Path("/elsewhere")


def test_names(tmp_path: Path) -> None:
    """Folders sort by time and name the run; two runs of a name within a second get two folders."""
    first, second = (layout.start_run(tmp_path, "mnist-dense", NOON) for _ in range(2))
    assert first.name == "20260102T120000Z-mnist-dense"
    assert second.name == "20260102T120000Z-mnist-dense-2"
    assert (first / "trainings").is_dir()


def test_locked_while_it_runs(tmp_path: Path) -> None:
    """Housekeeping sees which runs go on: their folders are locked."""
    folder = layout.start_run(tmp_path, "run", NOON)
    with files.lock(folder, wait=False) as held:
        assert not held


def test_leftovers_of_killed_runs(tmp_path: Path) -> None:
    """What a killed run left of a write goes when the next one starts."""
    leftover = tmp_path / "runs" / "20260101T000000Z-killed" / "figures" / ".mnist-pipeline-abc.tmp.png"
    leftover.parent.mkdir(parents=True)
    leftover.write_text("half")
    foreign = [
        *(tmp_path / ".chezmoi.toml.tmpl", tmp_path / "runs" / ".state.tmp-backup"),
        leftover.with_name(".abc.tmp.png"),
        tmp_path / "mine" / leftover.name,
    ]
    for path in foreign:
        path.parent.mkdir(exist_ok=True)
        path.write_text("of another program, or in a folder of others")
    layout.start_run(tmp_path, "run", NOON)
    assert not leftover.exists()
    assert all(path.exists() for path in foreign)


def test_folder_of_others(tmp_path: Path) -> None:
    """A folder with other things in it is refused; a new, an empty, and one of an earlier version become ours."""
    others, old = tmp_path / "home", tmp_path / "old"
    others.mkdir()
    (others / "letter.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds other things \(letter.txt\).*--artifacts-dir"):
        layout.claimed(str(others))
    assert [path.name for path in others.iterdir()] == ["letter.txt"]
    files.write_json(old / "runs" / "20260101T000000Z-mnist-dense" / "results.json", {"schema_version": 1})
    (old / "notes.txt").write_text("beside the runs of an earlier version")
    for folder in (tmp_path / "new", tmp_path / "new", old):
        assert layout.claimed(str(folder)) == folder
        assert (folder / MARKER).is_file()


@pytest.mark.parametrize(("names", "said"), [("abc", "(a, b, c)."), ("abcd", "(a, b, c, ...).")])
def test_three_of_other_things_are_named(names: str, said: str, tmp_path: Path) -> None:
    """A refusal names three of the other things in a folder, and says if there are more."""
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(UserError) as caught:
        layout.claimed(str(tmp_path))
    assert said in str(caught.value)


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A folder that cannot be made is one line with the flag for another one."""
    (tmp_path / "runs").write_text("a file where a folder should be")
    with pytest.raises(UserError, match="--artifacts-dir"):
        layout.start_run(tmp_path, "run", NOON)


def test_latest(tmp_path: Path) -> None:
    """`latest` leads to the newest run, also after a run was killed while changing it."""
    (tmp_path / ".mnist-pipeline-latest.tmp").symlink_to("nowhere")
    for name in ("first", "second"):
        folder = layout.start_run(tmp_path, name, NOON)
        layout.point_latest_at(folder, pytest.fail)
        assert (tmp_path / "latest").resolve() == folder.resolve()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest", "runs"]


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_latest_of_somebody_else(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A folder or file called `latest` is not this program's: it stays, with a warning, and the run goes on."""
    make(tmp_path / "latest")
    warnings: list[str] = []
    layout.point_latest_at(layout.start_run(tmp_path, "run", NOON), warnings.append)
    assert not (tmp_path / "latest").is_symlink()
    [warning] = warnings
    assert f"{tmp_path / 'latest'} is no link" in warning


def test_latest_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without links costs `latest`, not the run."""

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    warnings: list[str] = []
    layout.point_latest_at(layout.start_run(tmp_path, "run", NOON), warnings.append)
    assert len(warnings) == 1


def test_artifacts_of_a_run(tmp_path: Path) -> None:
    """The artifacts folder of a run is found from its folder and from the link to it."""
    folder = layout.start_run(tmp_path, "run", NOON)
    layout.point_latest_at(folder, pytest.fail)
    assert layout.Artifacts.of(folder) == layout.Artifacts.of(tmp_path / "latest")
    assert layout.Artifacts.of(folder).root == tmp_path.resolve()
