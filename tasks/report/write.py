"""From a run folder to its report: pictures, report.md and report.html.

`python -m tasks.report RUN_FOLDER` makes all files again; the same results.json gives the same text.
"""

import sys
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.errors import UserError, explain
from tasks.files import write_text
from tasks.report.draw_page import write_draw_page
from tasks.report.figures import draw_figures, stored_array
from tasks.report.history import update_history
from tasks.report.html import html_page
from tasks.report.page import report_markdown
from tasks.report.publish import publish
from tasks.results import load_results


@task(name="report", task_run_name="report", cache_policy=NO_CACHE)
def report(results_path: str) -> str:
    """Write figures, report and history, show them in Prefect, and return the path of report.md."""
    run_folder = Path(results_path).parent
    path = write_report(run_folder)
    results = read_results(run_folder)
    publish(run_folder, results, trend=update_history(run_folder, results))
    return str(path)


def write_report(run_folder: Path) -> Path:
    """Write comparison.png, figures/*.png, report.md, report.html, draw.html; return the path of report.md.

    draw.html needs the trainings themselves, and is left out where they are not kept.
    Raises UserError if the folder holds no results.json that this version can read.
    """
    results = read_results(run_folder)
    draw_figures(run_folder)
    markdown = report_markdown(results, first_zero=first_zero(run_folder))
    write_text(run_folder / "report.md", markdown)
    write_text(run_folder / "report.html", html_page(markdown, run_folder))
    write_draw_page(run_folder, results)
    return run_folder / "report.md"


def read_results(run_folder: Path) -> dict[str, Any]:
    """Return results.json of a run folder, or raise UserError that says what is wrong with it."""
    path = run_folder / "results.json"
    advice = "expected a run folder, for example artifacts/latest"
    if not path.is_file():
        raise UserError(f"{run_folder} holds no results.json; {advice}")
    try:
        return load_results(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); {advice}") from error


def first_zero(run_folder: Path) -> list[list[int]] | None:
    """Return the pixels of x_train[1], 28 x 28, or None where they were not stored."""
    pixels = stored_array(run_folder / "images.npz", "first_zero")
    return None if pixels is None else pixels.tolist()


def main(arguments: list[str]) -> int:
    """Make the report of a run folder again; return the exit code."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m tasks.report RUN_FOLDER", file=sys.stderr)
        return 2
    try:
        print(write_report(Path(arguments[0])))
    except (UserError, OSError) as error:
        print(explain(error), file=sys.stderr)
        return 2
    return 0
