"""Prefect's temporary server, started by the script itself.

Prefect starts one on its own when none is configured. That one ends with Ctrl-C before the flow can report its
last state, stays behind when the flow is killed, and Dask workers would each start another. This one does not:
it is in a session of its own, and a shell that waits for the end of this process ends it, however that comes.
Nothing here loads Prefect: a script starts the server before it spends seconds on its own imports.
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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tasks.errors import PlainError
from tasks.store.layout import PROJECT

STARTUP_SECONDS = 300  # beside other work a new database has taken more than two minutes
NAMES_A_SERVER = re.compile(r"api_url|\[(tool\.prefect\.)?api\]|^api\b", re.IGNORECASE | re.MULTILINE)
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


@dataclass(frozen=True)
class Server:
    """A server that was started: the shell that ends it, its address, and what it logs."""

    leash: subprocess.Popen[bytes]
    api_url: str
    log: IO[str]


early: list[Server] = []  # the one that `start_early` started, until it is used


def home() -> Path:
    """Return Prefect's home as Prefect finds it, unless a settings file names another."""
    return Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()


def is_surely_needed(arguments: Sequence[str]) -> bool:
    """Return whether a script with these arguments will need a temporary server, as far as can be told at once."""
    settings = [home() / "profiles.toml", *map(Path, (".env", "prefect.toml", "pyproject.toml"))]
    try:
        configured = [path for path in settings if path.exists() and NAMES_A_SERVER.search(path.read_text())]
        return not (
            configured
            or os.environ.get("PREFECT_API_URL")
            or os.environ.get("PREFECT_PROFILES_PATH")
            or {"-h", "--help"} & set(arguments)
        )
    except (OSError, ValueError):  # Prefect will say what is wrong with the file
        return False


def start_early() -> None:
    """Start the server that this script will need, so that it starts while the script's imports go on."""
    if is_surely_needed(sys.argv[1:]):
        early.append(start())


def start() -> Server:
    """Start a server on the database of $PREFECT_HOME; what it logs stays off the terminal."""
    port = free_port()
    server = [sys.executable, "-m", "uvicorn", "--factory", "prefect.server.api.server:create_app"]
    server += ["--host", "127.0.0.1", "--port", str(port), "--log-level", "error", "--app-dir", str(PROJECT)]
    environment = {
        **os.environ,
        "PYTHONSAFEPATH": "1",  # no module from the folder where a person stands
        "PREFECT_UI_ENABLED": "0",
        "PREFECT__SERVER_EPHEMERAL": "1",  # as Prefect's own does: no scheduler beside a real server's
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # Nothing here uses blocks. Without a note that they were registered, a real server does it at its start.
        "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
        "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
    }
    log = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - open as long as the server runs
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
    return Server(leash, f"http://127.0.0.1:{port}/api", log)


def temporary_server() -> str:
    """Return the API address of a server of this process, once it answers. Raises ServerFailedError.

    It ends with this process.
    """
    server = early.pop() if early else start()
    wait_until_healthy(server)
    return server.api_url


def stop(leash: subprocess.Popen[bytes]) -> None:
    """Let the leash go and wait until the server is gone."""
    assert leash.stdin is not None
    leash.stdin.close()
    leash.wait()


def wait_until_healthy(server: Server) -> None:
    """Return when the server answers; raise ServerFailedError if it ended, or is silent for five minutes."""
    deadline = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < deadline:
        with (
            contextlib.suppress(urllib.error.URLError, OSError),
            urllib.request.urlopen(f"{server.api_url}/health", timeout=5) as answer,
        ):
            if answer.status == 200:
                return
        if server.leash.poll() is not None:
            raise ServerFailedError(
                f"The temporary Prefect server ended at once: {why_it_ended(server.log)}. Look at the folder of "
                f"PREFECT_HOME ({home()}), or name another with that variable."
            )
        time.sleep(0.1)
    raise ServerFailedError(
        f"The temporary Prefect server at {server.api_url} did not answer within {STARTUP_SECONDS} s. "
        "Start one yourself (prefect server start) and set PREFECT_API_URL."
    )


def why_it_ended(log: IO[str]) -> str:
    """Return the last line of the server's log that names an error, or its last line."""
    log.seek(0)
    lines = [line.strip() for line in log if line.strip()] or ["it said nothing"]
    errors = [line for line in lines if re.match(r"[\w.]+(Error|Exception): ", line)]
    return (errors or lines)[-1][:300]
