"""Files damaged at random, with a seeded generator: nothing damaged is used, nothing is fatal.

`make test-all` does five damages, `make test-faults` fifty. `pytest -rP` prints what they did.
"""

import io
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pipeline_runs import LONG_FAULTS, Run, bits_of, few_digits, finished, results_of, temporary_files
from small_datasets import npz

from tasks import files
from tasks.comparison.previous import read_answers
from tasks.store.sealed import read_record

RUNS, DAMAGES_AT_ONCE = 10 if LONG_FAULTS else 1, 5
FLAGS = ("--models", "dense", "cnn", "--seeds", "0", "1", "--train-samples", "500", "--epochs", "2")

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def flags(tmp_path_factory: pytest.TempPathFactory, mnist: Path) -> tuple[str, ...]:
    """The flags of a run on a data set that is evaluated quickly."""
    return *FLAGS, "--dataset", str(few_digits(mnist, tmp_path_factory.mktemp("data") / "digits.npz"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, flags: tuple[str, ...]) -> Path:
    """An artifacts folder whose files are to be damaged."""
    return finished(tmp_path_factory.mktemp("store"), flags)


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
                    read_answers(path.parent.parent, *path.stem.rsplit("-", 1))[0], stored["right"]
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


@pytest.mark.parametrize("number", range(RUNS))
def test_damages(number: int, store: Path, flags: tuple[str, ...], tmp_path: Path) -> None:
    """Damaged files are reported and made again, in the same bits; none is used, none is fatal."""
    artifacts = tmp_path / "artifacts"
    shutil.copytree(store, artifacts, symlinks=True)
    damaged = list(damage_some_files(artifacts, random.Random(number)))
    harmless = [path for path, before in damaged if means_the_same(path, before)]

    run = Run(artifacts, flags, tmp_path / "log")
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
