"""What is kept in the artifacts folder, and what of it nobody needs any more: `python -m tasks.housekeeping`.

All that can go can be made again. Runs with results are never removed, nor is anything that this program did not
make: that is left and named.
"""

import contextlib
import json
import os
import shutil
import stat
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tasks.command_line import RUN_FAILED, run_command
from tasks.errors import UserError, explain
from tasks.files import lock
from tasks.layout import ARTIFACTS, Artifacts, named
from tasks.ownership import RUN_FILES, TRAINING_FILES, foreign_files, is_run, is_training
from tasks.printable import in_one_line
from tasks.wording import counted

State = Literal["complete", "partial", "in use", "data", "running", "stopped"]
SAFE_HOURS = 1  # prepared data of the last hour may be those of a run that is about to begin


@dataclass(frozen=True)
class Kept:
    """One line of the list: a training's folder, a file of prepared data, or the folder of a stopped run."""

    path: Path
    state: State
    runs: list[str]  # that refer to it, oldest first

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
        return not (self.runs or self.busy or new_data)


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


def references(artifacts: Artifacts) -> dict[str, list[str]]:
    """Return which runs refer to a training or to prepared data, by the name of its folder or file."""
    found: dict[str, list[str]] = {}
    for run in sorted(artifacts.runs.glob("*/")):
        for name in set(referred_to(run)):
            found.setdefault(name, []).append(run.name)
    return found


def in_use(folder: Path) -> bool:
    """Return whether a process holds the folder's lock."""
    with lock(folder, wait=False) as held:
        return not held


def kept_in(artifacts: Artifacts) -> list[Kept]:
    """Return all trainings, all prepared data, and the runs that ended without results."""
    referring = references(artifacts)
    kept = []
    for folder in filter(is_training, sorted(artifacts.trainings.glob("*/"))):
        done: State = "complete" if (folder / "training.json").exists() else "partial"
        kept.append(Kept(folder, "in use" if in_use(folder) else done, referring.get(folder.name, [])))
    for file in filter(is_prepared, sorted(artifacts.data.glob("prepared-*.npz"))):
        kept.append(Kept(file, "data", referring.get(file.name, [])))
    for run in filter(is_run, sorted(artifacts.runs.glob("*/"))):
        if not any((run / name).exists() for name in ("results.json", "report.md")):
            kept.append(Kept(run, "running" if in_use(run) else "stopped", []))
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
    return sorted(left)


def remove(path: Path) -> list[Path]:
    """Remove a training, data or a stopped run; or return what in it this program did not make, and leave it."""
    own = TRAINING_FILES if path.parent.name == "trainings" else RUN_FILES
    if foreign := foreign_files(path, own):
        return foreign
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    return []


def line(kept: Kept) -> str:
    """Return the line of the list: network, seed and key (or a name), size, age, state, and who refers to it."""
    name = f"{kept.path.name:<35}"
    if kept.path.parent.name == "trainings":
        network, seed, key = kept.path.name.rsplit("-", 2)
        name = f"{network:<16} {seed:>4}  {key:<12}"
    age = f"{kept.hours:.0f} h" if kept.hours < 48 else f"{kept.hours / 24:.0f} days"
    use = counted(len(kept.runs), "run") + (f", last {kept.runs[-1]}" if kept.runs else "")
    return f"{name} {kept.bytes / 1e6:7.1f} {age:>8}  {kept.state:<8}  {use}"


def keep_house(artifacts: Artifacts, prune: bool) -> None:
    """Print the list; with `prune`, remove what no run refers to.

    Raises UserError if there is no such folder, or if a run goes on: what it will refer to is not known yet.
    """
    if not artifacts.root.is_dir():
        raise UserError(f"There is no folder {artifacts.root}. Name the artifacts folder: --artifacts-dir.")
    if prune:
        artifacts.claim()
    with lock(artifacts.runs) if prune else contextlib.nullcontext():  # no run starts meanwhile
        everything = kept_in(artifacts)
        for kept in everything:
            if prune and kept.busy:
                raise UserError(f"{kept.path.name} is in use. Wait until no run goes on, then prune.")
        print(f"{'network':<16} {'seed':>4}  {'key':<12} {'MB':>7} {'age':>8}  {'state':<8}  referred to by")
        for kept in everything:
            print(in_one_line(line(kept)))
        sizes = {kept.path: kept.bytes for kept in everything if kept.unused}
        left = not_ours(artifacts)
        for path in list(sizes) if prune else ():
            if foreign := remove(path):
                del sizes[path]
                left += foreign
    for path in left:
        print(in_one_line(f"Left, not made by this program: {path.relative_to(artifacts.root)}"))
    done = "Removed" if prune else "--prune removes"
    print(f"{done} {len(sizes)} of {len(everything)}, {sum(sizes.values()) / 1e6:.1f} MB.")
    if damaged := list(artifacts.damaged.glob("*")):
        print(f"{len(damaged)} damaged files were set aside in {damaged[0].parent}.")


def command(*, artifacts_dir: Path = ARTIFACTS, prune: bool = False) -> int:
    """List trainings, prepared data and stopped runs, and which runs refer to them.

    Args:
        artifacts_dir: the artifacts folder.
        prune: remove what no run refers to.
    """
    try:
        keep_house(Artifacts(named(artifacts_dir)), prune)
    except OSError as error:
        print(explain(error), file=sys.stderr)
        return RUN_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(run_command("housekeeping", "python -m tasks.housekeeping", command))
