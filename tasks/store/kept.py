"""What lies in the artifacts folder, which runs refer to it, and which runs are old enough to go."""

import contextlib
import csv
import json
import os
import stat
import time
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tasks.files import TEMPORARY_FILES, lock
from tasks.printable import in_one_line
from tasks.store.layout import Artifacts
from tasks.store.ownership import RUN_FILES, TRAINING_FILES, foreign_files, is_run, is_training, read_objects

State = Literal["complete", "partial", "in use", "data", "running", "stopped", "ended", "older"]
SAFE_HOURS = 1  # prepared data of the last hour may be those of a run that is about to begin


@dataclass(frozen=True)
class Kept:
    """One line of the list: a training's folder, a file of prepared data, or a run's folder.

    A run is running, stopped (it has no results), ended, or older than those to be kept.
    """

    path: Path
    state: State
    runs: list[str]  # that refer to it, oldest first; of a run: the link `latest`, if it leads there

    @property
    def facts(self) -> list[os.stat_result]:
        """Of all its files but those that vanish meanwhile, as temporary ones do."""
        found = []
        for file in (self.path, *self.path.rglob("*")):
            with contextlib.suppress(FileNotFoundError):
                found.append(file.stat())
        return found

    @property
    def bytes(self) -> int:
        return sum(fact.st_size for fact in self.facts if stat.S_ISREG(fact.st_mode))

    @property
    def hours(self) -> float:
        """Since anything of it was last written."""
        newest = max((fact.st_mtime for fact in self.facts), default=0.0)
        return max(0.0, time.time() - newest) / 3600

    @property
    def busy(self) -> bool:
        """Whether a run goes on with it."""
        return self.state in ("running", "in use")

    @property
    def unused(self) -> bool:
        """Whether nobody needs it."""
        new_data = self.state == "data" and self.hours < SAFE_HOURS
        return not (self.runs or self.busy or self.state == "ended" or new_data)

    @property
    def foreign(self) -> list[Path]:
        """What in it this program did not make."""
        return foreign_files(self.path, TRAINING_FILES if self.path.parent.name == "trainings" else RUN_FILES)


def mentioned(text: str) -> set[str]:
    """Return the names of trainings and prepared data that a JSON text mentions, wherever in it.

    Versions of this program differ in what they write where, but not in these keys. Raises ValueError.
    """
    names: set[str] = set()

    def note(found: dict[str, object]) -> None:
        if isinstance(folder := found.get("folder"), str):
            names.add(Path(folder).name)
        if isinstance(digest := found.get("prepared_digest"), str):
            names.add(f"prepared-{digest[:12]}.npz")

    json.loads(text, object_hook=note)
    return names


