"""Many runs submitted at once: do all of them end well, and what does the server's log say?

    python benchmarks/load.py [--runs 20] [--set PREFECT_SERVER_...=VALUE ...] [--logs FOLDER]

A server on SQLite and a worker that has two runs at once, as in the tests (tests/prefect_server.py). Each seed is
asked for twice, so half of the runs train and half may reuse. Ends with code 1 unless all runs are Completed.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests")]

from prefect_server import FINAL, operated, until  # noqa: E402


def main() -> int:
    """Submit the runs, wait for their ends, and print what became of them; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--set", metavar="NAME=VALUE", nargs="*", default=[], help="settings of the server")
    parser.add_argument("--dataset", type=Path, default=ROOT / "artifacts" / "data" / "mnist.npz")
    parser.add_argument("--logs", type=Path, help="keep the logs of server and worker in this folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mnist-pipeline-load-") as temporary:
        folder = options.logs or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with operated(
            folder, options.dataset, **dict(text.split("=", 1) for text in options.set)
        ) as operation:
            began = time.monotonic()
            runs = [operation.started("tutorial", seeds=[n // 2])["id"] for n in range(options.runs)]
            body = {"flow_runs": {"id": {"any_": runs}}}

            def states() -> Counter[str] | None:
                found = [run["state_type"] for run in operation.ask("POST", "/flow_runs/filter", body)]
                return Counter(found) if all(state in FINAL for state in found) else None

            ends = until(states, operation.log, deadline=3600)
            seconds = time.monotonic() - began
        log = operation.log.read_text() + (folder / "worker.log").read_text()
    print(f"{dict(ends)} in {seconds:.0f} s")
    print(f"errors logged: {log.count('| ERROR ')}, database is locked: {log.count('database is locked')}")
    return 0 if ends == {"COMPLETED": options.runs} else 1


if __name__ == "__main__":
    sys.exit(main())
