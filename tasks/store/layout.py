"""The artifacts folder: what lies where in it, and the folder of each run."""

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path

from tasks.errors import UserError, explain, writing_to
from tasks.files import (
    TEMPORARY_PREFIX,
    TEMPORARY_SUFFIX,
    lock,
    make_folder,
    path_of,
    remove_temporary_files,
    sync_folder,
)
from tasks.printable import in_one_line
from tasks.store.ownership import MARKER, NOBODYS, OWN, is_run, is_training, mark

PROJECT = Path(__file__).resolve().parents[2]
ARTIFACTS = PROJECT / "artifacts"
PROGRESS = "progress"  # in the folder of a run that goes on: how far its trainings are
WRITTEN = (
    "data",
    "trainings/*",
    "trainings/*/network",
    "runs/*",
    "runs/*/trainings",
    f"runs/*/{PROGRESS}",
    "runs/*/figures",
    "recognized/*",
    "compared",
)


@dataclass(frozen=True)
class Artifacts:
    """The artifacts folder and its parts."""

    root: Path

    @classmethod
    def of(cls, folder: Path) -> "Artifacts":
        """The artifacts folder in which a run or a training lies; `folder` may be a link such as `latest`."""
        return cls(folder.resolve().parent.parent)

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def trainings(self) -> Path:
        return self.root / "trainings"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def latest(self) -> Path:
        return self.root / "latest"  # a link to the newest run

    @property
    def damaged(self) -> Path:
        return self.root / "damaged"  # files that were set aside

    def claim(self) -> None:
        """Make the folder, or make sure that it is this program's own, and mark it so.

        It is if it holds nothing but what this program calls so, such as data/mnist.npz put there by hand.

        Raises UserError if it holds other things, OSError if it cannot be written.
        """
        if (self.root / MARKER).is_file():
            return
        make_folder(self.root)
        names = sorted(path.name for path in self.root.iterdir())
        others = [
            in_one_line(name) for name in names if not any(fnmatch(name, own) for own in (*OWN, *NOBODYS))
        ]
        if others and self.root != ARTIFACTS and not self.made_by_an_earlier_version():
            raise UserError(
                f"{self.root} holds other things ({', '.join(others[:3])}{', ...' if len(others) > 3 else ''}). "
                "Expected a new or empty folder, or one that this program made: name another with --artifacts-dir."
            )
        mark(self.root)

    def made_by_an_earlier_version(self) -> bool:
        """Return whether a run or a training of this program lies in the folder."""
        return any(map(is_run, self.runs.glob("*/"))) or any(map(is_training, self.trainings.glob("*/")))

    def remove_temporary_files(self) -> None:
        """Remove what killed processes left half written, in the folders where this program writes."""
        remove_temporary_files(self.root)
        for pattern in WRITTEN:
            for folder in self.root.glob(pattern):
                remove_temporary_files(folder)


held_until_the_end = contextlib.ExitStack()  # the locks of this process's runs


def named(artifacts_dir: str | Path | None) -> Path:
    """Return the artifacts folder that a parameter names, else $MNIST_PIPELINE_ARTIFACTS, else the project's.

    Raises UserError if the path leads nowhere.
    """
    return path_of(artifacts_dir or os.environ.get("MNIST_PIPELINE_ARTIFACTS") or ARTIFACTS)


def claimed(artifacts_dir: str | None) -> Path:
    """Return the artifacts folder that a parameter names, by default the project's, as this program's own.

    Raises UserError if it holds other things or cannot be written.
    """
    folder = named(artifacts_dir)
    with writing_to(folder):
        Artifacts(folder).claim()
    return folder


def start_run(artifacts: Path, flow_run_name: str, started: datetime) -> Path:
    """Make the folder of this run, named so that runs sort by time; UserError if it cannot be written.

    It is locked until this process ends: a folder without lock and without results is of a run that was killed.
    """
    runs = Artifacts(artifacts).runs
    name = f"{started.astimezone(UTC):%Y%m%dT%H%M%SZ}-{flow_run_name}"
    with writing_to(artifacts), lock(runs):  # no other run takes the name, no housekeeping the folder
        Artifacts(artifacts).remove_temporary_files()
        folder = new_folder(runs, name)
        (folder / "trainings").mkdir()
        (folder / PROGRESS).mkdir()
        mark(folder)
        held_until_the_end.enter_context(lock(folder))
    return folder


def new_folder(parent: Path, name: str) -> Path:
    """Make and return a folder in `parent`, "name", "name-2", "name-3", ...: the first that is not there yet."""
    make_folder(parent)
    folder, number = parent / name, 1
    while True:
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            sync_folder(parent)
            return folder
        number += 1
        folder = parent / f"{name}-{number}"


def point_latest_at(run_folder: Path, warn: Callable[[str], None]) -> None:
    """Let `artifacts/latest` lead to this run; `warn` if it cannot, for the run itself is well."""
    artifacts = Artifacts.of(run_folder)
    latest = artifacts.latest
    temporary = artifacts.root / f"{TEMPORARY_PREFIX}latest{TEMPORARY_SUFFIX}"
    try:
        with lock(artifacts.root):
            if latest.exists() and not latest.is_symlink():
                warn(
                    f"{latest} is no link, so it is left alone. Move it away, and it will lead to the next run."
                )
                return
            temporary.unlink(missing_ok=True)  # of a killed run
            temporary.symlink_to(run_folder.resolve().relative_to(artifacts.root))
            temporary.replace(latest)
            sync_folder(artifacts.root)
    except OSError as error:
        warn(f"{latest} does not lead to this run: {explain(error)}")
