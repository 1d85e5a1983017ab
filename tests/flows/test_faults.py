"""Kills and damages at random points, with a seeded generator: nothing is lost, nothing damaged is used.

`make test-all` does a few of each; `make test-faults` does fifty kills of runs of all networks and fifty damages.
Both print what they did: see it with `pytest -rP`.
"""

import contextlib
import io
import json
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pipeline_runs import (
    TEMPORARY,
    Run,
    bits_of,
    checkpoints,
    few_digits,
    record_of,
    results_of,
    temporary_files,
    unfinished,
    wait_for,
)
from small_datasets import npz

from tasks import files
from tasks.comparison.previous import read_right
from tasks.sealed import read_record

LONG = bool(os.environ.get("MNIST_PIPELINE_LONG_FAULTS"))
EPOCHS = 4
CHAINS, KILLS, WRITES = (10, 5, 2) if LONG else (1, 3, 1)  # of the kills of a chain, so many come in a write
MODELS = ("dense", "cnn", "regularized_cnn", "deep_cnn", "challenger") if LONG else ("dense", "cnn")
SAMPLES = "2000" if LONG else "500"
KILL_FLAGS = ("--models", *MODELS, "--train-samples", SAMPLES, "--epochs", str(EPOCHS))
ENDS_THE_RUN = ("group", "parent", "everything")
DAMAGED_RUNS, DAMAGES_AT_ONCE = 10 if LONG else 1, 5
DAMAGE_FLAGS = ("--models", "dense", "cnn", "--seeds", "0", "1", "--train-samples", "500", "--epochs", "2")

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory, mnist: Path) -> tuple[str, str]:
    """The flag that names a data set which is evaluated quickly."""
    return "--dataset", str(few_digits(mnist, tmp_path_factory.mktemp("data") / "digits.npz"))


def finished(folder: Path, flags: tuple[str, ...]) -> Path:
    """Run the pipeline to its end, undisturbed; return its artifacts folder."""
    run = Run(folder / "artifacts", flags, folder / "log")
    assert run.wait() == 0, run.output
    return run.artifacts


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, digits: tuple[str, str]) -> dict[str, Any]:
    """The bits of a run that nobody killed."""
    return bits_of(finished(tmp_path_factory.mktemp("undisturbed"), (*KILL_FLAGS, *digits)))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, digits: tuple[str, str]) -> Path:
    """An artifacts folder whose files are to be damaged."""
    return finished(tmp_path_factory.mktemp("store"), (*DAMAGE_FLAGS, *digits))


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


def truncated(content: bytes, chance: random.Random) -> bytes:
    """The end is lost, as by a power cut."""
    return content[: chance.randrange(1, len(content))]


def bit_flipped(content: bytes, chance: random.Random) -> bytes:
    """One bit is another one."""
    place = chance.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :]


def emptied(content: bytes, chance: random.Random) -> bytes:
    """Nothing is left but the name."""
    return b""


def of_another_version(content: bytes, chance: random.Random) -> bytes:
    """The file is sound, but holds what some other program writes."""
    return b'{"schema_version": 0}' if content[:1] == b"{" else npz({"x": np.zeros(3, np.uint8)})


def damage_some_files(artifacts: Path, chance: random.Random) -> Iterator[tuple[Path, bytes]]:
    """Damage files that a next run could read, at most one of each training; yield them as they were before."""
    groups = [
        [path for path in sorted(folder.iterdir()) if path.name != "log.txt"]
        for folder in sorted(artifacts.glob("trainings/*/"))
    ]
    groups.append(sorted(artifacts.glob("data/*.npz")))
    groups.append([*artifacts.glob("runs/*/results.json"), *sorted(artifacts.glob("runs/*/trainings/*.npz"))])
    for group in chance.sample(groups, DAMAGES_AT_ONCE):
        path = chance.choice(group)
        damage = chance.choice((truncated, bit_flipped, emptied, of_another_version))
        before = path.read_bytes()
        path.write_bytes(damage(before, chance))
        yield path, before


def means_the_same(path: Path, before: bytes) -> bool:
    """Return whether what a run reads from a file is still the same: 1E-3 is 1e-3, a zip file has idle bytes."""
    try:
        if path.suffix == ".json":
            return bool(json.loads(path.read_bytes()) == json.loads(before))
        if path.parent.name == "trainings":  # a run reads from another's only which images were recognised
            with np.load(io.BytesIO(before)) as stored:
                return np.array_equal(
                    read_right(path.parent.parent, *path.stem.rsplit("-", 1)), stored["right"]
                )
        with np.load(path) as after, np.load(io.BytesIO(before)) as stored:
            return after.files == stored.files and all(
                np.array_equal(after[name], stored[name]) for name in stored.files
            )
    except Exception:  # unreadable in one of many ways
        return False


def is_reported(path: Path, run: Run) -> bool:
    """Return whether a run names a damaged file: in its log, or in its comparison with the earlier run."""
    if path.parent.name == "trainings":  # of the earlier run
        previous = results_of(run.artifacts)["previous_run"]
        return " with seed ".join(path.stem.rsplit("-", 1)) in previous["unreadable"]
    return f"{path.parent.name}/{path.name}" in run.output


@pytest.mark.parametrize("number", range(DAMAGED_RUNS))
def test_damages(number: int, store: Path, digits: tuple[str, str], tmp_path: Path) -> None:
    """Damaged files are reported and made again, in the same bits; none is used, none is fatal."""
    artifacts = tmp_path / "artifacts"
    shutil.copytree(store, artifacts, symlinks=True)
    damaged = list(damage_some_files(artifacts, random.Random(number)))
    harmless = [path for path, before in damaged if means_the_same(path, before)]

    run = Run(artifacts, (*DAMAGE_FLAGS, *digits), tmp_path / "log")
    assert run.wait() == 0, run.output
    reported = [path for path, _ in damaged if is_reported(path, run)]
    for path, _ in damaged:
        found = "reported" if path in reported else "harmless" if path in harmless else "not noticed"
        print(json.dumps({"run": number, "damaged": str(path.relative_to(artifacts)), "found": found}))
    assert {path for path, _ in damaged} == {*reported, *harmless}
    assert bits_of(artifacts) == bits_of(store)
    for path, before in damaged:  # a checkpoint that is made again has another name, because times differ
        assert path.parent.name != "data" or means_the_same(path, before)
    for folder in artifacts.glob("trainings/*/"):
        assert read_record(folder / "training.json", spec=files.read_json(folder / "spec.json"))
    aside = [path for path in reported if path.is_relative_to(artifacts / "trainings")]
    assert len(list((artifacts / "damaged").glob("*"))) == len(aside)
    assert temporary_files(artifacts) == []
    assert run.leftovers() == []
    assert "Traceback" not in run.output
