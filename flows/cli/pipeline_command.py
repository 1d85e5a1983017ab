"""`python flows/mnist_pipeline.py`: flags from the flow's signature, its closing lines, its exit code."""

import contextlib
import inspect
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import cyclopts
from prefect import Flow
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_API_URL

from flows.cli.dask_runner import dask_task_runner
from flows.cli.script import prefect_server, reason, run_script
from tasks.command_line import RUN_FAILED, USAGE_ERROR
from tasks.errors import UserError
from tasks.printable import printable
from tasks.report.summary import closing_lines
from tasks.results.file import read_results
from tasks.store.layout import named
from tasks.training.catalogue import ALL, NAME, chosen, name_of
from tasks.training.networks import MODELS
from tasks.training.progress import live_bars
from tasks.training.runner import trainings_at_a_time
from tasks.wording import and_list

KEPT = "Finished epochs are kept: the same command{} goes on from there."


def signature(flow: Flow[..., Any]) -> inspect.Signature:
    """Return the flow's parameters as flags, and those that concern this script alone."""
    flags = []
    for parameter in inspect.signature(flow.fn).parameters.values():
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
        limits = {}
    known = all((single or re.fullmatch(NAME, name)) and 0 <= limit <= 1 for name, limit in limits.items())
    if not known or len(limits) < len(pairs):
        raise UserError(
            f"--min-test-accuracy is {' '.join(words)!r}. Expected one number from 0 to 1 such as 0.97, "
            "or name=number, once for each network, such as dense=0.97 cnn=0.98."
        )
    return limits["all"] if single else limits


def check_that_it_trains(models: Sequence[str], limits: float | dict[str, float]) -> None:
    """Raise UserError if a limit is for a network that is not trained: in one command that is a slip."""
    trained = {name for word in models for name in (MODELS if word == ALL else [name_of(word)])}
    others = [name for name in limits if name not in trained] if isinstance(limits, dict) else []
    if others:
        raise UserError(
            f"--min-test-accuracy names {and_list(others)}, which this run does not train "
            f"(--models {' '.join(models)}). Name a network that it trains, or add it to --models."
        )


def run(
    flow: Flow[..., Any], parameters: dict[str, Any], parallel: int | None, dask: str | None
) -> State[Any]:
    """Run the flow as the command line asks; return its final state."""
    if parallel is not None and parallel < 1:
        raise UserError(f"--parallel is {parallel}; expected 1 or more.")
    if dask not in (None, "local") and not re.fullmatch(r"\w+://[^\s/]+:\d+", dask):
        raise UserError(f'--dask is {dask!r}; expected "local", or tcp://host:port of a scheduler.')
    if parallel is not None and dask not in (None, "local"):
        raise UserError("--parallel does not go with a scheduler's address: each worker there trains.")
    if parallel is not None:
        os.environ["MNIST_PIPELINE_PARALLEL"] = str(parallel)
    with contextlib.ExitStack() as stack:
        stack.enter_context(prefect_server())
        if dask is None:
            stack.enter_context(live_bars())  # Dask's workers cannot draw into this process
        else:
            artifacts = named(parameters["artifacts_dir"])
            api_url = str(PREFECT_API_URL.value())
            runner = dask_task_runner(dask, trainings_at_a_time(), artifacts, api_url)
            flow = flow.with_options(task_runner=stack.enter_context(runner))
        state: State[Any] = flow(**parameters, return_state=True)  # type: ignore[assignment]
    return state


def command(flow: Flow[..., Any], **flags: Any) -> int:
    """Run the flow with these flags; return the exit code."""
    flags = {name: parameter.default for name, parameter in signature(flow).parameters.items()} | flags
    parallel, dask = flags.pop("parallel"), flags.pop("dask")
    chosen(flags["models"])  # raises UserError
    if flags["min_test_accuracy"] is not None:
        flags["min_test_accuracy"] = gate(flags["min_test_accuracy"])
        check_that_it_trains(flags["models"], flags["min_test_accuracy"])
    state = run(flow, flags, parallel, dask)
    path = state.result(raise_on_failure=False)
    if isinstance(path, str):
        print(*closing_lines(read_results(Path(path).parent), path), sep="\n")
    if state.is_completed():
        return 0
    print(printable(f"mnist-pipeline failed: {reason(state)}"), file=sys.stderr)
    return USAGE_ERROR if isinstance(path, UserError) else RUN_FAILED


def main(flow: Flow[..., Any]) -> None:
    """Run the command line of the flow and end the process with its exit code."""

    def with_flags(**flags: Any) -> int:  # no functools.partial: cyclopts looks behind it for the help
        return command(flow, **flags)

    with_flags.__signature__ = signature(flow)  # type: ignore[attr-defined]
    with_flags.__doc__ = flow.fn.__doc__
    run_script(
        "mnist-pipeline", with_flags, KEPT.format(" without --refresh" if "--refresh" in sys.argv else "")
    )
