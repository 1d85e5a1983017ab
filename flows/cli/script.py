"""What the scripts of both flows share: a server if there is none, a log for persons, answers to signals."""

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import PrefectException, TerminationSignal
from prefect.settings import (
    PREFECT_API_REQUEST_TIMEOUT,
    PREFECT_API_URL,
    PREFECT_CLIENT_MAX_RETRIES,
    temporary_settings,
)

from flows.cli.temporary_server import ServerFailedError, temporary_server
from tasks.command_line import RUN_FAILED, run_command
from tasks.errors import MACHINE_ERRORS, PlainError, UserError, explain
from tasks.printable import printable, without_passwords
from tasks.training.progress import console_handlers

ANSWER_SECONDS = 15.0  # until a configured server has answered


def is_for_a_person(record: logging.LogRecord) -> bool:
    """Let what a person can mend be one line in the terminal; any other error keeps its traceback."""
    error = record.exc_info[1] if record.exc_info else None
    mendable = isinstance(error, OSError) and error.errno in MACHINE_ERRORS
    if error and (mendable or isinstance(error, PlainError)):
        record.msg, record.args, record.exc_info, record.exc_text = explain(error), (), None, None
    return not record.getMessage().startswith("View at http")  # a temporary server has no UI


def is_printable(record: logging.LogRecord) -> bool:
    """Let names of files that steer a terminal be seen, not obeyed, and passwords in addresses not be seen."""
    record.msg, record.args = printable(without_passwords(record.getMessage())), ()
    return True


@contextlib.contextmanager
def prefect_server() -> Iterator[None]:
    """Use the configured Prefect server, or a temporary one while the block runs, and then a shorter log.

    Raises UserError if a server is configured and does not answer, or a proxy setting leads nowhere.
    """
    try:
        httpx.Client().close()  # reads the settings of proxies, as every client of Prefect does
    except (httpx.InvalidURL, ValueError, ImportError) as error:
        raise UserError(
            f"A proxy setting cannot be followed ({error}). Correct or unset HTTP_PROXY, HTTPS_PROXY, ALL_PROXY."
        ) from None
    for handler in console_handlers():
        handler.addFilter(is_printable)
    if url := PREFECT_API_URL.value():
        check_server(url)
        yield
        return
    not_by_proxy = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    os.environ["no_proxy"] = ",".join(filter(None, [not_by_proxy, "127.0.0.1"]))
    for handler in console_handlers():
        handler.addFilter(is_for_a_person)
    api_url = temporary_server()
    os.environ["PREFECT_API_URL"] = api_url  # for workers in other processes
    with temporary_settings({PREFECT_API_URL: api_url}):
        yield


def check_server(url: str) -> None:
    """Raise UserError if nobody answers at the address within seconds, or something that is no Prefect server."""
    patience = {PREFECT_API_REQUEST_TIMEOUT: ANSWER_SECONDS, PREFECT_CLIENT_MAX_RETRIES: 0}
    try:
        with temporary_settings(patience), get_client(sync_client=True) as client:
            if client.request("GET", "/health").json() is True:
                return
        reason = "what answers is something else"
    except (httpx.HTTPError, PrefectException, RuntimeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
    raise UserError(
        without_passwords(
            f"No Prefect server answers at {url} ({reason}). Start it, correct PREFECT_API_URL, or unset that: "
            "then this starts a temporary one."
        )
    )


def reason(state: State[Any]) -> str:
    """Return in one line why a flow run that did not complete ended."""
    error = state.result(raise_on_failure=False)
    return explain(error) if isinstance(error, BaseException) else str(state.message)


def run_script(name: str, command: Callable[..., int], when_stopped: str = "") -> NoReturn:
    """Run `command` with the flags of the command line and end the process with the exit code it returns.

    `name` is the flow's. A signal ends the process with 128 and its number, after the line `when_stopped`.
    """
    signal.signal(signal.SIGTERM, _terminate)
    try:
        sys.exit(run_command(name, f"{name.replace('-', '_')}.py", command))
    except ServerFailedError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(RUN_FAILED)
    except (KeyboardInterrupt, TerminationSignal) as error:
        number = getattr(error, "signal", signal.SIGINT)
        print(f"{name} was stopped. {when_stopped}".rstrip(), file=sys.stderr)
        sys.exit(128 + number)


def _terminate(number: int, frame: object) -> None:
    raise TerminationSignal(number)
