"""What is kept in the artifacts folder, and what of it nobody needs any more.

`python -m tasks.housekeeping` lists trainings, prepared data and runs that were stopped; with `--prune` it removes
what no run refers to. All of it can be made again; runs with results are never removed, nor is anything that this
program did not make: that is left and named.
"""

import argparse
import contextlib
import os
import shutil
import stat
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks import files
from tasks.errors import UserError, explain
from tasks.layout import ARTIFACTS, Artifacts
from tasks.ownership import RUN_FILES, TRAINING_FILES, foreign_files, is_run, is_training


@dataclass(frozen=True)
class Kept:
    """One line of the list: a training's folder, a file of prepared data, or the folder of a stopped run."""

    path: Path
    state: str
    runs: list[str]  # that refer to it, oldest first

    @property
    def files(self) -> list[Path]:
        return [self.path, *self.path.rglob("*")]

    @property
    def facts(self) -> list[os.stat_result]:
        """Of all its files but those that vanish meanwhile, as temporary ones do."""
        found = []
        for file in self.files:
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


def written_by(run: Path) -> Iterator[dict[str, Any]]:
    """Yield what `compare` and `evaluate` wrote into a run folder; say which files cannot be read."""
    for path in [run / "results.json", *sorted(run.glob("trainings/*.json"))]:
        try:
            content = files.read_json(path)
        except FileNotFoundError:
            continue  # the run was stopped
        except (OSError, ValueError) as error:
            print(f"{path} is damaged ({type(error).__name__}); what it alone names counts as unused.")
            continue
        if isinstance(content, dict):
            yield content


def references(artifacts: Path) -> dict[str, list[str]]:
    """Return which runs refer to a training or to prepared data, by the name of its folder or file.

    A run names each training in results.json and in a file of its own: one of them may be damaged.
    """
    found: dict[str, list[str]] = {}
    for run in sorted(artifacts.glob("runs/*/")):
        names: set[str] = set()
        for content in written_by(run):
            trainings = [content.get("training")]
            with contextlib.suppress(KeyError, TypeError, AttributeError):  # damaged, or of another version
                names.add(f"prepared-{content['dataset']['prepared_digest'][:12]}.npz")
                trainings += [entry for model in content["models"].values() for entry in model["trainings"]]
            for training in trainings:
                with contextlib.suppress(KeyError, TypeError, AttributeError):
                    names.add(Path(training["folder"]).name)  # type: ignore[index]
        for name in names:
            found.setdefault(name, []).append(run.name)
    return found


def in_use(folder: Path) -> bool:
    """Return whether a process holds the folder's lock."""
    with files.lock(folder, wait=False) as held:
        return not held


def kept_in(artifacts: Path) -> list[Kept]:
    """Return all trainings, all prepared data, and the runs that ended without results."""
    referring = references(artifacts)
    kept = []
    for folder in filter(is_training, sorted(artifacts.glob("trainings/*/"))):
        done = "complete" if (folder / "training.json").exists() else "partial"
        state = "in use" if in_use(folder) else done
        kept.append(Kept(folder, state, referring.get(folder.name, [])))
    for file in filter(is_prepared, sorted(artifacts.glob("data/prepared-*.npz"))):
        kept.append(Kept(file, "data", referring.get(file.name, [])))
    for run in filter(is_run, sorted(artifacts.glob("runs/*/"))):
        if not any((run / name).exists() for name in ("results.json", "report.md")):
            kept.append(Kept(run, "running" if in_use(run) else "stopped", []))
    return kept


def is_prepared(file: Path) -> bool:
    """Return whether the file is one of prepared data, by what it holds; one that cannot be read is not."""
    with contextlib.suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(file) as archive:
        return not file.is_symlink() and "train_sample.npy" in archive.namelist()
    return False


def not_ours(artifacts: Path) -> list[Path]:
    """Return what lies among trainings, prepared data and runs and is none, links included."""
    left = [path for path in artifacts.glob("trainings/*") if not is_training(path)]
    left += [path for path in artifacts.glob("runs/*") if not is_run(path)]
    left += [path for path in artifacts.glob("data/prepared-*.npz") if not is_prepared(path)]
    return sorted(left)


def remove(kept: Kept) -> list[Path]:
    """Remove a training, data or a stopped run; or return what in it this program did not make, and leave it."""
    own = TRAINING_FILES if kept.path.parent.name == "trainings" else RUN_FILES
    if foreign := foreign_files(kept.path, own):
        return foreign
    shutil.rmtree(kept.path) if kept.path.is_dir() else kept.path.unlink()
    return []


def line(kept: Kept) -> str:
    """Return the line of the list: network, seed and key (or a name), size, age, state, and who refers to it."""
    network, seed, key = ([*kept.path.name.rsplit("-", 2), "", ""])[:3]
    name = f"{network:<16} {seed:>4}  {key:<12}"
    if kept.path.parent.name != "trainings":
        name = f"{kept.path.name:<35}"
    age = f"{kept.hours:.0f} h" if kept.hours < 48 else f"{kept.hours / 24:.0f} days"
    use = f"{len(kept.runs)} run{'s' * (len(kept.runs) != 1)}"
    last = f", last {kept.runs[-1]}" if kept.runs else ""
    return f"{name} {kept.bytes / 1e6:7.1f} {age:>8}  {kept.state:<8}  {use}{last}"


def keep_house(artifacts: Path, prune: bool) -> None:
    """Print the list; with `prune`, remove what no run refers to.

    Raises UserError if there is no such folder, or if a run goes on: what it will refer to is not known yet.
    """
    if not artifacts.is_dir():
        raise UserError(f"There is no folder {artifacts}. Name the artifacts folder: --artifacts-dir.")
    if prune:
        Artifacts(artifacts).claim()
    with files.lock(artifacts / "runs") if prune else contextlib.nullcontext():  # no run starts meanwhile
        everything = kept_in(artifacts)
        running = [kept.path.name for kept in everything if kept.state in ("running", "in use")]
        if prune and running:
            raise UserError(f"{running[0]} is in use. Wait until no run goes on, then prune.")
        print(f"{'network':<16} {'seed':>4}  {'key':<12} {'MB':>7} {'age':>8}  {'state':<8}  referred to by")
        for kept in everything:
            print(line(kept))
        unused = [
            kept
            for kept in everything
            if not kept.runs
            and kept.state not in ("running", "in use")
            and not (kept.state == "data" and kept.hours < 1)  # a run that begins may just have written it
        ]
        sizes = {kept.path: kept.bytes for kept in unused}
        left = not_ours(artifacts)
        for kept in unused if prune else ():
            if foreign := remove(kept):
                del sizes[kept.path]
                left += foreign
        for path in left:
            print(f"Left, not made by this program: {path.relative_to(artifacts)}")
        print(
            f"{'Removed' if prune else '--prune removes'} {len(sizes)} of {len(everything)}, "
            f"{sum(sizes.values()) / 1e6:.1f} MB."
        )
        if damaged := list(artifacts.glob("damaged/*")):
            print(f"{len(damaged)} damaged files were set aside in {artifacts / 'damaged'}.")


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tasks.housekeeping", description=__doc__)
    parser.add_argument("--artifacts-dir", type=Path, default=ARTIFACTS)
    parser.add_argument("--prune", action="store_true", help="remove what no run refers to")
    arguments = parser.parse_args()
    try:
        keep_house(arguments.artifacts_dir.resolve(), arguments.prune)
    except (UserError, OSError) as error:
        print(explain(error), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
