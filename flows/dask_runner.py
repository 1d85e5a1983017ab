"""Trainings on Dask workers, on this machine or on others: `--dask local`, `--dask tcp://host:port`.

Workers share the artifacts folder. A training whose worker dies is given to another one and goes on from its last
finished epoch, because what it has reached lies in that folder.
"""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks.files import UserError

CONNECT_SECONDS = 15


def dask_task_runner(address: str, workers: int, artifacts: Path) -> Any:
    """Return a task runner for `address`, or for a cluster of this machine with that many workers ("local").

    Raises UserError if Dask is not installed, nobody answers, or the workers do not see the artifacts folder.
    """
    os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "error")  # its workers come and go at length
    try:
        from distributed import LocalCluster
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError as error:
        raise UserError(
            f"--dask needs the package {error.name}. Install it: pip install -e '.[dask]'"
        ) from None
    if address == "local":
        # One thread per worker: a training has its own threads, and a worker one training at a time.
        return DaskTaskRunner(
            cluster_class=LocalCluster,
            cluster_kwargs={"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None},
        )
    check_workers(address, artifacts)
    return DaskTaskRunner(address=address)


def check_workers(address: str, artifacts: Path) -> None:
    """Raise UserError unless the cluster answers, has workers, and each of them sees the artifacts folder."""
    from distributed import Client

    artifacts.mkdir(parents=True, exist_ok=True)
    token = artifacts / f".shared-{secrets.token_hex(8)}"
    token.touch()
    try:
        with Client(address, timeout=CONNECT_SECONDS, set_as_default=False) as client:  # type: ignore[no-untyped-call]
            seen: dict[str, bool] = client.run(sees(str(token)))
    except (OSError, TimeoutError, ValueError) as error:
        raise UserError(
            f"No Dask scheduler answers at {address} ({error}). Expected tcp://host:port of a running "
            "`dask scheduler`, or --dask local."
        ) from None
    finally:
        token.unlink()
    if not seen:
        raise UserError(f"The Dask scheduler at {address} has no workers. Start some: dask worker {address}")
    if blind := sorted(worker for worker, sees_it in seen.items() if not sees_it):
        raise UserError(
            f"These Dask workers do not see {artifacts}: {', '.join(blind)}. "
            "Mount it at the same path on every worker, or name a shared folder with --artifacts-dir."
        )


def sees(path: str) -> Callable[[], bool]:
    """Return a function that tells, where it runs, whether the file is there."""

    def is_file() -> bool:
        import os

        return os.path.isfile(path)

    return is_file
