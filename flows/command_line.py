"""`python flows/mnist_pipeline.py`: flags from the flow's signature, a server if there is none, an exit code."""

import contextlib
import inspect
import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import cyclopts
from prefect.client.schemas.objects import State
from prefect.exceptions import TerminationSignal
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import ValidationError

from flows.dask_runner import dask_task_runner
from flows.mnist_pipeline import mnist_pipeline
from flows.temporary_server import start_temporary_server, wait_until_healthy
from tasks import files, training
from tasks.models import MODELS
from tasks.progress import console_handlers, live_bars
from tasks.storage import ARTIFACTS
from tasks.training_process import TrainingFailedError

USAGE_ERROR, RUN_FAILED = 2, 1
KEPT = "Finished epochs are kept: the same command{} goes on from there."


def signature() -> inspect.Signature:
    """Return the flow's parameters as flags, and those that concern this script alone."""
    flags = []
    for parameter in inspect.signature(mnist_pipeline.fn).parameters.values():
        if parameter.name == "min_test_accuracy":  # one number, or name=number for each network
            parameter = parameter.replace(annotation=list[str] | None)
        flags.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
    parallel = Annotated[int | None, cyclopts.Parameter(help="how many trainings run at once.")]
    dask = Annotated[
        str | None,
        cyclopts.Parameter(help='train on Dask workers: "local", or tcp://host:port of a scheduler.'),
    ]
    for name, annotation in (("parallel", parallel), ("dask", dask)):
        flags.append(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        )
    return inspect.Signature(flags)


def gate(words: list[str]) -> float | dict[str, float]:
    """Return `--min-test-accuracy 0.97` or `--min-test-accuracy dense=0.97 cnn=0.98` as the flow takes it."""
    single = len(words) == 1 and "=" not in words[0]
    pairs = [("all", words[0])] if single else [tuple(word.partition("=")[::2]) for word in words]
    try:
        limits = {name: float(number) for name, number in pairs}
    except ValueError:
        limits = {"": 0.0}
    if not all((single or name in MODELS) and 0 <= limit <= 1 for name, limit in limits.items()):
        raise files.UserError(
            f"--min-test-accuracy is {' '.join(words)!r}. Expected one number from 0 to 1 such as 0.97, "
            "or name=number for each network such as dense=0.97 cnn=0.98."
        )
    return limits["all"] if single else limits


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
    if isinstance(error, files.UserError | TrainingFailedError | OSError):
        record.msg, record.args, record.exc_info, record.exc_text = files.explain(error), (), None, None
    return not record.getMessage().startswith("View at http")  # a temporary server has no UI


@contextlib.contextmanager
def prefect_server() -> Iterator[None]:
    """Use the configured Prefect server, or a temporary one while the block runs."""
    if PREFECT_API_URL.value():
        yield
        return
    api_url = start_temporary_server()
    os.environ["PREFECT_API_URL"] = api_url  # for workers in other processes
    with temporary_settings({PREFECT_API_URL: api_url}):
        wait_until_healthy(api_url)
        yield


@contextlib.contextmanager
def task_runner(parallel: int | None, dask: str | None, artifacts: Path) -> Iterator[Any]:
    """Yield the task runner that the flags ask for."""
    if parallel is not None:
        os.environ["MNIST_PIPELINE_PARALLEL"] = str(parallel)
    at_a_time = training.trainings_at_a_time()
    if dask is None:
        yield training.task_runner(at_a_time)
        return
    with dask_task_runner(dask, at_a_time, artifacts, str(PREFECT_API_URL.value())) as runner:
        yield runner


def run(parameters: dict[str, Any], parallel: int | None, dask: str | None) -> State[Any]:
    """Run the flow as the command line asks; return its final state."""
    if parallel is not None and parallel < 1:
        raise files.UserError(f"--parallel is {parallel}; expected 1 or more.")
    if parallel is not None and dask not in (None, "local"):
        raise files.UserError("--parallel does not go with a scheduler's address: each worker there trains.")
    artifacts = Path(parameters["artifacts_dir"] or ARTIFACTS).resolve()
    if not PREFECT_API_URL.value():
        for handler in console_handlers():
            handler.addFilter(is_for_a_person)
    bars = live_bars() if dask is None else contextlib.nullcontext()  # workers cannot draw into this process
    with prefect_server(), task_runner(parallel, dask, artifacts) as runner, bars:
        state: State[Any] = mnist_pipeline.with_options(task_runner=runner)(**parameters, return_state=True)
    return state


def closing_lines(state: State[Any]) -> Iterator[str]:
    """Yield what a person wants to know at the end: the answer in five lines at most, and the report's path."""
    path = state.result(raise_on_failure=False)
    if isinstance(path, str):
        yield from files.read_json(Path(path).parent / "results.json")["summary"][:5]
        yield f"Report: {path}"


def command(**flags: Any) -> int:
    """Run the flow with these flags; return the exit code."""
    flags = {name: parameter.default for name, parameter in signature().parameters.items()} | flags
    parallel, dask = flags.pop("parallel"), flags.pop("dask")
    if flags["min_test_accuracy"] is not None:
        flags["min_test_accuracy"] = gate(flags["min_test_accuracy"])
    state = run(flags, parallel, dask)
    for line in closing_lines(state):
        print(line)
    if state.is_completed():
        return 0
    error = state.result(raise_on_failure=False)
    reason = files.explain(error) if isinstance(error, BaseException) else state.message
    print(f"mnist-pipeline failed: {reason}", file=sys.stderr)
    return RUN_FAILED


def main() -> None:
    """Run the command line and end the process with its exit code."""
    app = cyclopts.App(
        name="mnist_pipeline.py",
        help=inspect.getdoc(mnist_pipeline.fn),
        version_flags=(),
        default_parameter=cyclopts.Parameter(consume_multiple=True, negative=()),
        result_action="return_value",
        suppress_keyboard_interrupt=False,  # it is answered below
    )
    command.__signature__ = signature()  # type: ignore[attr-defined]
    command.__doc__ = mnist_pipeline.fn.__doc__
    app.default(command)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        sys.exit(app(exit_on_error=False, print_error=False))
    except cyclopts.CycloptsError as error:
        print(f"mnist-pipeline: {complaint(error)}", file=sys.stderr)
        sys.exit(USAGE_ERROR)
    except files.UserError as error:
        print(f"mnist-pipeline: {error}", file=sys.stderr)
        sys.exit(USAGE_ERROR)
    except TimeoutError as error:
        print(f"mnist-pipeline: {error}", file=sys.stderr)
        sys.exit(RUN_FAILED)
    except (KeyboardInterrupt, TerminationSignal) as error:
        number = getattr(error, "signal", signal.SIGINT)
        advice = KEPT.format(" without --refresh" if "--refresh" in sys.argv else "")
        print(f"mnist-pipeline was stopped. {advice}", file=sys.stderr)
        sys.exit(128 + number)


def _terminate(number: int, frame: object) -> None:
    raise TerminationSignal(number)
