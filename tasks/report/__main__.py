"""`python -m tasks.report RUN_FOLDER`: make the report of a run again."""

import sys
from pathlib import Path

from tasks.command_line import run_command
from tasks.errors import UserError, explain
from tasks.report.write import write_report
from tasks.results.file import read_results


def command(run_folder: Path, /) -> int:
    """Make the pictures and the report of a run again, from its results.json.

    Args:
        run_folder: for example artifacts/latest.
    """
    try:
        print(write_report(run_folder, read_results(run_folder)))
    except OSError as error:
        raise UserError(explain(error)) from error
    return 0


def main() -> int:
    """Run the command line; return the exit code."""
    return run_command("report", "python -m tasks.report", command)


if __name__ == "__main__":
    sys.exit(main())
