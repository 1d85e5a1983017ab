"""A nightly worker through many nights on which something happens: does each end as it should?

    python -m benchmarks.endurance.nights [--nights 200] [--minutes 600] [--seed 0]

A real server, a real worker and the deployment `nightly`, with the dense network on little data. On a night one
of these is killed (SIGKILL) at a random moment: the training process, the run, the worker, worker and run, the
server; or the disk fills up; or nothing happens. Then what was killed starts again, and the disk gets space. The
disk is a tmpfs, so this needs root. Each night's end is held against what may follow from its event; at the end
nothing may be left, and all trainings are to have the bits of a run that nobody disturbed. Prints each night and
puts its figures into nights.json under its seed; ends after so many minutes, however many nights that were.
Several seeds may run at once: each has its own server, worker and disk; they share the machine's slots.
"""

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
from prefect.settings import PREFECT_API_URL, temporary_settings

from benchmarks import common
from benchmarks.endurance.stage import digits, out_of_order, put_strangers
from flows.cli.automations import mark_lost_runs, put
from tasks.errors import UserError
from tasks.files import lock, read_json, write_json
from tasks.results.file import read_results
from tasks.store.ownership import mark
from tests.pipeline_runs import bits_of_training, finished, temporary_files
from tests.prefect_server import FINAL, POOL, PREFECT, Server, server, serving, until

RESULTS = Path(__file__).with_name("nights.json")
SEEDS = 12  # each comes again, so that a night finds what an earlier one left
EPOCHS = 6
SILENCE = timedelta(seconds=75)  # after which a run is marked Crashed; heartbeats come every 30 s
LONGEST_NIGHT = 600  # seconds
DISK = "800m"
SETTINGS = {"PREFECT_WORKER_QUERY_SECONDS": "2", "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}
# The states in which the run of a night may end, and what it then says (a pattern); an event may also come too
# late, or so early that the run's process has not begun.
MAY_FOLLOW = {
    "nothing": {"COMPLETED": ""},
    "training killed": {"COMPLETED": "", "FAILED": "signal 9"},
    "run killed": {"COMPLETED": "", "CRASHED": "exited with status code: -9"},
    "worker killed": {
        "COMPLETED": "",
        "CRASHED": "aborted by Python system exit call|Nothing was heard of this run",
    },
    "worker and run killed": {"COMPLETED": "", "CRASHED": "Nothing was heard of this run"},
    "server killed": {
        "COMPLETED": "",
        # As the worker submitted the run, or as its process began; between the two its slot may be gone.
        "CRASHED": "Failed to submit flow run|exited with non-zero status code 1",
        "CANCELLED": "slot lost during provisioning",
    },
    "disk full": {"COMPLETED": "", "FAILED": "No space left on device"},
}
Night = dict[str, Any]


@dataclass
class Machine:
    """What the nights pass on: a server, a worker, and a disk for the artifacts."""

    folder: Path
    stack: contextlib.ExitStack
    server: Server
    worker: subprocess.Popen[bytes]
    dataset: Path

    @property
    def artifacts(self) -> Path:
        return self.folder / "disk" / "artifacts"

    def processes(self, run: str, program: str) -> list[psutil.Process]:
        """Return the processes of a flow run whose command line names the program."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("PREFECT__FLOW_RUN_ID") == run and program in process.cmdline():
                    found.append(process)
        return found

    def look(self, run: str) -> dict[str, Any]:
        """Return the state of a flow run."""
        return dict(self.server.ask("GET", f"/flow_runs/{run}")["state"])

    def restart_server(self, pause: float) -> None:
        """Kill the server; start it again a while later."""
        os.killpg(self.server.process.pid, signal.SIGKILL)
        self.server.process.wait()
        time.sleep(pause)
        self.server = self.stack.enter_context(
            serving(self.server.environment, self.server.url, self.server.log)
        )


def worker_of(made: Server, log: Path) -> subprocess.Popen[bytes]:
    """Start a worker that takes two runs at a time."""
    with log.open("ab") as file:
        return subprocess.Popen(
            [PREFECT, "worker", "start", "--pool", POOL, "--limit", "2"],
            cwd=common.PROJECT,
            env=made.environment,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


def end(process: subprocess.Popen[bytes]) -> None:
    """End a worker."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(20)
    process.kill()
    process.wait()


@contextlib.contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """A machine with the deployments of prefect.yaml and the automation that marks lost runs."""
    with contextlib.ExitStack() as stack:
        (folder / "disk").mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder / "disk")]
        if os.geteuid() or subprocess.run(mount).returncode:
            raise UserError("The disk that fills up is a tmpfs, which only root may mount.")
        stack.callback(subprocess.run, ["umount", str(folder / "disk")], check=True)
        made = stack.enter_context(server(folder, **SETTINGS))
        made.prefect("work-pool", "create", POOL, "--type", "process")
        made.prefect("deploy", "--all", "--no-prompt")
        with temporary_settings({PREFECT_API_URL: made.api_url}):
            put(mark_lost_runs(SILENCE))
        (folder / "disk" / "artifacts").mkdir()
        mark(folder / "disk" / "artifacts")
        put_strangers(folder / "disk" / "artifacts")
        here = Machine(
            folder, stack, made, worker_of(made, folder / "worker.log"), digits(folder / "few.npz")
        )
        stack.callback(lambda: end(here.worker))
        yield here


