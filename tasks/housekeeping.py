"""What is kept in the artifacts folder, and what of it may go: `python -m tasks.housekeeping`.

`--prune` removes what no run refers to, which can all be made again. `--keep N` removes older runs too; their
numbers stay in history.csv. Nothing that this program did not make is ever removed: that is left and named.
"""

import contextlib
import shutil
import sys
from pathlib import Path
from typing import Annotated

import cyclopts

from tasks.command_line import RUN_FAILED, run_command
from tasks.errors import UserError, explain
from tasks.files import TEMPORARY_PREFIX, TEMPORARY_SUFFIX, lock
from tasks.printable import in_one_line
from tasks.store.kept import Ended, Kept, in_history, kept_in, not_ours, older_runs
from tasks.store.layout import Artifacts, named
from tasks.wording import counted

GOING = f"{TEMPORARY_PREFIX}going{TEMPORARY_SUFFIX}"  # a folder for what is being removed


def remove(path: Path) -> None:
    """Remove a training, data or a run, at once for everybody who reads.

    Removing a folder takes a while and may be interrupted; half a run or training would mislead its readers, or
    no longer be known as ours. So it first moves to where nobody looks: they look one folder deep. What an
    interrupted removal left there is removed by the next one.
    """
    if path.is_file():
        path.unlink()
        return
    going = path.parent / GOING
    going.mkdir(exist_ok=True)
    path.rename(going / path.name)
    shutil.rmtree(going)


def finish_removing(artifacts: Artifacts) -> None:
    """Remove what an interrupted removal left."""
    for folder in (artifacts.runs, artifacts.trainings, artifacts.data):
        if (folder / GOING).is_dir():
            shutil.rmtree(folder / GOING)


def line(kept: Kept, deployments: dict[Path, str]) -> str:
    """Return the line of the list: a mark if it is to go, its name, size, age, state, and whose it is.

    The name of a training is its network, seed and key. Trainings and data have the runs that refer to them, runs
    their deployment.
    """
    name = f"{kept.path.name:<35}"
    if kept.path.parent.name == "trainings":
        network, seed, key = kept.path.name.rsplit("-", 2)
        name = f"{network:<16} {seed:>4}  {key:<12}"
    age = f"{kept.hours:.0f} h" if kept.hours < 48 else f"{kept.hours / 24:.0f} days"
    use = counted(len(kept.runs), "run") + (f", last {kept.runs[-1]}" if kept.runs else "")
    if kept.path.parent.name == "runs":
        use = deployments.get(kept.path, "")
    mark = "-" if kept.unused and not kept.foreign else " "
    return f"{mark} {name} {kept.bytes / 1e6:7.1f} {age:>8}  {kept.state:<8}  {use}".rstrip()


def print_list(artifacts: Artifacts, everything: list[Kept]) -> None:
    """Print a line for each, with the names of the columns above them."""
    print(f"  {'network':<16} {'seed':>4}  {'key':<12} {'MB':>7} {'age':>8}  {'state':<8}  referred to by")
    deployments = {run.folder: run.deployment or "by hand" for run in Ended.all_of(artifacts)}
    for kept in everything:
        print(in_one_line(line(kept, deployments)))


def older_than_kept(artifacts: Artifacts, keep: int | None) -> list[Path]:
    """Return the runs to remove; say of which older ones the numbers would be lost, and that they stay."""
    older = older_runs(artifacts, keep) if keep else []
    recorded = in_history(artifacts)
    if unrecorded := [run for run in older if run.name not in recorded]:
        print(f"Kept, because history.csv does not hold it: {unrecorded[0].name}, {len(unrecorded)} in all.")
    return [run for run in older if run.name in recorded]


def keep_house(
    artifacts: Artifacts, *, prune: bool = False, keep: int | None = None, dry_run: bool = False
) -> None:
    """Print the list, with marks at what pruning removes; with `prune` or `keep` and no `dry_run` remove it.

    Raises UserError if there is no such folder, or if a run goes on: what it will refer to is not known yet.
    """
    if not artifacts.root.is_dir():
        raise UserError(f"There is no folder {artifacts.root}. Name the artifacts folder: --artifacts-dir.")
    acting = (prune or keep is not None) and not dry_run
    if acting:
        artifacts.claim()
    with lock(artifacts.runs) if acting else contextlib.nullcontext():  # no run starts meanwhile
        older = older_than_kept(artifacts, keep)
        everything = kept_in(artifacts, older)
        for kept in everything:
            if acting and kept.busy:
                raise UserError(f"{kept.path.name} is in use. Wait until no run goes on, then prune.")
        print_list(artifacts, everything)
        left = not_ours(artifacts)
        left += [path for kept in everything if kept.unused for path in kept.foreign]
        sizes = {kept.path: kept.bytes for kept in everything if kept.unused and not kept.foreign}
        if acting:
            finish_removing(artifacts)
            for path in sorted(sizes, key=lambda path: path.parent != artifacts.runs):
                remove(path)  # runs first: none is ever without what it refers to
    for path in left:
        print(in_one_line(f"Left, not made by this program: {path.relative_to(artifacts.root)}"))
    done = "Removed" if acting else "--prune removes" if keep is None else f"--keep {keep} removes"
    print(f"{done} {len(sizes)} of {len(everything)} (marked -), {sum(sizes.values()) / 1e6:.1f} MB.")
    if damaged := list(artifacts.damaged.glob("*")):
        print(f"{len(damaged)} damaged files were set aside in {damaged[0].parent}.")


def command(
    *,
    artifacts_dir: Path | None = None,
    prune: bool = False,
    keep: Annotated[int | None, cyclopts.Parameter(validator=cyclopts.validators.Number(gte=1))] = None,
    dry_run: bool = False,
) -> int:
    """List runs, trainings and prepared data, and which runs refer to them; mark what no run refers to.

    Args:
        artifacts_dir: the artifacts folder; by default $MNIST_PIPELINE_ARTIFACTS, or `artifacts` here.
        prune: remove what no run refers to, and runs that were stopped.
        keep: remove older runs first: of each deployment, and of those by hand, all but this many.
        dry_run: remove nothing; mark what would go.
    """
    try:
        keep_house(Artifacts(named(artifacts_dir)), prune=prune, keep=keep, dry_run=dry_run)
    except OSError as error:
        print(explain(error), file=sys.stderr)
        return RUN_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(run_command("housekeeping", "python -m tasks.housekeeping", command))
