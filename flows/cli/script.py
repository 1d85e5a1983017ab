"""What the scripts of both flows share: flags, complaints in one line, a server if there is none, an exit code."""

import contextlib
import inspect
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import cyclopts
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import TerminationSignal
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import ValidationError

from flows.cli.temporary_server import start_temporary_server, wait_until_healthy
from tasks.errors import UserError, explain
from tasks.training.process import TrainingFailedError
from tasks.training.progress import console_handlers

USAGE_ERROR, RUN_FAILED = 2, 1


def complaint(error: cyclopts.CycloptsError) -> str:
    """Return one line about a flag that cannot be taken: its value and what was expected."""
    if isinstance(error.__cause__, ValidationError) and isinstance(error, cyclopts.ValidationError):
        first = error.__cause__.errors()[0]
        assert error.argument is not None
        return f"{error.argument.name} is {first['input']!r}. {first['msg']}. See --help."
    return f"{error} See --help."


def is_for_a_person(record: logging.LogRecord) -> bool:
    """Let what a person can mend be one line in the terminal; the UI keeps the traceback."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, UserError | TrainingFailedError | OSError):
        record.msg, record.args, record.exc_info, record.exc_text = explain(error), (), None, None
    return not record.getMessage().startswith("View at http")  # a temporary server has no UI


@contextlib.contextmanager
def prefect_server() -> Iterator[None]:
    """Use the configured Prefect server, or a temporary one while the block runs, and then a shorter log.

    Raises UserError if a server is configured and does not answer.
    """
    if url := PREFECT_API_URL.value():
        with get_client(sync_client=True) as client:
            if error := client.api_healthcheck():
                raise UserError(
                    f"No Prefect server answers at {url} ({type(error).__name__}: {error}). Start it, correct "
                    "PREFECT_API_URL, or unset that: then this starts a temporary one."
                )
        yield
        return
    not_by_proxy = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    os.environ["no_proxy"] = ",".join(filter(None, [not_by_proxy, "127.0.0.1"]))
    for handler in console_handlers():
        handler.addFilter(is_for_a_person)
    api_url = start_temporary_server()
    os.environ["PREFECT_API_URL"] = api_url  # for workers in other processes
    with temporary_settings({PREFECT_API_URL: api_url}):
        wait_until_healthy(api_url)
        yield


def reason(state: State[Any]) -> str:
    """Return in one line why a flow run that did not complete ended."""
    error = state.result(raise_on_failure=False)
    return explain(error) if isinstance(error, BaseException) else str(state.message)


def run_script(name: str, command: Callable[..., int], when_stopped: str = "") -> NoReturn:
    """Run `command` with the flags of the command line and end the process with the exit code it returns.

    `name` is the flow's; the flags come from the command's signature, their help from its docstring. What a person
    did wrong is one line and exit code 2; a signal ends with 128 and its number, after the line `when_stopped`.
    """
    app = cyclopts.App(
        name=f"{name.replace('-', '_')}.py",
        help=inspect.getdoc(command),
        version_flags=(),
        default_parameter=cyclopts.Parameter(consume_multiple=True, negative=()),
        result_action="return_value",
        suppress_keyboard_interrupt=False,  # it is answered below
    )
    app.default(command)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        sys.exit(app(sys.argv[1:], exit_on_error=False, print_error=False))
    except cyclopts.CycloptsError as error:
        print(f"{name}: {complaint(error)}", file=sys.stderr)
        sys.exit(USAGE_ERROR)
    except UserError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(USAGE_ERROR)
    except TimeoutError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(RUN_FAILED)
    except (KeyboardInterrupt, TerminationSignal) as error:
        number = getattr(error, "signal", signal.SIGINT)
        print(f"{name} was stopped. {when_stopped}".rstrip(), file=sys.stderr)
        sys.exit(128 + number)


def _terminate(number: int, frame: object) -> None:
    raise TerminationSignal(number)
