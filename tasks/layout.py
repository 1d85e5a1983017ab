"""The artifacts folder: what lies where in it, and what of it this program may ever remove: only what it made.

A folder that this program made carries a marker. Folders of earlier versions are told by their records.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path

from tasks.errors import UserError, writing_to
from tasks.files import (
    TEMPORARY_FILES,
    TEMPORARY_PREFIX,
    TEMPORARY_SUFFIX,
    lock,
    remove_temporary_files,
    write_text,
)

PROJECT = Path(__file__).resolve().parent.parent
ARTIFACTS = PROJECT / "artifacts"
MARKER = ".mnist-pipeline"
MARKER_TEXT = "mnist-pipeline made this folder. It removes only what it made itself.\n"
OWN = ("data", "trainings", "runs", "latest", "damaged", "recognized", "history.csv", "trend-*.png")
NOBODYS = ("lost+found", ".gitkeep")  # an empty file system has the one, an empty folder in git the other
TRAINING_NAME = re.compile(r"[a-z_]+-\d+-[0-9a-f]{12}")
RUN_NAME = re.compile(r"\d{8}T\d{6}Z-.+")
TRAINING_FILES = (
    *("spec.json", "training.json", "log.txt", "summary.txt", "model.keras", "best.weights.h5"),
    *("predictions.npz", "checkpoint-*.npz", MARKER, TEMPORARY_FILES),
)
RUN_FILES = (
    *("trainings", "trainings/*.json", "trainings/*.npz", "figures", "figures/*.png", "images.npz"),
    *("comparison.png", "draw.html", MARKER, TEMPORARY_FILES, f"*/{TEMPORARY_FILES}"),
)


@dataclass(frozen=True)
class Artifacts:
    """The artifacts folder and its parts."""

    root: Path

    @classmethod
    def of_run(cls, run_folder: Path) -> "Artifacts":
        """Return the artifacts folder in which a run lies."""
        return cls(run_folder.resolve().parent.parent)

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def trainings(self) -> Path:
        return self.root / "trainings"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    def claim(self) -> None:
        """Make the folder, or make sure that it is this program's own, and mark it so.

        It is if it holds nothing but what this program calls so, such as data/mnist.npz put there by hand.

        Raises UserError if it holds other things, OSError if it cannot be written.
        """
        if (self.root / MARKER).is_file():
            return
        self.root.mkdir(parents=True, exist_ok=True)
        names = sorted(path.name for path in self.root.iterdir())
        others = [name for name in names if not any(fnmatch(name, own) for own in (*OWN, *NOBODYS))]
        if others and self.root != ARTIFACTS and not self.made_by_an_earlier_version():
            raise UserError(
                f"{self.root} holds other things ({', '.join(others[:3])}{', ...' if len(others) > 3 else ''}). "
                "Expected a new or empty folder, or one that this program made: name another with --artifacts-dir."
            )
        write_text(self.root / MARKER, MARKER_TEXT)

    def made_by_an_earlier_version(self) -> bool:
        """Return whether a run or a training of this program lies in the folder."""
        return any(map(is_run, self.runs.glob("*/"))) or any(map(is_training, self.trainings.glob("*/")))

    def remove_temporary_files(self) -> None:
        """Remove what killed processes left half written, in the folders where this program writes."""
        remove_temporary_files(self.root)
        for pattern in (
            "data",
            "trainings/*",
            "runs/*",
            "runs/*/trainings",
            "runs/*/figures",
            "recognized/*",
        ):
            for folder in self.root.glob(pattern):
                remove_temporary_files(folder)


def is_training(folder: Path) -> bool:
    """Return whether this program made the folder for a training: by its name and its specification or marker."""
    if folder.is_symlink() or not folder.is_dir() or not TRAINING_NAME.fullmatch(folder.name):
        return False
    name = folder.name.rsplit("-", 2)[0]
    records = [*read_objects(folder / "spec.json"), *read_objects(folder / "training.json", "spec")]
    return (folder / MARKER).is_file() or any(record.get("model") == name for record in records)


def is_run(folder: Path) -> bool:
    """Return whether this program made the folder for a run: by its name and its results or marker."""
    if folder.is_symlink() or not folder.is_dir() or not RUN_NAME.fullmatch(folder.name):
        return False
    records = [each for path in folder.glob("trainings/*.json") for each in read_objects(path)]
    return (
        (folder / MARKER).is_file()
        or any("schema_version" in each for each in read_objects(folder / "results.json"))
        or any({"model", "training"} <= each.keys() for each in records)
    )


def read_objects(path: Path, *keys: str) -> Iterator[dict[str, object]]:
    """Yield the JSON object in a file, or the one below `keys` in it; nothing if there is none."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        value = json.loads(path.read_text(encoding="utf-8"))
        for key in keys:
            value = value[key]
        if isinstance(value, dict):
            yield value


def foreign_files(folder: Path, own: tuple[str, ...]) -> list[Path]:
    """Return what lies in the folder and is none of the program's `own` files (patterns), links included."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or not any(fnmatch(str(path.relative_to(folder)), pattern) for pattern in own)
    ]


held_until_the_end = contextlib.ExitStack()  # the locks of this process's runs


def claimed(artifacts_dir: str | None) -> Path:
    """Return the artifacts folder that a parameter names, by default the project's, as this program's own.

    Raises UserError if it holds other things or cannot be written.
    """
    folder = Path(artifacts_dir or ARTIFACTS).resolve()
    with writing_to(folder):
        Artifacts(folder).claim()
    return folder


def start_run(artifacts: Path, flow_run_name: str, started: datetime) -> Path:
    """Make the folder of this run, named so that runs sort by time; UserError if it cannot be written.

    It is locked until this process ends: a folder without lock and without results is of a run that was killed.
    """
    name = f"{started.astimezone(UTC):%Y%m%dT%H%M%SZ}-{flow_run_name}"
    try:
        with lock(artifacts / "runs"):  # no other run takes the name, no housekeeping the folder
            Artifacts(artifacts).remove_temporary_files()
            taken = {path.name for path in (artifacts / "runs").iterdir()}
            names = (name, *(f"{name}-{number}" for number in range(2, len(taken) + 2)))
            folder = artifacts / "runs" / next(name for name in names if name not in taken)
            (folder / "trainings").mkdir(parents=True)
            write_text(folder / MARKER, MARKER_TEXT)
            held_until_the_end.enter_context(lock(folder))
    except OSError as error:
        raise UserError(
            f"The artifacts folder {artifacts} cannot be written ({error.strerror}). "
            "Choose another one with --artifacts-dir."
        ) from error
    return folder


def point_latest_at(run_folder: Path) -> None:
    """Let `artifacts/latest` lead to this run."""
    artifacts = run_folder.parent.parent
    temporary = artifacts / f"{TEMPORARY_PREFIX}latest{TEMPORARY_SUFFIX}"
    with lock(artifacts):
        temporary.unlink(missing_ok=True)  # of a killed run
        temporary.symlink_to(run_folder.relative_to(artifacts))
        temporary.replace(artifacts / "latest")
