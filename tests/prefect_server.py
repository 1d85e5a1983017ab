"""A real Prefect server and worker for tests; a plugin, so that all test modules that name it share one pair.

Everything happens through the documented commands and the server's API; nothing here imports Prefect.
PYTEST_DONT_REWRITE: test modules import this before they name it as a plugin.
"""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from flows.cli.temporary_server import free_port
from tasks.store.layout import PROJECT

PREFECT = str(Path(sys.executable).with_name("prefect"))
POOL = "mnist-process"
DEADLINE = 900  # seconds; generous, because nothing here is about speed
FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
QUICK = {"models": ["dense"], "train_samples": 500, "epochs": 1}


@dataclass(frozen=True)
class Server:
    """A running server and what a client needs."""

    environment: dict[str, str]
    url: str
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def api_url(self) -> str:
        return f"{self.url}/api"

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command from the repository and wait for its end."""
        return subprocess.run(
            command, cwd=PROJECT, env=self.environment, capture_output=True, text=True, timeout=DEADLINE
        )

    def prefect(self, *words: str) -> str:
        """Run a Prefect command that has to succeed; return what it printed."""
        done = self.run(PREFECT, *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the API's answer to a request, None for an empty one.

        503 means that the database was locked for longer than the server waits; Prefect's client asks again, too.
        """
        for _ in range(10):
            answer = httpx.request(method, self.api_url + path, json=body, timeout=60)
            if answer.status_code != 503:
                break
            time.sleep(2)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def artifact(self, key: str) -> dict[str, Any]:
        """Return the newest artifact with this key."""
        return dict(self.ask("GET", f"/artifacts/{key}/latest"))

    def task_runs(self, flow_run: dict[str, Any]) -> dict[str, str]:
        """Return the names of a flow run's task runs and of their states."""
        body = {"flow_runs": {"id": {"any_": [flow_run["id"]]}}}
        return {task["name"]: task["state_name"] for task in self.ask("POST", "/task_runs/filter", body)}


@dataclass(frozen=True)
class Operation(Server):
    """A server with a worker and the deployments of prefect.yaml."""

    artifacts: Path

    def deployment(self, name: str) -> dict[str, Any]:
        """Return a deployment of the flow."""
        return dict(self.ask("GET", f"/deployments/name/mnist-pipeline/{name}"))

    def started(self, deployment: str, **parameters: Any) -> dict[str, Any]:
        """Create a small run of a deployment; return it at once."""
        path = f"/deployments/{self.deployment(deployment)['id']}/create_flow_run"
        return dict(self.ask("POST", path, {"parameters": self.quick() | parameters}))

    def finished(self, deployment: str, **parameters: Any) -> dict[str, Any]:
        """Create a small run of a deployment; return it when it has ended."""
        run = self.started(deployment, **parameters)
        return self.ended(lambda: self.ask("GET", f"/flow_runs/{run['id']}"))

    def ended(self, look: Callable[[], dict[str, Any] | None]) -> dict[str, Any]:
        """Return the flow run that `look` sees when it is in a final state."""
        run = until(lambda: (found := look()) and found["state_type"] in FINAL and found, self.log)
        assert isinstance(run, dict)
        return run

    def trainings(self, prefix: str) -> list[psutil.Process]:
        """Return the training processes of this operation whose folder begins like this."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if "tasks.training.fit" in words:
                folder = Path(words[words.index("tasks.training.fit") + 1])
                if folder.is_relative_to(self.artifacts) and folder.name.startswith(prefix):
                    found.append(process)
        return found

    def quick(self) -> dict[str, Any]:
        """Return the parameters of a small run in this operation's artifacts folder."""
        return QUICK | {"artifacts_dir": str(self.artifacts)}


