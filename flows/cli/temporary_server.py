"""Prefect's temporary server, started by the script itself.

Prefect starts one on its own when none is configured. That one ends with Ctrl-C before the flow can report its
last state, stays behind when the flow is killed, and Dask workers would each start another. This one does not:
it is in a session of its own, and a shell that waits for the end of this process ends it, however that comes.
"""

import atexit
import contextlib
import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import TextIO

from prefect.settings import PREFECT_HOME

from tasks.errors import PlainError
from tasks.store.layout import PROJECT

STARTUP_SECONDS = 120
# Ends the server when standard input ends, that is with this process, and ends itself when the server does.
LEASH = (
    "exec 3<&0; {server} 3<&- & server=$!; (read -r _ <&3; kill $server) & wait $server; kill $! 2>/dev/null"
)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ServerFailedError(PlainError):
    """The temporary server ended or did not answer; the message says why."""


@contextlib.contextmanager
def temporary_server() -> Iterator[str]:
    """Start a server on the database of $PREFECT_HOME, and yield its API address once it answers.

    It ends with this process. Raises ServerFailedError. What the server logs stays off the terminal.
    """
    port = free_port()
    server = [sys.executable, "-m", "uvicorn", "--factory", "prefect.server.api.server:create_app"]
    server += ["--host", "127.0.0.1", "--port", str(port), "--log-level", "error", "--app-dir", str(PROJECT)]
    environment = {
        **os.environ,
        "PYTHONSAFEPATH": "1",  # no module from the folder where a person stands
        "PREFECT_UI_ENABLED": "0",
        "PREFECT__SERVER_EPHEMERAL": "1",  # as Prefect's own does: no scheduler beside a real server's
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        leash = subprocess.Popen(
            ["sh", "-c", LEASH.format(server=shlex.join(server))],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=PROJECT,  # the folder where a person stands may have been deleted
            start_new_session=True,
        )
        atexit.register(stop, leash)  # runs after Prefect has sent its last logs and events
        address = f"http://127.0.0.1:{port}/api"
        wait_until_healthy(address, leash, log)
        yield address


def stop(leash: subprocess.Popen[bytes]) -> None:
    """Let the leash go and wait until the server is gone."""
    assert leash.stdin is not None
    leash.stdin.close()
    leash.wait()


def wait_until_healthy(address: str, leash: subprocess.Popen[bytes], log: TextIO) -> None:
    """Return when the server answers; raise ServerFailedError if it ended, or is silent for two minutes."""
    deadline = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < deadline:
        with (
            contextlib.suppress(urllib.error.URLError, OSError),
            urllib.request.urlopen(f"{address}/health", timeout=5) as answer,
        ):
            if answer.status == 200:
                return
        if leash.poll() is not None:
            raise ServerFailedError(
                f"The temporary Prefect server ended at once: {why_it_ended(log)}. Look at the folder of "
                f"PREFECT_HOME ({PREFECT_HOME.value()}), or name another with that variable."
            )
        time.sleep(0.1)
    raise ServerFailedError(
        f"The temporary Prefect server at {address} did not answer within {STARTUP_SECONDS} s. "
        "Start one yourself (prefect server start) and set PREFECT_API_URL."
    )


def why_it_ended(log: TextIO) -> str:
    """Return the last line of the server's log that names an error, or its last line."""
    log.seek(0)
    lines = [line.strip() for line in log if line.strip()] or ["it said nothing"]
    errors = [line for line in lines if re.match(r"[\w.]+(Error|Exception): ", line)]
    return (errors or lines)[-1][:300]