def referred_to(run: Path) -> Iterator[str]:
    """Yield what a run refers to; say which of its files cannot be read.

    It names each training in results.json and in a file of its own: one of them may be damaged.
    """
    for path in [run / "results.json", *sorted(run.glob("trainings/*.json"))]:
        try:
            yield from mentioned(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue  # the run was stopped
        except (OSError, ValueError, RecursionError) as error:
            name = in_one_line(str(path))
            print(f"{name} is damaged ({type(error).__name__}); what it alone names counts as unused.")


def references(artifacts: Artifacts, going: Collection[Path]) -> dict[str, list[str]]:
    """Return which runs, but those `going`, refer to a training or to prepared data, by its name."""
    found: dict[str, list[str]] = {}
    for run in sorted(set(artifacts.runs.glob("*/")) - set(going)):
        for name in set(referred_to(run)):
            found.setdefault(name, []).append(run.name)
    return found


@dataclass(frozen=True)
class Ended:
    """A run with results: what decides whether it stays. Read leniently, for runs of other versions go too."""

    folder: Path
    deployment: str | None  # None: started by hand, as a script
    completed: bool
    held_against: set[str]  # the runs from which its gates measured a drop

    @classmethod
    def all_of(cls, artifacts: Artifacts) -> list["Ended"]:
        """The runs whose results can be read, newest first."""
        runs = [run for run in sorted(artifacts.runs.glob("*/"), reverse=True) if is_run(run)]
        return [cls.of(run, results) for run in runs for results in read_objects(run / "results.json")]

    @classmethod
    def of(cls, folder: Path, results: dict[str, Any]) -> "Ended":
        provenance, gates = results.get("provenance"), results.get("gates")
        deployment = provenance.get("deployment") if isinstance(provenance, dict) else None
        gates = [gate for gate in gates if isinstance(gate, dict)] if isinstance(gates, list) else []
        held_against = {str(gate["since"]) for gate in gates if gate.get("since")}
        return cls(folder, deployment and str(deployment), results.get("status") == "completed", held_against)


def older_runs(artifacts: Artifacts, keep: int) -> list[Path]:
    """Return the runs that are not among the newest `keep` of their deployment, and that nothing holds.

    A run is held by a link to it or into it (such as `latest`), by being the last completed one of its deployment,
    and by a kept run that failed and was held against it: the next run will be held against it too, and a gate
    that has lost its baseline would let a fall in accuracy pass.
    """
    ended = Ended.all_of(artifacts)
    links = [path for folder in (artifacts.root, artifacts.runs) for path in folder.glob("*")]
    ends = [
        Path(os.path.realpath(path)) for path in links if path.is_symlink()
    ]  # of loops too, where it stops
    stay = {name for end in ends for name in end.parts}
    for deployment in {run.deployment for run in ended}:
        runs = [run for run in ended if run.deployment == deployment]
        stay |= {run.folder.name for run in (*runs[:keep], *[run for run in runs if run.completed][:1])}
        for run in runs[:keep]:
            stay |= set() if run.completed else run.held_against
    return [run.folder for run in ended if run.folder.name not in stay]


def in_history(artifacts: Artifacts) -> set[str]:
    """Return the names of the runs whose numbers are in history.csv; none if it cannot be read."""
    try:
        with (artifacts.root / "history.csv").open(encoding="utf-8", newline="") as file:
            return {row.get("run", "") for row in csv.DictReader(file)}
    except (OSError, ValueError, csv.Error):
        return set()


def in_use(folder: Path) -> bool:
    """Return whether a process holds the folder's lock."""
    with lock(folder, wait=False) as held:
        return not held


def kept_in(artifacts: Artifacts, older: Collection[Path] = ()) -> list[Kept]:
    """Return all trainings, all prepared data, and all runs, of which those in `older` are to go."""
    going = [run for run in older if not foreign_files(run, RUN_FILES)]
    referring = references(artifacts, going)
    kept = []
    for folder in filter(is_training, sorted(artifacts.trainings.glob("*/"))):
        done: State = "complete" if (folder / "training.json").exists() else "partial"
        kept.append(Kept(folder, "in use" if in_use(folder) else done, referring.get(folder.name, [])))
    for file in filter(is_prepared, sorted(artifacts.data.glob("prepared-*.npz"))):
        kept.append(Kept(file, "data", referring.get(file.name, [])))
    for run in filter(is_run, sorted(artifacts.runs.glob("*/"))):
        ended = any((run / name).exists() for name in ("results.json", "report.md"))
        state: State = "older" if run in older else "ended" if ended else "stopped"
        held = (
            [artifacts.latest.name] if artifacts.latest.resolve() == run.resolve() else []
        )  # also if stopped
        kept.append(Kept(run, "running" if in_use(run) else state, held))
    return kept


def is_prepared(file: Path) -> bool:
    """Return whether the file is one of prepared data, by what it holds; one that cannot be read is not."""
    with contextlib.suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(file) as archive:
        return not file.is_symlink() and "train_sample.npy" in archive.namelist()
    return False


def not_ours(artifacts: Artifacts) -> list[Path]:
    """Return what lies among trainings, prepared data and runs and is none, links included."""
    left = [path for path in artifacts.trainings.glob("*") if not is_training(path)]
    left += [path for path in artifacts.runs.glob("*") if not is_run(path)]
    left += [path for path in artifacts.data.glob("prepared-*.npz") if not is_prepared(path)]
    return sorted(path for path in left if not path.match(TEMPORARY_FILES))