def until(look: Callable[[], Any], log: Path, deadline: float = DEADLINE) -> Any:
    """Return what `look` returns once it is true; show the log if that takes too long."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        if seen := look():
            return seen
        time.sleep(0.5)
    raise TimeoutError(log.read_text())


@contextlib.contextmanager
def running(
    command: list[str], environment: dict[str, str], log: Path, folder: Path = PROJECT
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in a session of its own, from a folder, while the block runs."""
    with log.open("ab") as file:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=file, stderr=file, start_new_session=True
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)  # with a server that does not answer, a worker may take a minute
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextlib.contextmanager
def server(folder: Path, **settings: str) -> Iterator[Server]:
    """A server with a database of its own while the block runs; `settings` go into its environment."""
    url = f"http://127.0.0.1:{free_port()}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment = {
        **kept,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}",
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_SERVER_UI_API_URL": f"{url}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "DO_NOT_TRACK": "1",
        "MNIST_PIPELINE_ROOTS": str(folder.parent),  # the folder of all tests
        **settings,
    }
    with serving(environment, url, folder / "server.log") as made:
        yield made


@contextlib.contextmanager
def database(folder: Path) -> Iterator[sqlite3.Connection]:
    """The SQLite database of the `server` in this folder; what the block does is written at its end."""
    connection = sqlite3.connect(folder / "prefect" / "prefect.db", timeout=60)
    with contextlib.closing(connection), connection:
        yield connection


def make_older(folder: Path, days: float, since: float = 0, before: float = 4e9) -> None:
    """Make the runs that ended and the events of the `server` in this folder, of a time, so many days older."""
    earlier = "UPDATE {0} SET {1} = strftime('%Y-%m-%d %H:%M:%f000', {1}, ?) WHERE {1} >= ? AND {1} < ?"
    within = [datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S.%f") for time in (since, before)]
    with database(folder) as connection:
        for table, column in (
            ("flow_run", "end_time"),
            ("events", "occurred"),
            ("event_resources", "occurred"),
        ):
            connection.execute(earlier.format(table, column), [f"-{days} days", *within])


@contextlib.contextmanager
def serving(environment: dict[str, str], url: str, log: Path) -> Iterator[Server]:
    """A server with this environment and address while the block runs."""
    command = [PREFECT, "server", "start", "--host", "127.0.0.1", "--port", url.rsplit(":", 1)[1]]
    with running(command, environment, log) as process:

        def healthy() -> bool:
            assert process.poll() is None, log.read_text()
            with contextlib.suppress(httpx.HTTPError):
                return httpx.get(f"{url}/api/health", timeout=5).status_code == 200
            return False

        until(healthy, log)
        yield Server(environment, url, log, process)


@contextlib.contextmanager
def operated(folder: Path, mnist: Path, **settings: str) -> Iterator[Operation]:
    """A server, the pool, all deployments of prefect.yaml and a worker, by the documented commands."""
    artifacts = folder / "artifacts"
    (artifacts / "data").mkdir(parents=True)
    shutil.copyfile(mnist, artifacts / "data" / "mnist.npz")
    with server(folder, **settings) as made:
        made.prefect("work-pool", "create", POOL, "--type", "process")
        made.prefect("deploy", "--all", "--no-prompt")
        made.prefect(
            "--no-prompt", "deployment", "schedule", "pause", "--all"
        )  # no test runs at 4:00 what is due then
        worker = [PREFECT, "worker", "start", "--pool", POOL, "--limit", "2"]
        with running(worker, made.environment, folder / "worker.log"):
            yield Operation(made.environment, made.url, made.log, made.process, artifacts)


@pytest.fixture(scope="session")
def operation(tmp_path_factory: pytest.TempPathFactory, mnist: Path) -> Iterator[Operation]:
    """One server and worker for all tests of the session."""
    with operated(tmp_path_factory.mktemp("operation"), mnist) as made:
        yield made


@pytest.fixture(scope="session")
def completed(operation: Operation) -> dict[str, Any]:
    """A run with two branches that ended Completed."""
    run = operation.finished("tutorial", seeds=[0, 1])
    assert run["state_type"] == "COMPLETED", run["state"]
    return run
