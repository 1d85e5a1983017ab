"""From a run folder to its report: pictures, report.md, report.html, and the artifacts in Prefect.

`python -m tasks.report RUN_FOLDER` makes all files again; the same results.json gives the same text.
"""

import sys
from pathlib import Path
from typing import Any

import httpx
from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.exceptions import PrefectException

from tasks.figures import COMPARISON, draw_figures, stored_array
from tasks.files import UserError, read_json, write_text
from tasks.markdown import escape
from tasks.report_html import data_uri, html_page
from tasks.report_numbers import finished, onset
from tasks.report_text import report_markdown

SCHEMA_VERSION = 1
# The client raises RuntimeError where it gives up reaching the API.
UPLOAD_ERRORS = (httpx.HTTPError, PrefectException, RuntimeError)


@task(name="report", cache_policy=NO_CACHE)
def report(run_folder: str) -> str:
    """Write figures and report of a run, show them in Prefect, and return the path of report.md."""
    path = write_report(Path(run_folder))
    publish(Path(run_folder))
    return str(path)


def write_report(run_folder: Path) -> Path:
    """Write comparison.png, figures/*.png, report.md and report.html; return the path of report.md.

    Raises UserError if the folder holds no results.json that this version can read.
    """
    results = read_results(run_folder)
    draw_figures(run_folder)
    markdown = report_markdown(results, first_zero=first_zero(run_folder))
    write_text(run_folder / "report.md", markdown)
    write_text(run_folder / "report.html", html_page(markdown, run_folder))
    return run_folder / "report.md"


def read_results(run_folder: Path) -> dict[str, Any]:
    """Return results.json of a run folder, or raise UserError that says what is wrong with it."""
    path = run_folder / "results.json"
    advice = "expected a run folder, for example artifacts/latest"
    if not path.is_file():
        raise UserError(f"{run_folder} holds no results.json; {advice}")
    try:
        results = read_json(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); {advice}") from error
    if not isinstance(results, dict) or results.get("schema_version") != SCHEMA_VERSION:
        raise UserError(
            f"{path} is not of schema version {SCHEMA_VERSION}; make it again by running the flow"
        )
    return results


def first_zero(run_folder: Path) -> list[list[int]] | None:
    """Return the pixels of x_train[1], 28 x 28, or None where they were not stored."""
    pixels = stored_array(run_folder / "images.npz", "first_zero")
    return None if pixels is None else pixels.tolist()


def publish(run_folder: Path) -> None:
    """Create the artifacts `mnist-report` and `mnist-results`; a failing upload is a warning, no more."""
    results = read_results(run_folder)

    def picture(shows: str, path: str) -> str:
        """Embed the comparison; name the place of the other pictures, which would make the artifact heavy."""
        if path == COMPARISON:
            return f"![{escape(shows)}]({data_uri(run_folder / path)})"
        return f"*{escape(shows)}: `{path}` in the run folder.*"

    try:
        create_markdown_artifact(
            key="mnist-report",
            markdown=report_markdown(results, picture),
            description="Test accuracy and overfitting onset of the networks",
        )
        create_table_artifact(
            key="mnist-results", table=result_rows(results), description="One row per network and seed"
        )
    except UPLOAD_ERRORS as error:
        get_run_logger().warning("The report is written, but Prefect did not take it: %s", error)


def result_rows(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one row per training for Prefect's table, failed ones included."""
    rows = []
    for name, model in results["models"].items():
        have_results = finished(model)
        for training in model.get("trainings") or []:
            test = training.get("test") or {}
            interval = test.get("accuracy_ci95")
            rows.append(
                {
                    "network": name,
                    "seed": training["seed"],
                    "test accuracy": test.get("accuracy"),
                    "95 % interval": f"{interval[0]:.4f} to {interval[1]:.4f}" if interval else None,
                    "test NLL": test.get("nll"),
                    "onset": onset(training) if training in have_results else "failed",
                    "best epoch": training.get("best_epoch"),
                    "seconds": training.get("seconds"),
                    "origin": training.get("origin"),
                }
            )
    return rows


def main(arguments: list[str]) -> int:
    """Make the report of a run folder again; return the exit code."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m tasks.report RUN_FOLDER", file=sys.stderr)
        return 2
    try:
        print(write_report(Path(arguments[0])))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
