"""A training process as the flow sees it. Stand-ins for the process say what `tasks.training.fit` would say."""

import pickle
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from specified import specified

from tasks import files
from tasks.data.download import DIGITS, VerifiedDataset
from tasks.data.prepare import PreparedData
from tasks.store.sealed import write_record
from tasks.training import process as process_module
from tasks.training import train as train_module
from tasks.training.process import TrainingFailedError
from tasks.training.slots import take_slot
from tasks.training.specification import Specification
from tasks.training.train import Training

READY = "say(event='ready', epochs_done=0, epochs=2); sys.stdin.readline();"
PREPARED = PreparedData(
    *(
        VerifiedDataset("mnist", "mnist.npz", "digest", "test", True, DIGITS),
        "prepared.npz",
        "digest",
        0.1,
        None,
    ),
    *({}, {}, {}, [], [], 0, 0, "images.npz"),
)
SPECIFICATION = specified(epochs=2)


class Report:
    """Keeps what a training reports."""

    name = "dense seed 0"

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.epochs: list[int] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    warn = say

    def waits_for(self, what: str) -> None:
        if (line := f"waits for {what}") not in self.lines:
            self.lines.append(line)

    def goes_on(self) -> None: ...

    def begins(self, message: dict[str, Any]) -> None: ...

    def step(self, epoch: int, fraction: float) -> None: ...

    def epoch(self, message: dict[str, Any]) -> None:
        self.epochs.append(message["epoch"])


Script = Callable[[str], list[subprocess.Popen[str]]]


