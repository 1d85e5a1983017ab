"""How many trainings run at once on this machine, and the task runner that holds a run to it."""

import logging
import os
import threading
from typing import Any, Self

import psutil
from prefect.context import FlowRunContext
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
    """Runs the branches of one flow run in threads: so many trainings at once, while one more loads TensorFlow."""

    def __init__(self, at_a_time: int | None = None) -> None:
        """Take the number of trainings at once; by default each run asks `trainings_at_a_time` when it starts."""
        super().__init__(max_workers=(at_a_time or 1) + 1)
        self.at_a_time = at_a_time

    def duplicate(self) -> "TrainingRunner":
        """Return the runner of one flow run: Prefect asks for it when the run starts."""
        return TrainingRunner(self.at_a_time or trainings_at_a_time())

    def __enter__(self) -> Self:
        self.slots = threading.BoundedSemaphore(self.at_a_time or 1)
        return super().__enter__()


def slots_of_this_run() -> threading.BoundedSemaphore:
    """Return what the trainings of this flow run share: each holds one slot while it trains.

    Elsewhere, as on a Dask worker, which does one training at a time, there is nothing to share.
    """
    context = FlowRunContext.get()
    runner = context.task_runner if context else None
    return runner.slots if isinstance(runner, TrainingRunner) else threading.BoundedSemaphore()
