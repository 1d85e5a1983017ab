"""A run in the Prefect UI: its artifacts. A key holds the same of every run, so its versions are a history."""

import logging
from pathlib import Path
from uuid import UUID

from prefect import get_client
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from tasks.markdown import Markdown, code, escape, paragraphs, picture
from tasks.pictures import data_uri
from tasks.report.names import COMPARISON
from tasks.report.network_words import onset_cell
from tasks.report.page import previous_run_markdown, report_markdown
from tasks.report.words import gate_in_words, gates_in_short
from tasks.results.enums import GateOutcome
from tasks.results.run import Results
from tasks.results.training import FailedTraining, TrainingResult
from tasks.uploads import UPLOAD_ERRORS, uploading

LOGGER = logging.getLogger(__name__)

PASSED = {GateOutcome.NOT_HELD: "NO", GateOutcome.NOT_JUDGED: "not judged", GateOutcome.HELD: "yes"}
RESULT_COLUMNS = (
    *("network", "seed", "test accuracy", "95 % interval", "test NLL", "onset", "best epoch", "seconds"),
    "origin",
)
Row = dict[str, str | int | float | None]


def publish(run_folder: Path, results: Results, trend: Path | None) -> None:
    """Create the artifacts of a run; a failing upload is a warning, no more. `trend` is a PNG, if there is one.

    `mnist-report` and `mnist-results` always, `mnist-gates` if the run had gates, `mnist-comparison` if there
    is a previous run, and `mnist-history`.
    """
    with uploading("The report is written"):
        create_markdown_artifact(
            key="mnist-report",
            markdown=report_markdown(results, lambda shows, path: embedded(shows, path, run_folder)),
            description="Test accuracy and overfitting onset of the networks",
        )
        create_table_artifact(
            key="mnist-results", table=result_rows(results), description="One row per network and seed"
        )
        if results.gates:
            create_table_artifact(
                key="mnist-gates", table=gate_rows(results), description=gates_in_short(results.gates)
            )
        if results.previous_run:
            create_markdown_artifact(
                key="mnist-comparison",
                markdown=previous_run_markdown(results),
                description="What changed since the previous run, and whether accuracy did by more than chance",
            )
        if trend is not None:
            create_markdown_artifact(
                key="mnist-history",
                markdown=paragraphs(
                    "# The runs so far",
                    picture("Test accuracy and overfitting onset over the runs", data_uri(trend)),
                    "Runs of this deployment on the same data set. Every run, training by training: "
                    f"{code(trend.with_name('history.csv'))}. Any runs side by side: "
                    f"{code('python -m tasks.report --compare RUN RUN')}.",
                ),
                description="Test accuracy and overfitting onset over the runs",
            )


def embedded(shows: str, path: str, run_folder: Path) -> Markdown:
    """Embed the comparison; name the place of the other pictures, which would make the artifact heavy."""
    if path == COMPARISON:
        return picture(shows, data_uri(run_folder / path))
    return Markdown(f"*{escape(shows)}: {code(path)} in the run folder.*")


def result_rows(results: Results) -> list[Row]:
    """Return one row per training for Prefect's table, failed ones included."""
    return [
        dict.fromkeys(RESULT_COLUMNS) | {"network": name} | result_row(training)
        for name, model in results.models.items()
        for training in model.trainings
    ]


def result_row(training: TrainingResult | FailedTraining) -> Row:
    """Return what Prefect's table shows of a training, rounded for reading."""
    if isinstance(training, FailedTraining):
        return {"seed": training.seed, "onset": "failed"}
    test = training.test
    return {
        "seed": training.seed,
        "test accuracy": round(test.accuracy, 4),
        "95 % interval": "{:.4f} to {:.4f}".format(*test.accuracy_ci95),
        "test NLL": test.nll and round(test.nll, 4),
        "onset": onset_cell(training.onset),
        "best epoch": training.best_epoch,
        "seconds": round(training.seconds, 1),
        "origin": training.origin,
    }


def gate_rows(results: Results) -> list[Row]:
    """Return one row per gate: first those that did not hold, then those that were not judged."""
    return [
        {
            "passed": PASSED[gate.outcome],
            "gate": gate.name,
            "network": gate.model,
            "limit": gate.limit,
            "observed": gate.observed and round(gate.observed, 6),  # an image of a million counts
            "message": gate_in_words(gate, results),
        }
        for gate in sorted(results.gates, key=lambda gate: list(PASSED).index(gate.outcome))
    ]


class LiveArtifact:
    """The artifact `mnist-live` of a run: made once, then updated, so that the history has one version of it."""

    def __init__(self) -> None:
        self.id: UUID | None = None

    def show(self, markdown: str) -> None:
        """Show the Markdown, if the server is there: nobody waits for that while a network trains."""
        try:
            with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
                if self.id:
                    with get_client(sync_client=True) as client:
                        client.update_artifact(self.id, ArtifactUpdate(data=markdown))
                else:
                    created = create_markdown_artifact(markdown, "mnist-live", "The trainings as they go on")
                    self.id = created if isinstance(created, UUID) else None  # its type says both
        except UPLOAD_ERRORS as error:
            LOGGER.debug("How far the trainings are could not be shown: %s", error)
