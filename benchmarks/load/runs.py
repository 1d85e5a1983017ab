"""Many runs submitted at once: do all of them end well, and what does the server's log say?

    python -m benchmarks.load.runs [--runs 20] [--set PREFECT_SERVER_...=VALUE ...] [--logs FOLDER]

A server on SQLite and a worker that has two runs at once, as in the tests (tests/prefect_server.py). Each seed is
asked for twice, so half of the runs train and half may reuse. Ends with code 1 unless all runs are Completed.
"""

import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from benchmarks import common
from tests.prefect_server import FINAL, operated, until


def main(
    *,
    runs: int = 20,
    settings: Annotated[list[str] | None, Parameter("--set")] = None,
    logs: Path | None = None,
) -> int:
    """Submit the runs, wait for their ends, and print what became of them; return the exit code.

    Args:
        settings: of the server, NAME=VALUE.
        logs: keep the logs of server and worker in this folder.
    """
    with tempfile.TemporaryDirectory(prefix="mnist-pipeline-load-") as temporary:
        folder = logs or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        environment = dict(text.split("=", 1) for text in settings or [])
        with operated(folder, common.mnist(), **environment) as operation:
            began = time.monotonic()
            started = [operation.started("tutorial", seeds=[number // 2])["id"] for number in range(runs)]
            body = {"flow_runs": {"id": {"any_": started}}}

            def ends() -> Counter[str] | None:
                found = Counter(run["state_type"] for run in operation.ask("POST", "/flow_runs/filter", body))
                return found if all(state in FINAL for state in found) else None

            ended = until(ends, operation.log, deadline=3600)
            seconds = time.monotonic() - began
        log = operation.log.read_text() + (folder / "worker.log").read_text()
    print(f"{dict(ended)} in {seconds:.0f} s")
    print(f"errors logged: {log.count('| ERROR ')}, database is locked: {log.count('database is locked')}")
    return 0 if ended == {"COMPLETED": runs} else 1


if __name__ == "__main__":
    common.run(main)
