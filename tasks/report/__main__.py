"""`python -m tasks.report`: make the report of a run again, or lay several runs side by side."""

import sys
from pathlib import Path

from tasks.command_line import run_command
from tasks.errors import UserError, explain
from tasks.report.compared import write_compared
from tasks.report.write import write_report
from tasks.results.file import read_results


def command(
    run_folder: Path | None = None,
    /,
    *,
    compare: tuple[Path, ...] = (),
    output: Path | None = None,
) -> int:
    """Make the pictures and the report of a run again, from its results.json; or lay several runs side by side.

    Args:
        run_folder: for example artifacts/latest.
        compare: the folders of two to six runs, for example artifacts/latest artifacts/runs/*cnn*.
        output: where the page of several runs goes: a new folder, or one of an earlier comparison. By default
            `compared` in the artifacts folder, which holds the last one.
    """
    if bool(compare) == bool(run_folder) or (output and not compare):
        raise UserError(
            "Expected one run folder, for example artifacts/latest, or --compare RUN RUN. See --help."
        )
    try:
        print(write_compared(compare, output) if run_folder is None else report_again(run_folder))
    except OSError as error:
        raise UserError(explain(error)) from error
    return 0


def report_again(run_folder: Path) -> Path:
    """Write the report of a run from its results; return the path of report.md."""
    return write_report(run_folder, read_results(run_folder))


def main() -> int:
    """Run the command line; return the exit code."""
    return run_command("report", "python -m tasks.report", command)


if __name__ == "__main__":
    sys.exit(main())
