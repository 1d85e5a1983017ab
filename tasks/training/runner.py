"""How many trainings a run asks for at once, and the task runner that has a thread for each."""

import logging
import os
from collections.abc import Callable, Iterable
from typing import Any

import psutil
from prefect.context import FlowRunContext
from prefect.futures import PrefectWrappedFuture
from prefect.task_runners import ThreadPoolTaskRunner

LOGGER = logging.getLogger(__name__)
BYTES_PER_TRAINING = 2_000_000_000
THREADS = min(4, os.cpu_count() or 1)  # part of a training's key, so it depends on the machine alone


def trainings_at_a_time() -> int:
    """Return how many trainings run at once: MNIST_PIPELINE_PARALLEL, or what cores and memory allow.

    Two trainings with one thread each are no faster on two cores than one after the other with two threads.
    """
    if chosen := os.environ.get("MNIST_PIPELINE_PARALLEL"):
        if chosen.isdecimal() and int(chosen):
            return int(chosen)
        LOGGER.warning("MNIST_PIPELINE_PARALLEL is %r, not a whole number from 1 on; it is not used.", chosen)
    by_memory = psutil.virtual_memory().total // BYTES_PER_TRAINING
    return max(1, min((os.cpu_count() or 1) // THREADS, by_memory))


class TrainingRunner(ThreadPoolTaskRunner[Any]):
    """Runs the branches of one flow run in threads: so many trainings, while one more loads TensorFlow.

    Each training is submitted with its evaluation, which holds a thread while it waits: two threads each.
    """

    def __init__(self, at_a_time: int | None = None) -> None:
        """Take the number of trainings at once; by default each run asks `trainings_at_a_time` when it starts."""
        super().__init__(max_workers=2 * ((at_a_time or 1) + 1))
        self.at_a_time = at_a_time

    def duplicate(self) -> "TrainingRunner":
        """Return the runner of one flow run: Prefect asks for it when the run starts."""
        return TrainingRunner(self.at_a_time or trainings_at_a_time())


def slots_of_this_run() -> int:
    """Return how many of the machine's slots this flow run may use (see `tasks.training.slots`).

    On a Dask worker it is what that machine allows.
    """
    context = FlowRunContext.get()
    runner = context.task_runner if context else None
    chosen = runner.at_a_time if isinstance(runner, TrainingRunner) else None
    return chosen or trainings_at_a_time()


def wait_until(happened: Callable[[], bool], future: PrefectWrappedFuture[Any, Any]) -> None:
    """Return when that has happened, or when the task has ended without it; suspended, as below."""
    while not (happened() or future.wrapped_future.done()):
        future.wait(timeout=0.2)


def wait_for_all(futures: Iterable[PrefectWrappedFuture[Any, Any]], meanwhile: Callable[[], None]) -> None:
    """Return when all tasks have ended, doing something each second meanwhile.

    Leaves with Prefect's `Pause` soon after the run was suspended.

    Prefect's own `wait` notices a suspension only when a task ends, which may be a training's length later.
    """
    for future in futures:
        while not future.wrapped_future.done():
            future.wait(timeout=1.0)
            meanwhile()
        future.wait()