def submit(here: Machine, **parameters: Any) -> str:
    """Ask for a run of `nightly`; return its id. The gates' floors are for MNIST, so there are none here."""
    deployment = here.server.ask("GET", "/deployments/name/mnist-pipeline/nightly")["id"]
    usual = {"models": ["dense"], "epochs": EPOCHS, "dataset": str(here.dataset), "min_test_accuracy": None}
    body = {"parameters": usual | {"artifacts_dir": str(here.artifacts)} | parameters}
    return str(here.server.ask("POST", f"/deployments/{deployment}/create_flow_run", body)["id"])


def has_ended(here: Machine, run: str) -> bool:
    """Return whether a flow run is in a final state."""
    return here.look(run)["type"] in FINAL


def disturb(here: Machine, run: str, event: str, chance: random.Random) -> None:
    """Let the event happen at a random moment of the run, and start again what it ended."""
    if event == "nothing":
        return
    program = "tasks.training.fit" if event == "training killed" else "prefect.engine"
    if event not in ("worker killed", "server killed"):  # these may also hit before the run has begun
        until(lambda: here.processes(run, program) or has_ended(here, run), here.server.log)
    time.sleep(chance.uniform(0, 4 if event == "training killed" else 20))
    if event in ("worker killed", "worker and run killed"):
        here.worker.kill()
        here.worker.wait()
    if event == "server killed":
        here.restart_server(chance.uniform(0, 20))
    if event == "disk full":
        with (here.folder / "disk" / "ballast").open("wb") as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(bytes(2**20))
    if event in ("training killed", "run killed", "worker and run killed"):
        for process in here.processes(run, program):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    if here.worker.poll() is not None:
        time.sleep(chance.uniform(0, 5))
        here.worker = worker_of(here.server, here.folder / "worker.log")


def night(here: Machine, number: int, event: str, chance: random.Random) -> Night:
    """Let a night pass; return what was seen, and what was wrong about it."""
    seeds, refresh, begun = [number % SEEDS], chance.random() < 0.7, time.monotonic()
    run = submit(here, seeds=seeds, refresh=refresh)
    disturb(here, run, event, chance)
    try:
        until(lambda: has_ended(here, run), here.server.log, LONGEST_NIGHT)
    except TimeoutError:
        here.server.prefect("flow-run", "cancel", run)
    state = here.look(run)
    (here.folder / "disk" / "ballast").unlink(missing_ok=True)
    said = MAY_FOLLOW[event].get(state["type"])
    allowed = said is not None and re.search(said, state["message"])
    wrong = [] if allowed else [f"{state['name']}: {state['message']}"]
    if state["type"] == "COMPLETED":
        try:
            read_results(Path(state["message"]).parent)
        except UserError as error:
            wrong.append(str(error))
    wrong += out_of_order(here.artifacts)
    seen = {"night": number, "event": event, "refresh": refresh, "state": state["type"]}
    return seen | {"seconds": round(time.monotonic() - begun), "wrong": wrong}


def last_night(here: Machine, nights: int) -> list[str]:
    """Run once more, undisturbed, with all seeds that came; return what is left that should not be, or is lost."""
    seeds = list(range(min(nights, SEEDS)))
    run = submit(here, seeds=seeds)
    until(lambda: has_ended(here, run), here.server.log)
    wrong = [] if here.look(run)["type"] == "COMPLETED" else [f"the last night: {here.look(run)['message']}"]
    flags = ("--models", "dense", "--epochs", str(EPOCHS), "--dataset", str(here.dataset))
    (here.folder / "undisturbed").mkdir()
    undisturbed = finished(here.folder / "undisturbed", (*flags, "--seeds", *map(str, seeds)))
    expected = {each.name: bits_of_training(each) for each in undisturbed.glob("trainings/*/")}
    for name, bits in expected.items():
        if bits_of_training(here.artifacts / "trainings" / name) != bits:
            wrong.append(f"other bits: {name}")
    wrong += [f"temporary: {name}" for name in temporary_files(here.artifacts)]
    return wrong + out_of_order(here.artifacts)


def main(*, nights: int = 200, minutes: float = 600, seed: int = 0) -> int:
    """Let the nights pass; return the exit code, 1 if anything is wrong."""
    chance, begun = random.Random(seed), time.monotonic()
    seen: list[Night] = []
    with (
        tempfile.TemporaryDirectory(prefix="mnist-pipeline-nights-") as folder,
        machine(Path(folder)) as here,
    ):
        while len(seen) < nights and time.monotonic() - begun < 60 * minutes:
            seen.append(night(here, len(seen), chance.choice(list(MAY_FOLLOW)), chance))
            print(json.dumps(seen[-1]), flush=True)
        at_the_end = last_night(here, len(seen))
        completed = len(list(here.artifacts.glob("runs/*/results.json")))
        damaged = len(list(here.artifacts.glob("damaged/*")))
    ends: dict[str, Counter[str]] = {event: Counter() for event in MAY_FOLLOW}
    for each in seen:
        ends[each["event"]][each["state"]] += 1
    counts = {"nights": len(seen), "ends": ends, "runs with results": completed, "damaged files": damaged}
    counts |= {"wrong": [each for each in seen if each["wrong"]], "wrong at the end": at_the_end}
    counts |= {"hours": round((time.monotonic() - begun) / 3600, 2), **common.circumstances()}
    print(json.dumps(counts, indent=1))
    with lock(RESULTS.parent):
        kept = read_json(RESULTS) if RESULTS.exists() else {}
        write_json(RESULTS, {**kept, f"seed {seed}": counts})
    return 1 if counts["wrong"] or at_the_end else 0


if __name__ == "__main__":
    common.run(main)
