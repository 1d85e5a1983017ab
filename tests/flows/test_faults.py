"""Kills at random points, with a seeded generator: nothing is lost but the epoch in flight.

`make test-all` does a few, `make test-faults` fifty, of runs of all networks; `pytest -rP` prints what they did.
"""

import contextlib
import json
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pipeline_runs import LONG_FAULTS as LONG
from pipeline_runs import (
    TEMPORARY,
    Run,
    bits_of,
    checkpoints,
    few_digits,
    finished,
    record_of,
    results_of,
    temporary_files,
    unfinished,
    wait_for,
)

EPOCHS = 4
CHAINS, KILLS, WRITES = (10, 5, 2) if LONG else (1, 3, 1)  # of the kills of a chain, so many come in a write
MODELS = ("dense", "cnn", "regularized_cnn", "deep_cnn", "challenger") if LONG else ("dense", "cnn")
SAMPLES = "2000" if LONG else "500"
KILL_FLAGS = ("--models", *MODELS, "--train-samples", SAMPLES, "--epochs", str(EPOCHS))
ENDS_THE_RUN = ("group", "parent", "everything")

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory, mnist: Path) -> tuple[str, str]:
    """The flag that names a data set which is evaluated quickly."""
    return "--dataset", str(few_digits(mnist, tmp_path_factory.mktemp("data") / "digits.npz"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, digits: tuple[str, str]) -> dict[str, Any]:
    """The bits of a run that nobody killed."""
    return bits_of(finished(tmp_path_factory.mktemp("undisturbed"), (*KILL_FLAGS, *digits)))


def plan(chance: random.Random) -> Iterator[tuple[str, bool]]:
    """Yield for each kill of a chain what is killed, and whether in a write.

    A training alone is killed late: the run goes on without it, and leaves little that the next kill can hit.
    """
    kinds = [chance.choice(ENDS_THE_RUN) for _ in range(KILLS - 1)]
    kinds.insert(chance.randrange(KILLS - 2, KILLS), "training")
    writes = chance.sample(range(KILLS), WRITES)
    yield from ((kind, number in writes) for number, kind in enumerate(kinds))


class Moment:
    """A moment in a run that something which is seen to happen brings about; "" while it has not come."""

    def __init__(self, run: Run, chance: random.Random, kills_left: int, write: bool) -> None:
        self.run, self.write = run, write
        done = checkpoints(run.artifacts)
        # The kills of a chain share the epochs that are left, so that each finds something to interrupt.
        epochs_left = EPOCHS * len(MODELS) - sum(done.values())
        self.epochs = sum(done.values()) + chance.randrange(1 + epochs_left // (kills_left + 1))
        self.writes = chance.randint(1, 8)
        self.delay = chance.uniform(0, 8)

    def wait(self) -> tuple[str, str]:
        """Wait for the moment; return it in words, and the folder of the write; ("", "") if the run ended."""
        run, artifacts = self.run, self.run.artifacts
        wait_for(lambda: sum(checkpoints(artifacts).values()) >= self.epochs or not run.alive, pause=0.02)
        moment = f"{self.epochs} epochs seen"
        if not self.write:
            wait_for(lambda: not run.alive, self.delay, pause=0.02)
            return (f"{moment}, then {self.delay:.2f} s", "") if run.alive else ("", "")
        before: set[Path] = set(artifacts.rglob(TEMPORARY))  # a killed run left these
        seen: set[Path] = set()
        while run.alive:
            for path in set(artifacts.rglob(TEMPORARY)) - before - seen:
                seen.add(path)
                if len(seen) >= self.writes:
                    return f"{moment}, then {path.relative_to(artifacts)}", path.parent.name
            time.sleep(0.003)
        return "", ""


def kill(run: Run, kind: str, folder: str, chance: random.Random) -> str | None:
    """Send SIGKILL; return the folder of the training that was killed alone, if one was.

    It is the one that writes into `folder`, or else any that runs.
    """
    if kind == "parent":
        run.process.kill()
    elif kind == "group":
        os.killpg(run.process.pid, signal.SIGKILL)
    elif kind == "everything":
        run.kill_everything()
    else:
        victims: dict[str, int] = {}
        wait_for(lambda: victims.update(run.trainings()) or victims or not run.alive, pause=0.002)
        if victims:
            victim = folder if folder in victims else chance.choice(sorted(victims))
            os.kill(victims[victim], signal.SIGKILL)
            return victim
    return None


def names_the_failed_branch(run: Run, folder: str) -> bool:
    """Return whether the last line of a run that went on, its results and its report name the killed training."""
    model = folder.split("-")[0]
    (failure,) = results_of(run.artifacts)["failures"]
    report = (run.artifacts / "latest" / "report.md").read_text()
    return failure["model"] == model and all(
        "signal 9" in text for text in (run.output.splitlines()[-1], report)
    )


@pytest.mark.parametrize("number", range(CHAINS))
def test_kills(number: int, undisturbed: dict[str, Any], digits: tuple[str, str], tmp_path: Path) -> None:
    """After each of several SIGKILLs the same command goes on at the next epoch, and ends with the same bits.

    A run that ends before its moment comes is no kill; then the run after it is killed.
    """
    chance, flags, artifacts = random.Random(number), (*KILL_FLAGS, *digits), tmp_path / "artifacts"
    kept_at_kills: list[dict[str, int]] = []
    for kill_number, (kind, write) in enumerate(plan(chance)):
        killed = False
        for attempt in range(5):
            run = Run(artifacts, flags, tmp_path / f"{kill_number}-{attempt}.log")
            moment, folder = Moment(run, chance, KILLS - kill_number, write).wait()
            seen, victim = checkpoints(artifacts), None
            if moment:
                with contextlib.suppress(ProcessLookupError):  # it has just ended
                    victim = kill(run, kind, folder, chance)
            code = run.wait()
            assert run.leftovers() == []
            killed = code == -signal.SIGKILL if kind != "training" else code == 1
            if killed:
                break
            assert code == 0, run.output
            kind = chance.choice(ENDS_THE_RUN)  # no training may be left that could be killed
        assert killed
        if victim:
            assert names_the_failed_branch(run, victim), run.output
        kept = checkpoints(artifacts)
        assert all(kept.get(name, 0) >= epochs for name, epochs in seen.items())
        kept_at_kills.append(unfinished(artifacts))
        words = {"chain": number, "kill": kill_number, "what": kind, "training": victim, "moment": moment}
        left = temporary_files(artifacts)
        print(json.dumps({**words, "exit code": code, "kept epochs": kept, "half-written": left}))
        assert "Traceback" not in run.output

    last = Run(artifacts, flags, tmp_path / "last.log")
    assert last.wait() == 0, last.output
    assert last.leftovers() == []
    assert bits_of(artifacts) == undisturbed
    assert temporary_files(artifacts) == []
    assert "Traceback" not in last.output
    for name in checkpoints(artifacts):  # no epoch is lost but the one in flight
        kept_of_it = {kept[name] for kept in kept_at_kills if name in kept}
        assert set(record_of(artifacts / "trainings" / name)["resumed_after"]) == kept_of_it, name
