"""How many trainings run at once: the number of each run, not of the process."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import psutil
import pytest
from prefect import flow, task
from prefect.testing.utilities import prefect_test_harness

from tasks.training import runner
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


def free_slots(slots: threading.BoundedSemaphore) -> int:
    """How many more trainings may begin."""
    taken = 0
    while slots.acquire(blocking=False):
        taken += 1
    for _ in range(taken):
        slots.release()
    return taken


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    """A Prefect server for flows that run in this process."""
    with prefect_test_harness():
        yield


@task
def slots_in_a_task() -> int:
    """How many slots a task of the run finds, in a thread of its own."""
    return free_slots(slots_of_this_run())


@pytest.mark.usefixtures("server")
def test_two_runs_in_one_process() -> None:
    """Two runs at the same time each have their own number of slots; their tasks find those of their own run."""
    begun = threading.Barrier(2, timeout=60)

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
    both_run = threading.Barrier(2, timeout=60)

    @task
    def branch() -> int:
        return both_run.wait()

    @flow(task_runner=TrainingRunner(1))  # type: ignore[arg-type]
    def run() -> list[int]:
        return [each.result() for each in [branch.submit() for _ in range(2)]]

    assert sorted(run()) == [0, 1]


def test_outside_of_a_run() -> None:
    """On a Dask worker, which does one training at a time, each finds a free slot."""
    assert free_slots(slots_of_this_run()) == 1
