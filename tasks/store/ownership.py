"""What in the artifacts folder this program made: only that may it ever remove.

A folder that this program made carries a marker. Folders of earlier versions are told by their records.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from tasks.files import TEMPORARY_FILES, write_text

MARKER = ".mnist-pipeline"
MARKER_TEXT = "mnist-pipeline made this folder. It removes only what it made itself.\n"
OWN = (
    "data",
    "trainings",
    "runs",
    "latest",
    "damaged",
    "recognized",
    "compared",
    "history.csv",
    "trend-*.png",
)
NOBODYS = ("lost+found", ".gitkeep")  # an empty file system has the one, an empty folder in git the other
TRAINING_NAME = re.compile(r"[A-Za-z0-9_]+-\d+-[0-9a-f]{12}")
RUN_NAME = re.compile(r"\d{8}T\d{6}Z-.+")
TRAINING_FILES = (
    *("spec.json", "training.json", "log.txt", "summary.txt", "model.keras", "best.weights.h5"),
    *("predictions.npz", "checkpoint-*.npz", MARKER, TEMPORARY_FILES),
    *("network", "network/*.py", f"network/{TEMPORARY_FILES}"),  # of one's own
)
RUN_FILES = (
    *("trainings", "trainings/*.json", "trainings/*.npz", "figures", "figures/*.png", "images.npz"),
    *("progress", "progress/*.json"),
    *("comparison.png", "draw.html", "results.json", "report.md", "report.html"),
    *(MARKER, TEMPORARY_FILES, f"*/{TEMPORARY_FILES}"),
)
COMPARED_FILES = ("compared.md", "compared.html", "compared.png", MARKER, TEMPORARY_FILES)


def mark(folder: Path) -> None:
    """Mark the folder as made by this program."""
    write_text(folder / MARKER, MARKER_TEXT)


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
