"""Prefect's temporary server, started by the script itself.

Prefect starts one on its own when none is configured. That one ends with Ctrl-C before the flow can report its
last state, stays behind when the flow is killed, and Dask workers would each start another. This one does not:
it is in a session of its own, and a shell that waits for the end of this process ends it, however that comes.
"""

import atexit
import contextlib
import os
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from tasks.layout import PROJECT

STARTUP_SECONDS = 120
LEASH = "{server} & read -r _; kill $! && wait $! 2>/dev/null"


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_temporary_server() -> str:
    """Start a server on the database of $PREFECT_HOME that ends with this process; return its API address.

    The server is not ready yet: see `wait_until_healthy`.
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
    leash = subprocess.Popen(
        ["sh", "-c", LEASH.format(server=shlex.join(server))],
        env=environment,
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    atexit.register(stop, leash)  # runs after Prefect has sent its last logs and events
    return f"http://127.0.0.1:{port}/api"


def stop(leash: subprocess.Popen[bytes]) -> None:
    """Let the leash go and wait until the server is gone."""
    assert leash.stdin is not None
    leash.stdin.close()
    leash.wait()


def wait_until_healthy(api_url: str) -> None:
    """Return when the server answers; raise TimeoutError if it does not within two minutes."""
    deadline = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < deadline:
        with (
            contextlib.suppress(urllib.error.URLError, OSError),
            urllib.request.urlopen(f"{api_url}/health", timeout=5) as answer,
        ):
            if answer.status == 200:
                return
        time.sleep(0.1)
    raise TimeoutError(
        f"The temporary Prefect server at {api_url} did not answer within {STARTUP_SECONDS} s. "
        "Start one yourself (prefect server start) and set PREFECT_API_URL."
    )
