"""`python flows/recognize_digit.py IMAGE...`: its flags, and the answers as a table or as JSON."""

import functools
import json
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from prefect import Flow
from prefect.client.schemas.objects import State

from flows.cli.script import prefect_server, reason, run_script
from tasks.command_line import RUN_FAILED
from tasks.errors import UserError
from tasks.printable import in_one_line
from tasks.recognition.answers import read_answers
from tasks.recognition.show import SEEN, for_programs, introduction, sentence, terminal_table


def command(
    flow: Flow[..., Any],
    *images: str,
    run: str | None = None,
    as_json: Annotated[bool, Parameter("--json")] = False,
    artifacts_dir: str | None = None,
    networks: list[str] | None = None,
) -> int:
    """Find the digit in each picture, and ask every network of a run which one it is.

    Args:
        images: PNG or JPEG files, each a photo, scan or drawing of one digit, dark on light or light on dark.
        run: the folder of the run to ask; by default the completed run that is best on validation images.
        as_json: print a list with one object for each picture instead of a table.
        artifacts_dir: where runs and answers are kept; by default $MNIST_PIPELINE_ARTIFACTS, or `artifacts` here.
        networks: files with networks of your own whose code may be run, beside those in `networks` here.
    """
    if not images:
        raise UserError("no picture is named. Expected one or more PNG or JPEG files. See --help.")
    with prefect_server():
        state: State[Any] = flow(list(images), run, artifacts_dir, networks, return_state=True)  # type: ignore[assignment]
    path = state.result(raise_on_failure=False)
    if not isinstance(path, str):
        print(f"recognize-digit failed: {reason(state)}", file=sys.stderr)
        return RUN_FAILED
    show(path, as_json)
    return 0 if state.is_completed() else RUN_FAILED


def show(path: str, as_json: bool) -> None:
    """Print the answers in the file `path`, and on stderr why pictures were refused.

    First comes whose answers they are; on stderr where JSON is printed, so that stdout holds nothing else.
    """
    found = read_answers(Path(path))
    print(introduction(found.asked), file=sys.stderr if as_json else sys.stdout)
    if as_json:
        print(json.dumps(for_programs(found.pictures), indent=1))
    for answer in found.pictures:
        line = in_one_line(f"{answer.file}: {sentence(answer)}")
        if answer.error is not None:
            print(line, file=sys.stderr)
        elif not as_json:
            print(line, *terminal_table(answer), sep="\n")
    if not as_json:
        print(f"What the networks saw: {Path(path).with_name(SEEN)}")


def main(flow: Flow[..., Any]) -> None:
    """Run the command line of the flow and end the process with its exit code."""
    with_flags = functools.partial(command, flow)
    with_flags.__doc__ = command.__doc__
    run_script("recognize-digit", with_flags)
