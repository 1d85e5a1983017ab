"""A run in the Prefect UI: its artifacts. A key holds the same of every run, so its versions are a history."""

from pathlib import Path
from typing import Any

import httpx
from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.exceptions import PrefectException

from tasks.markdown import code, escape, paragraphs
from tasks.pictures import data_uri
from tasks.report.cells import finished, onset
from tasks.report.names import COMPARISON
from tasks.report.page import previous_run, report_markdown

Results = dict[str, Any]
# The client raises RuntimeError where it gives up reaching the API.
UPLOAD_ERRORS = (httpx.HTTPError, PrefectException, RuntimeError)


def publish(run_folder: Path, results: Results, trend: Path) -> None:
    """Create the artifacts of a run; a failing upload is a warning, no more. `trend` is a PNG.

    `mnist-report` and `mnist-results` always, `mnist-gates` if the run had gates, `mnist-comparison` if there
    is a previous run, and `mnist-history`.
    """
    try:
        create_markdown_artifact(
            key="mnist-report",
            markdown=report_markdown(results, lambda shows, path: picture(shows, path, run_folder)),
            description="Test accuracy and overfitting onset of the networks",
        )
        create_table_artifact(
            key="mnist-results", table=result_rows(results), description="One row per network and seed"
        )
        if results["gates"]:
            create_table_artifact(
                key="mnist-gates", table=gate_rows(results), description=gates_in_short(results)
            )
        if results["previous_run"]:
            create_markdown_artifact(
                key="mnist-comparison",
                markdown=previous_run(results),
                description="What changed since the previous run, and whether accuracy did by more than chance",
            )
        create_markdown_artifact(
            key="mnist-history",
            markdown=history_markdown(trend),
            description="Test accuracy and overfitting onset over the runs",
        )
    except UPLOAD_ERRORS as error:
        get_run_logger().warning("The report is written, but Prefect did not take it: %s", error)


def picture(shows: str, path: str, run_folder: Path) -> str:
    """Embed the comparison; name the place of the other pictures, which would make the artifact heavy."""
    if path == COMPARISON:
        return f"![{escape(shows)}]({data_uri(run_folder / path)})"
    return f"*{escape(shows)}: `{path}` in the run folder.*"


def result_rows(results: Results) -> list[dict[str, Any]]:
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
                    "test accuracy": rounded(test.get("accuracy"), 4),
                    "95 % interval": f"{interval[0]:.4f} to {interval[1]:.4f}" if interval else None,
                    "test NLL": rounded(test.get("nll"), 4),
                    "onset": onset(training) if training in have_results else "failed",
                    "best epoch": training.get("best_epoch"),
                    "seconds": rounded(training.get("seconds"), 1),
                    "origin": training.get("origin"),
                }
            )
    return rows


def rounded(number: float | None, digits: int) -> float | None:
    """Return a number for reading; None stays None."""
    return None if number is None else round(number, digits)


def gate_rows(results: Results) -> list[dict[str, Any]]:
    """Return one row per gate, the failed ones first."""
    return [
        {
            "passed": "yes" if gate["passed"] else "NO",
            "gate": gate["name"],
            "network": gate["model"],
            "limit": gate["limit"],
            "observed": rounded(gate["observed"], 6),  # of a million images each still counts
            "message": gate["message"],
        }
        for gate in sorted(results["gates"], key=lambda gate: bool(gate["passed"]))
    ]


def gates_in_short(results: Results) -> str:
    """Return how many gates failed."""
    failed = sum(not gate["passed"] for gate in results["gates"])
    return f"{failed} of {len(results['gates'])} gates failed" if failed else "All gates passed"


def history_markdown(trend: Path) -> str:
    """Return the trend picture, and where all numbers are."""
    return paragraphs(
        "# The runs so far",
        f"![Test accuracy and overfitting onset over the runs]({data_uri(trend)})",
        f"Runs of this deployment on the same data set. Every run, training by training: "
        f"{code(trend.with_name('history.csv'))}.",
    )