@pytest.fixture
def process_does(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """A function that sets what training processes do; it returns the list of those that were started."""
    started: list[subprocess.Popen[str]] = []

    def process_does(code: str) -> list[subprocess.Popen[str]]:
        say = "import json, os, sys, time\ndef say(**message): print(json.dumps(message), flush=True)\n"

        def start(folder: Path, data_path: str, refresh: bool) -> subprocess.Popen[str]:
            command, pipe = [sys.executable, "-c", say + code], subprocess.PIPE
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
            started.append(process)
            select.select(
                [process.stdout], [], []
            )  # it speaks or ends, so that no time limit counts its start
            return process

        monkeypatch.setattr(train_module, "start", start)
        return started

    monkeypatch.setattr(process_module, "SECONDS_TO_END", 1)
    process_module.stopping.clear()
    yield process_does
    process_module.stopping.clear()
    for process in started:
        assert process.returncode is not None  # it was waited for


def train(
    artifacts: Path, specification: Specification = SPECIFICATION, refresh: bool = False, **changed: Any
) -> tuple[Training, Report]:
    """Train what is specified; return the record and what was reported."""
    settings = {"timeout": None, "report": Report(), **changed}
    training = train_module.train_network(specification, PREPARED, artifacts, refresh, **settings)
    return training, settings["report"]


def test_trained(tmp_path: Path, process_does: Script) -> None:
    """A process that says "done" has trained; its epochs were reported, its folder holds the specification."""
    process_does(READY + "say(event='epoch', epoch=1); say(event='epoch', epoch=2); say(event='done')")
    record, report = train(tmp_path)
    assert record.origin == "trained"
    assert record.origin_reason == "first training of this network with this seed here"
    assert report.epochs == [1, 2]
    assert files.read_json(Path(record.folder) / "spec.json") == SPECIFICATION.to_json()


def test_resumed(tmp_path: Path, process_does: Script) -> None:
    """A process that found finished epochs has resumed."""
    process_does("say(event='ready', epochs_done=1, epochs=2); sys.stdin.readline(); say(event='done')")
    record, _ = train(tmp_path)
    assert record.origin == "resumed"
    assert "1 of 2 epochs were already done" in record.origin_reason


def keep(artifacts: Path, specification: Specification = SPECIFICATION, **record: Any) -> Path:
    """Write a finished training with one file into the folder of SPECIFICATION's; return the folder."""
    folder = SPECIFICATION.folder(artifacts)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.keras").write_text("sound")
    entries = {"spec": specification.to_json(), "resumed_after": [], **record}
    write_record(folder / "training.json", entries, [folder / "model.keras"])
    return folder


def test_reused(tmp_path: Path, process_does: Script) -> None:
    """A complete training is reused without starting a process; `refresh` starts one all the same."""
    started = process_does(READY + "say(event='done')")
    keep(tmp_path)
    assert train(tmp_path)[0].origin == "reused"
    assert started == []
    record, _ = train(tmp_path, refresh=True)
    assert (record.origin, record.origin_reason) == ("trained", "refresh was asked for")


@pytest.mark.parametrize(("resumed_after", "origin"), [([], "trained"), ([1], "resumed")])
def test_again_in_the_same_run(
    tmp_path: Path, process_does: Script, resumed_after: list[int], origin: str
) -> None:
    """What a run trained itself is not called reused, nor trained again for `refresh`, when Dask asks anew."""
    started = process_does(READY + "say(event='done')")
    assert train(tmp_path, refresh=True, run_id="run 1")[0].origin == "trained"
    keep(tmp_path, resumed_after=resumed_after)
    again, _ = train(tmp_path, refresh=True, run_id="run 1")
    assert (again.origin, len(started)) == (origin, 1)
    assert "by this run" in again.origin_reason
    assert [train(tmp_path, run_id="run 2")[0].origin for _ in range(2)] == ["reused"] * 2


def test_damaged(tmp_path: Path, process_does: Script) -> None:
    """A damaged training is not reused, and the reason names the file."""
    process_does(READY + "say(event='done')")
    folder = keep(tmp_path)
    (folder / "model.keras").write_text("Sound")
    record, _ = train(tmp_path)
    assert record.origin == "trained"
    assert "model.keras does not agree" in record.origin_reason


@pytest.mark.parametrize("damage", ["", "{", '{"model": "cnn"}', "\udcff"])
def test_damaged_specification(tmp_path: Path, process_does: Script, damage: str) -> None:
    """A damaged specification beside a sound training is set aside and made again; the training is reused."""
    started = process_does("")
    folder = keep(tmp_path)
    (folder / "spec.json").write_text(damage, errors="surrogateescape")
    record, report = train(tmp_path)
    assert (record.origin, started) == ("reused", [])
    assert "spec.json is damaged" in report.lines[0]
    assert files.read_json(folder / "spec.json") == SPECIFICATION.to_json()
    assert len(list((tmp_path / "damaged").iterdir())) == 1


def test_a_folder_of_another_training_is_not_reused(tmp_path: Path, process_does: Script) -> None:
    """A sound training that was copied to this one's folder is not taken for it."""
    process_does(READY + "say(event='done')")
    keep(tmp_path, replace(SPECIFICATION, seed=1))
    assert train(tmp_path)[0].origin == "trained"


def test_another_run_trains_it(tmp_path: Path, process_does: Script) -> None:
    """While another run trains the same, this one waits, however long, and reuses what that one made."""
    process_does("say(event='waiting'); time.sleep(1); say(event='complete')")
    record, report = train(tmp_path, timeout=0.5)
    assert (record.origin, record.origin_reason) == ("reused", "another run has just trained it")
    assert report.lines == ["waits for another run that is training this"]


def test_waits_for_its_turn(tmp_path: Path, process_does: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another run's training holds the machine's only slot, this one waits, and says for whom."""
    monkeypatch.setenv("MNIST_PIPELINE_PARALLEL", "1")
    process_does(READY + "say(event='done')")
    slot = take_slot(1, "cnn seed 3 of nightly")
    assert slot
    with ThreadPoolExecutor() as pool:
        branch = pool.submit(train, tmp_path, timeout=300)
        while not list(tmp_path.rglob("log.txt")):
            time.sleep(0.01)
        with pytest.raises(TimeoutError):
            branch.result(1)
        slot.close()
        record, report = branch.result(300)
    assert record.origin == "trained"
    assert "waits for its turn, after cnn seed 3 of nightly" in report.lines
    assert take_slot(1, "the next") is not None


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("os.kill(os.getpid(), 9)", "killed (signal 9); if nobody did, the machine ran out of memory"),
        (READY + "os.kill(os.getpid(), 11)", "ended by signal 11"),
        (READY + "sys.exit(3)", "ended with exit code 3"),
        ("say(event='error', message='No space left'); sys.exit(1)", "No space left"),
    ],
)
def test_failed(tmp_path: Path, process_does: Script, code: str, expected: str) -> None:
    """A process that ends without a result fails its branch with the reason and the path of the log."""
    process_does(code)
    with pytest.raises(TrainingFailedError) as caught:
        train(tmp_path)
    error = caught.value
    assert (error.model, error.seed) == ("dense", 0)
    assert expected in error.reason
    assert "log.txt" in error.reason
    assert str(error) == f"dense seed 0: {error.reason}"
    assert len(str(error).splitlines()) == 1


def test_a_failure_survives_the_way_from_a_dask_worker() -> None:
    """The error of a training can be pickled, with its network, seed and reason."""
    error = pickle.loads(pickle.dumps(TrainingFailedError("cnn", 3, "killed")))
    assert (error.model, error.seed, error.reason) == ("cnn", 3, "killed")


@pytest.mark.parametrize(
    "hangs",
    [
        "time.sleep(1000)",
        "import signal; signal.signal(15, signal.SIG_IGN); time.sleep(1000)",
        "os.kill(os.getpid(), 19)",  # SIGSTOP: it does not even hear SIGTERM
    ],
)
def test_timeout(tmp_path: Path, process_does: Script, hangs: str) -> None:
    """training_timeout ends a training that hangs, also one that ignores SIGTERM and one that is stopped."""
    started = process_does(READY + hangs)
    with pytest.raises(TrainingFailedError, match=r"training_timeout of 0\.5 s is over"):
        train(tmp_path, timeout=0.5)
    assert started[0].returncode is not None


def test_stopped(tmp_path: Path, process_does: Script) -> None:
    """A run that is stopped ends its training processes within a moment, and starts no new ones."""
    started = process_does(READY + "time.sleep(1000)")

    def run_until_interrupted() -> None:
        with process_module.trainings_end_with_this():
            while not process_module.processes:
                time.sleep(0.01)
            raise KeyboardInterrupt

    with ThreadPoolExecutor() as pool:
        branch = pool.submit(train, tmp_path)
        with pytest.raises(KeyboardInterrupt):
            run_until_interrupted()
        with pytest.raises(TrainingFailedError, match=process_module.STOPPED):
            branch.result(10)
    assert started[0].returncode is not None
    with pytest.raises(TrainingFailedError, match=process_module.STOPPED):
        train(tmp_path)
    assert len(started) == 1


def test_code_changed_during_the_run(tmp_path: Path, process_does: Script) -> None:
    """If the code is edited between the run's start and the training's, nothing is trained under the old key."""
    process_does(READY + "say(event='done')")
    older = replace(SPECIFICATION, code=SPECIFICATION.code | {"build_dense": "another"})
    with pytest.raises(TrainingFailedError, match="code was changed"):
        train(tmp_path, older)
