"""The train-* tasks: start a training process, follow it, collect what it leaves.

A process, because TensorFlow's threads, precision and seeds belong to a process: branches in threads would be
neither independent nor repeatable, and a crash or an endless loop in one would take the others along.
"""

import contextlib
import time
from dataclasses import dataclass
from functools import partial
from io import FileIO
from pathlib import Path
from subprocess import Popen

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed

from tasks import files
from tasks.data.prepare import PreparedData
from tasks.results.enums import Origin
from tasks.store.layout import Artifacts
from tasks.store.sealed import DamagedError, read_record, set_aside
from tasks.training.networks import MODELS, Builder
from tasks.training.own_network import OWN_FILES, OwnNetwork
from tasks.training.process import (
    STOPPED,
    Deadline,
    TrainingFailedError,
    end,
    is_stopping,
    messages,
    processes,
    start,
    stopping,
    why_it_failed,
)
from tasks.training.progress import ProgressReport
from tasks.training.runner import slots_of_this_run
from tasks.training.slots import holders, take_slot
from tasks.training.specification import Specification, code_digests, why_not_reused


@dataclass(frozen=True)
class Training:
    """One network fitted with one seed: what its folder in the store holds, and where that came from."""

    model: str
    seed: int
    origin: Origin
    origin_reason: str  # why it was reused, resumed or trained anew, in words
    key: str  # digest of all that determines the result
    folder: str  # absolute path
    precision: str  # "float32" or "mixed_bfloat16"
    threads: int


def follow(
    folder: Path,
    specification: Specification,
    build: Builder,
    data_path: str,
    refresh: bool,
    timeout: float | None,
    report: ProgressReport,
) -> tuple[str, int]:
    """Run a training process to its end; return ("complete" or "done", epochs it found already done)."""
    failed = partial(TrainingFailedError, specification.model, specification.seed)
    if stopping.is_set():
        raise failed(STOPPED)
    process = start(folder, data_path, refresh)
    processes.add(process)
    deadline = Deadline(timeout)
    outcome, epochs_done, problem = "", 0, ""
    with contextlib.ExitStack() as stack:
        stack.callback(end, process)
        for message in messages(process, deadline):
            match message["event"]:
                case "waiting":
                    report.waits_for("another run that is training this")
                    deadline.suspend()
                case "ready":
                    if code_digests(build, specification.averages_weights) != specification.code:
                        raise failed("the code was changed while this run went on; run again")
                    epochs_done = message["epochs_done"]
                    report.begins(message)
                    deadline.suspend()
                    if slot := wait_for_slot(process, report):
                        stack.enter_context(slot)
                    report.goes_on()
                    deadline.restart()
                    assert process.stdin is not None
                    with contextlib.suppress(BrokenPipeError):  # it died; the loop will hear of it
                        process.stdin.write("go\n")
                        process.stdin.flush()
                case "step":
                    report.step(message["epoch"], message["fraction"])
                case "epoch":
                    report.epoch(message)
                case "warning":
                    report.warn(message["message"])
                case "error":
                    problem = message["message"]
                case "complete" | "done":
                    outcome = message["event"]
    if not outcome:
        raise failed(why_it_failed(process, deadline, problem, folder / "log.txt"))
    return outcome, epochs_done


def wait_for_slot(process: Popen[str], report: ProgressReport) -> FileIO | None:
    """Return the slot that this training holds until it is closed, None if the process or the run ends before."""
    at_a_time, holder = slots_of_this_run(), f"{report.name} of {flow_run.name or 'no run'}"
    while not (slot := take_slot(at_a_time, holder)):
        if stopping.is_set() or process.poll() is not None:
            return None
        report.waits_for(f"its turn, after {', '.join(holders(at_a_time)[:3])}")
        time.sleep(0.2)
    return slot


def has_begun(folder: Path, run_id: str | None) -> bool:
    """Return whether the flow run has begun this training before: its log says so."""
    log = folder / "log.txt"
    return run_id is not None and log.exists() and run_id in log.read_text("utf-8", errors="replace")


