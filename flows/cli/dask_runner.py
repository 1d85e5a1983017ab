"""Trainings on Dask workers, on this machine or on others: `--dask local`, `--dask tcp://host:port`.

Workers share the artifacts folder. A training whose worker dies is given to another one and goes on from its last
finished epoch, because what it has reached lies in that folder.
"""

import contextlib
import logging
import os
import secrets
import urllib.request
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tasks.comparison.provenance import PACKAGES
from tasks.errors import UserError, writing_to
from tasks.store.layout import Artifacts
from tasks.training import specification
from tasks.training.networks import MODELS
from tasks.training.process import stopping

CONNECT_SECONDS = 15


@contextlib.contextmanager
def dask_task_runner(address: str, workers: int, artifacts: Path, api_url: str) -> Iterator[Any]:
    """Yield a task runner for `address`, or for a cluster of this machine with that many workers ("local").

    Raises UserError if Dask is not installed, nobody answers, or a worker cannot train: see `check_worker`.
    """
    os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "error")  # its workers come and go at length
    try:
        from distributed import Client, LocalCluster
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError as error:
        raise UserError(
            f"--dask needs the package {error.name}. Install it: pip install -e '.[dask]'"
        ) from None
    with contextlib.ExitStack() as stack:
        if address == "local":
            # One thread per worker: a training has its own threads, and a worker one training at a time.
            cluster = LocalCluster(
                n_workers=workers, threads_per_worker=1, memory_limit=0, dashboard_address=None
            )  # type: ignore[no-untyped-call]
            address = stack.enter_context(cluster).scheduler_address
        try:
            client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]
        except (OSError, TimeoutError, ValueError) as error:
            raise UserError(
                f"No Dask scheduler answers at {address} ({error}). Expected tcp://host:port of a running "
                "`dask scheduler`, or --dask local."
            ) from None
        stack.enter_context(client)
        stack.enter_context(checked_workers(client, artifacts, api_url))
        # It would name the address of a dashboard, though there is none.
        logging.getLogger("prefect.task_runner.dask").setLevel(logging.WARNING)
        yield DaskTaskRunner(address=address)


@contextlib.contextmanager
def checked_workers(client: Any, artifacts: Path, api_url: str) -> Iterator[None]:
    """Raise UserError if there is no worker or one cannot train; check those that join while the block runs."""
    from distributed import WorkerPlugin

    code = code_and_versions()
    token = artifacts / f".shared-{secrets.token_hex(8)}"

    class TrainingWorker(WorkerPlugin):
        """On every worker: refuses one that cannot train, and ends a training that nobody waits for any more."""

        def setup(self, worker: Any) -> None:
            check_worker(worker.address, worker.state.nthreads, token, api_url, code)

        def transition(self, key: Any, start: str, finish: str, **details: Any) -> None:
            follow_transition(start, finish)

    if not client.scheduler_info(n_workers=-1)["workers"]:
        raise UserError(
            "The Dask scheduler has no workers. Start some on each machine: "
            f"dask worker {client.scheduler.address} --nthreads 1 --nworkers 1"
        )
    with writing_to(artifacts):
        Artifacts(artifacts).claim()
        token.touch()
    try:
        client.register_plugin(TrainingWorker(), name=token.name)
        yield
    except ImportError as error:
        raise UserError(
            f"A Dask worker lacks the package {error.name}. Install this project, in the same version, "
            "into the environment of every worker."
        ) from None
    finally:
        with contextlib.suppress(OSError, TimeoutError):  # the scheduler is gone
            client.unregister_worker_plugin(token.name)
        token.unlink(missing_ok=True)


def code_and_versions() -> dict[str, Any]:
    """Return what must be the same on every worker, because a training's key says that it was used."""
    return {
        "code": {
            part: digest
            for recipe in MODELS.values()
            for part, digest in specification.code_digests(recipe.build, recipe.averages_weights).items()
        },
        "versions": {name: version(name) for name in PACKAGES},
    }


def check_worker(address: str, threads: int, token: Path, api_url: str, code: dict[str, Any]) -> None:
    """Raise UserError if a worker, on which this runs, could not train or would train something else."""
    if threads != 1:
        raise UserError(
            f"The Dask worker {address} has {threads} threads, but a worker does one training at a time, "
            "which has threads of its own. Start it with --nthreads 1, and more of them with --nworkers."
        )
    if not token.is_file():
        raise UserError(
            f"The Dask worker {address} does not see {token.parent}. Mount it at the same path on every "
            "worker, or name a shared folder with --artifacts-dir."
        )
    if different := specification.differences(code_and_versions(), code):
        raise UserError(
            f"The Dask worker {address} does not have the same code and packages: {'; '.join(different)}. "
            "Install this version and requirements.lock there."
        )
    try:
        urllib.request.urlopen(f"{api_url}/health", timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise UserError(
            f"The Dask worker {address} does not reach the Prefect server at {api_url} ({error}). Start one with "
            "`prefect server start --host 0.0.0.0` and set PREFECT_API_URL to an address that workers reach."
        ) from None


def follow_transition(start: str, finish: str) -> None:
    """Stop the worker's training when Dask lets go of its task; let the next one begin.

    Dask itself does not end what a thread is doing, though nobody waits for it: its flow has ended or was killed.
    """
    if start == "executing" and finish == "released":
        stopping.set()
    elif finish == "executing":
        stopping.clear()
