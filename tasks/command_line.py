"""Commands that a person calls: flags from a function's signature, mistakes in one line, an exit code."""

import inspect
import sys
from collections.abc import Callable

import cyclopts
from pydantic import ValidationError

from tasks.errors import UserError, explain
from tasks.printable import in_one_line, printable

USAGE_ERROR, RUN_FAILED = 2, 1


def run_command(name: str, program: str, command: Callable[..., int]) -> int:
    """Run `command` with the flags of the command line; return its exit code, 2 for what a person did wrong.

    `program` is what a person types. The flags come from the command's signature, their help from its docstring.
    """
    app = cyclopts.App(
        name=program,
        help=inspect.getdoc(command),
        version_flags=(),
        default_parameter=cyclopts.Parameter(consume_multiple=True, negative=()),
        result_action="return_value",
        suppress_keyboard_interrupt=False,  # whoever calls this answers it
    )
    app.default(command)
    for word in sys.argv:
        if any("\udc80" <= letter <= "\udcff" for letter in word):  # stand-ins for bytes that are no text
            print(f"{name}: {word!a} is no UTF-8 text. Give the file a name that is.", file=sys.stderr)
            return USAGE_ERROR
        if in_one_line(word) != word:
            reason = f"{in_one_line(word)} holds a control character. Give the file a name without."
            print(f"{name}: {reason}", file=sys.stderr)
            return USAGE_ERROR
    try:
        code: int = app(sys.argv[1:], exit_on_error=False, print_error=False)
    except cyclopts.CycloptsError as error:
        print(f"{name}: {complaint(error)}", file=sys.stderr)
        return USAGE_ERROR
    except UserError as error:
        print(printable(f"{name}: {explain(error)}"), file=sys.stderr)
        return USAGE_ERROR
    return code


def complaint(error: cyclopts.CycloptsError) -> str:
    """Return one line about a flag that cannot be taken: its value and what was expected."""
    if isinstance(error.__cause__, ValidationError) and isinstance(error, cyclopts.ValidationError):
        first = error.__cause__.errors()[0]
        assert error.argument is not None
        return f"{error.argument.name} is {first['input']!r}. {first['msg']}. See --help."
    return f"{error} See --help."