def keep_specification(
    folder: Path, specification: Specification, build: Builder, report: ProgressReport
) -> None:
    """Write what to train to the training's folder; say so if something else is there."""
    path = folder / "spec.json"
    with files.lock(folder, wait=False) as held:
        if not held:
            return  # the process that trains has written the same text
        if isinstance(build, OwnNetwork):
            build.keep(folder / OWN_FILES)
        if path.exists():
            with contextlib.suppress(ValueError, RecursionError):
                if files.read_json(path) == specification.to_json():
                    return
            kept = set_aside(path, Artifacts.of(folder).damaged)
            report.warn(f"{folder.name}/spec.json is damaged; it is kept as {kept}. It is made again.")
        files.write_json(path, specification.to_json())


def train_network(
    specification: Specification,
    prepared: PreparedData,
    artifacts: Path,
    refresh: bool,
    timeout: float | None,
    report: ProgressReport,
    run_id: str | None = None,
    own: OwnNetwork | None = None,
) -> Training:
    """Return the training that `specification` describes, from the store if it is there.

    `own` is the network's text if it is none of ours. `run_id` is that of the flow run. When a Dask worker dies,
    the run asks again for what the worker knew: a training that the run itself has begun is then gone on with,
    also after `refresh`, and not called reused.
    """
    folder = specification.folder(artifacts)
    begun_by_this_run = has_begun(folder, run_id)
    refresh = refresh and not begun_by_this_run

    build = own or MODELS[specification.model].build
    keep_specification(folder, specification, build, report)

    def result(origin: Origin, reason: str) -> Training:
        return Training(
            specification.model,
            specification.seed,
            origin,
            reason,
            specification.key,
            str(folder),
            specification.precision,
            specification.threads,
        )

    try:
        if refresh:
            reason = "refresh was asked for"
        elif record := read_record(folder / "training.json", spec=specification.to_json()):
            if begun_by_this_run:
                origin = Origin.RESUMED if record["resumed_after"] else Origin.TRAINED
                return result(origin, "by this run, at an earlier attempt")
            return result(Origin.REUSED, "same data, network, settings, code and versions")
        else:
            reason = why_not_reused(artifacts, specification)
    except DamagedError as error:  # the training process sets the file aside
        reason = f"the kept training is damaged: {error}"
    with (folder / "log.txt").open("a", encoding="utf-8") as log:
        log.write(f"Flow run {run_id}.\n")
    outcome, epochs_done = follow(folder, specification, build, prepared.path, refresh, timeout, report)
    if outcome == "complete":
        return result(Origin.REUSED, "another run has just trained it")
    if epochs_done:
        done = f"{epochs_done} of {specification.epochs} epochs were already done"
        return result(Origin.RESUMED, f"{done}; {reason}")
    return result(Origin.TRAINED, reason)


@task(
    name="train",
    task_run_name="train-{specification.model}-seed-{specification.seed}",
    cache_policy=NO_CACHE,
    persist_result=False,
)
def train(
    specification: Specification,
    prepared: PreparedData,
    artifacts_dir: str,
    refresh: bool = False,
    training_timeout: float | None = None,
    own: OwnNetwork | None = None,
    progress_folder: str | None = None,
) -> Training | State[Training]:
    """Train one network with one seed, or reuse the training if nothing that matters has changed.

    How far it is stands in `progress_folder`, if there is one: this may run on another machine than the flow.
    """
    model, seed = specification.model, specification.seed
    record = Path(progress_folder) / f"{model}-{seed}.json" if progress_folder else None
    report = ProgressReport(model, seed, specification.epochs, get_run_logger(), record)
    try:
        with report:
            training = train_network(
                specification,
                prepared,
                Path(artifacts_dir),
                refresh,
                training_timeout,
                report,
                flow_run.id,
                own,
            )
    except TrainingFailedError as error:
        if not is_stopping():
            raise
        return Cancelled(message=str(error))  # the run was stopped: no fault of this training
    report.say(f"{training.origin}: {training.origin_reason}")
    if training.origin is Origin.REUSED:
        return Completed(name="Cached", message=training.origin_reason, data=training)
    return training
