"""SIGKILL at random moments and in the midst of writes: is anything lost?

    python -m benchmarks.endurance.kills [--trainings 80] [--runs 20] [--seed 0]

A kill hits a training process, or a run: the script, its process group, or all that it started. The same command
follows and is killed too, four times in a row; then it runs to its end, and all must be equal to the bit to what
nobody disturbed. Four of ten kills come at a rename (hook/sitecustomize.py): three between write and rename, one
between rename and syncing of the folder. Prints each kill and writes kills.json.
"""

import json
import os
import random
import signal
import tempfile
import time
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import common
from benchmarks.endurance.stage import (
    HOOK,
    digits,
    environment,
    out_of_order,
    put_strangers,
    set_up,
)
from tasks.files import write_json
from tasks.store.ownership import mark
from tasks.training.process import start
from tests.pipeline_runs import Run, bits_of, bits_of_training, checkpoints, temporary_files

RESULTS = Path(__file__).with_name("kills.json")
KILLS_IN_A_ROW = 4
AT_A_RENAME = ("before", "before", "before", "after")
EPOCHS = 8
FLAGS = ("--models", "dense", "cnn", "--epochs", str(EPOCHS))
Kill = dict[str, Any]


@dataclass(frozen=True)
class Moment:
    """When to kill: at a rename, or so many seconds after the start; and whom of a run."""

    rename: str = ""  # such as "before 3"
    seconds: float | None = None
    whom: str = "script"  # or its "group", or "everything"

    def __str__(self) -> str:
        return self.rename or f"{self.whom} after {self.seconds:.1f} s"

    def dying(self, program: str) -> AbstractContextManager[None]:
        """Let the program, started in this block, kill itself at the rename."""
        wish = f"{program} {self.rename}" if self.rename else ""
        return environment(PYTHONPATH=str(HOOK), MNIST_PIPELINE_DIES=wish)


NEVER = Moment()


def train(folder: Path, dataset: Path, moment: Moment) -> int:
    """Train in a process until the end or the moment; return the exit code."""
    stage = set_up(folder / "artifacts", dataset, EPOCHS)
    with moment.dying("tasks.training.fit"):
        process = start(stage.folder, stage.prepared.path, refresh=False)
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        process.stdin.write("go\n")
        with suppress(BrokenPipeError):
            process.stdin.flush()
        if moment.seconds is not None:
            time.sleep(moment.seconds)
            process.kill()
        process.stdout.read()
        return process.wait()


def run(folder: Path, dataset: Path, moment: Moment) -> int:
    """Run the script until the end or the moment; return the exit code."""
    with moment.dying("mnist_pipeline.py"):
        script = Run(folder / "artifacts", (*FLAGS, "--dataset", str(dataset)), folder / "log")
    if moment.seconds is not None:
        time.sleep(moment.seconds)
        if moment.whom == "everything":
            script.kill_everything()
        elif script.alive:
            (os.killpg if moment.whom == "group" else os.kill)(script.process.pid, signal.SIGKILL)
    code = script.wait()
    script.leftovers()  # waits until those have seen that the script is gone
    assert "Traceback" not in script.output, script.output
    return code


def undisturbed(what: str, folder: Path, dataset: Path) -> tuple[Any, float]:
    """Return the bits of a training or a run that is not killed, and how long it takes."""
    folder.mkdir()
    begun = time.monotonic()
    assert DISTURBED[what](folder, dataset, NEVER) == 0
    return bits(what, folder / "artifacts"), time.monotonic() - begun


def bits(what: str, artifacts: Path) -> Any:
    """Return what no kill may change."""
    if what == "run":
        return bits_of(artifacts)
    (training,) = artifacts.glob("trainings/*-*/")
    return bits_of_training(training)


def kill_in_a_row(
    what: str, folder: Path, dataset: Path, seconds: float, number: int, chance: random.Random
) -> tuple[list[Kill], list[str], Any]:
    """Kill, and kill what follows, until something ends; go on to the end.

    Returns the kills, of which the first has this number, what was wrong at the end, and the bits.
    """
    artifacts = folder / "artifacts"
    artifacts.mkdir()
    mark(artifacts)
    put_strangers(artifacts)
    kills: list[Kill] = []
    while len(kills) < KILLS_IN_A_ROW:
        place = (number + len(kills)) % 10
        if place < len(AT_A_RENAME):
            moment = Moment(f"{AT_A_RENAME[place]} {chance.randint(1, 2 * EPOCHS)}")
        else:
            whom = chance.choice(("script", "group", "everything"))
            moment = Moment(seconds=chance.uniform(0, seconds), whom=whom)
        code = DISTURBED[what](folder, dataset, moment)
        if code == 0:  # it ended before its moment came: that is no kill
            break
        assert code == -signal.SIGKILL, code
        kill = {"what": what, "moment": str(moment), "epochs kept": sum(checkpoints(artifacts).values())}
        kill |= {"half-written": len(temporary_files(artifacts)), "wrong": out_of_order(artifacts)}
        print(json.dumps(kill), flush=True)
        kills.append(kill)
    code = DISTURBED[what](folder, dataset, NEVER)
    wrong = out_of_order(artifacts) + [f"temporary: {name}" for name in temporary_files(artifacts)]
    return kills, [*wrong, *([] if code == 0 else [f"exit code {code}"])], bits(what, artifacts)


DISTURBED = {"training": train, "run": run}


def main(*, trainings: int = 80, runs: int = 20, seed: int = 0) -> int:
    """Kill trainings and runs, at least so many; return the exit code, 1 if anything is wrong."""
    chance, begun, found, rows, unequal = random.Random(seed), time.monotonic(), [], 0, 0
    with tempfile.TemporaryDirectory(prefix="mnist-pipeline-kills-") as made:
        dataset = digits(Path(made) / "digits.npz")
        for what, least in (("training", trainings), ("run", runs)):
            expected, seconds = undisturbed(what, Path(made) / what, dataset)
            kills: list[Kill] = []
            while len(kills) < least:
                with tempfile.TemporaryDirectory(dir=made) as folder:
                    row, wrong, ended = kill_in_a_row(
                        what, Path(folder), dataset, seconds, len(kills), chance
                    )
                kills += [*row, *([{"what": what, "moment": "the end", "wrong": wrong}] if wrong else [])]
                rows, unequal = rows + 1, unequal + (ended != expected)
                print(f"{what}: {len(kills)} kills; equal: {ended == expected}; wrong: {wrong}", flush=True)
            found += kills
    wrong = [each for each in found if each["wrong"]]
    counts = {
        "kills": len(found),
        "of training processes": sum(each["what"] == "training" for each in found),
        "of runs": sum(each["what"] == "run" for each in found),
        "between write and rename": sum(each["moment"].startswith("before") for each in found),
        "between rename and sync": sum(each["moment"].startswith("after") for each in found),
        "that left a half-written file": sum(each.get("half-written", 0) > 0 for each in found),
        "that came after a kept epoch": sum(each.get("epochs kept", 0) > 0 for each in found),
        "rows of kills, each gone on to its end": rows,
        "of them not equal to the bit": unequal,
    }
    print(json.dumps(counts, indent=1))
    hours = round((time.monotonic() - begun) / 3600, 2)
    write_json(RESULTS, {**counts, "wrong": wrong, "seed": seed, "hours": hours, **common.circumstances()})
    return 1 if wrong or unequal else 0


if __name__ == "__main__":
    common.run(main)
