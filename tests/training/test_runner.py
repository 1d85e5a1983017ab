"""How many trainings run at once: the number of each run, not of the process."""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from uuid import UUID

import psutil
import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from prefect.runtime import task_run
from prefect.testing.utilities import prefect_test_harness

from tasks.training import runner
from tasks.training.progress import ProgressReport
from tasks.training.runner import TrainingRunner, slots_of_this_run, trainings_at_a_time


@pytest.mark.parametrize(
    ("cores", "threads", "gigabytes", "expected"),
    [(2, 2, 64, 1), (64, 4, 64, 16), (64, 4, 9, 4), (1, 1, 1, 1)],
)
def test_trainings_at_a_time(
    monkeypatch: pytest.MonkeyPatch, cores: int, threads: int, gigabytes: int, expected: int
) -> None:
    """One training for as many cores as it has threads and for each two gigabytes; one in any case."""
    monkeypatch.delenv("MNIST_PIPELINE_PARALLEL", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.setattr(runner, "THREADS", threads)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=gigabytes * 10**9))
    assert trainings_at_a_time() == expected


@pytest.mark.parametrize("chosen", ["two", "0", "-1", "1.5"])
def test_trainings_at_a_time_that_make_no_sense(
    chosen: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is no number from 1 on is not used, and a warning says so."""
    monkeypatch.delenv("MNIST_PIPELINE_PARALLEL", raising=False)
    expected = trainings_at_a_time()
    monkeypatch.setenv("MNIST_PIPELINE_PARALLEL", chosen)
    assert trainings_at_a_time() == expected
    assert "MNIST_PIPELINE_PARALLEL" in caplog.text


def test_asked_when_a_run_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment counts at the start of each run, not when the flow was defined; a number given stays."""
    of_the_flow = TrainingRunner()
    for number in (3, 5):
        monkeypatch.setenv("MNIST_PIPELINE_PARALLEL", str(number))
        assert of_the_flow.duplicate().at_a_time == number
    assert TrainingRunner(2).duplicate().at_a_time == 2


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    """A Prefect server for flows that run in this process."""
    with prefect_test_harness(server_startup_timeout=600):
        yield


@task
def slots_in_a_task() -> int:
    """How many slots a task of the run may use, asked in a thread of its own."""
    return slots_of_this_run()


@pytest.mark.usefixtures("server")
def test_two_runs_in_one_process() -> None:
    """Two runs at the same time each have their own number of slots; their tasks find that of their own run."""
    begun = threading.Barrier(2, timeout=600)

    @flow
    def run() -> int:
        begun.wait()
        return slots_in_a_task.submit().result()

    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(run.with_options(task_runner=TrainingRunner(number))) for number in (2, 3)]  # type: ignore[arg-type]
        assert [each.result() for each in runs] == [2, 3]


@pytest.mark.usefixtures("server")
def test_one_thread_more_than_trainings() -> None:
    """While so many trainings go on, one more process loads TensorFlow."""
    both_run = threading.Barrier(2, timeout=600)

    @task
    def branch() -> int:
        return both_run.wait()

    @flow(task_runner=TrainingRunner(1))  # type: ignore[arg-type]
    def run() -> list[int]:
        return [each.result() for each in [branch.submit() for _ in range(2)]]

    assert sorted(run()) == [0, 1]


def test_outside_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a Dask worker the machine's own number counts."""
    monkeypatch.setenv("MNIST_PIPELINE_PARALLEL", "7")
    assert slots_of_this_run() == 7


@task
def waiting_task() -> tuple[str, str]:
    """What the server calls this task's state while it waits, and after it has gone on."""
    report = ProgressReport("dense", 0, 1, logging.getLogger(__name__))
    report.waits_for("its turn, after cnn seed 3 of nightly")
    waiting = state_on_the_server("Waiting")
    report.goes_on()
    return waiting, state_on_the_server("Running")


def state_on_the_server(name: str) -> str:
    """The type and message of the state of that name that the server shows for this task, once it does."""
    with get_client(sync_client=True) as client:
        while True:
            with contextlib.suppress(ObjectNotFound):  # the server hears of tasks a moment later
                state = client.read_task_run(UUID(str(task_run.id))).state
                if state and state.name == name:
                    return f"{state.type.value}: {state.message or ''}"
            time.sleep(0.05)


@pytest.mark.usefixtures("server")
def test_a_waiting_task_is_not_shown_as_running() -> None:
    """The server shows a training that waits as Waiting, with the reason, and as Running when its turn comes."""

    @flow
    def run() -> tuple[str, str]:
        return waiting_task.submit().result()

    assert run() == ("PENDING: Waits for its turn, after cnn seed 3 of nightly.", "RUNNING: ")
