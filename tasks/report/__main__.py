"""`python -m tasks.report RUN_FOLDER`: make the report of a run again."""

import sys
from pathlib import Path

import cyclopts

from tasks.errors import UserError, explain
from tasks.report.write import write_report
from tasks.results.file import read_results

NAME, USAGE_ERROR = "python -m tasks.report", 2


def write_again(run_folder: Path, /) -> None:
    """Make the pictures and the report of a run again, from its results.json.

    Args:
        run_folder: for example artifacts/latest.
    """
    print(write_report(run_folder, read_results(run_folder)))


def main(arguments: list[str]) -> int:
    """Run the command; return the exit code. What a person did wrong is one line."""
    app = cyclopts.App(name=NAME, version_flags=(), result_action="return_none")
    app.default(write_again)
    try:
        app(arguments, exit_on_error=False, print_error=False)
    except cyclopts.CycloptsError as error:
        print(f"{NAME}: {error} See --help.", file=sys.stderr)
        return USAGE_ERROR
    except (UserError, OSError) as error:
        print(explain(error), file=sys.stderr)
        return USAGE_ERROR
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
