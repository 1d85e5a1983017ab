"""The artifacts of a run in Prefect, created with a stand-in for Prefect's API."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from hand_made import gate, network, on_test, run, training
from prefect.logging import disable_run_logger
from synthetic import make_run

from tasks.comparison.compare import Limits
from tasks.report import publish as publish_module
from tasks.report.history import update_history
from tasks.report.publish import gate_rows, publish, result_rows
from tasks.report.write import write_report
from tasks.results.enums import GateOutcome, GateReason
from tasks.results.file import read_results
from tasks.results.run import Results
from tasks.results.training import FailedTraining


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a gate, after an earlier run."""
    folder, both = tmp_path_factory.mktemp("artifacts"), ("dense", "cnn")
    make_run(folder, models=both, test_images=100, name="20260101T000000Z-first")
    folder = make_run(folder, models=both, test_images=100, limits=Limits(min_test_accuracy=0.5))
    write_report(folder, read_results(folder))
    return folder


@pytest.fixture(scope="module")
def results(run_folder: Path) -> Results:
    """Its results."""
    return read_results(run_folder)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """The artifacts that are created, by key."""
    created: dict[str, dict[str, Any]] = {}

    def create(**given: Any) -> None:
        created[given["key"]] = given

    monkeypatch.setattr(publish_module, "create_markdown_artifact", create)
    monkeypatch.setattr(publish_module, "create_table_artifact", create)
    return created


def test_artifacts(run_folder: Path, results: Results, made: dict[str, dict[str, Any]]) -> None:
    """The report carries the comparison and no other picture; the table has a row per training."""
    publish(run_folder, results, update_history(run_folder, results))
    assert list(made) == ["mnist-report", "mnist-results", "mnist-gates", "mnist-comparison", "mnist-history"]
    assert made["mnist-report"]["markdown"].count("data:image/png;base64,") == 1
    assert "](figures/" not in made["mnist-report"]["markdown"]
    assert [row["network"] for row in made["mnist-results"]["table"]] == ["dense", "cnn"]
    assert "20260101T000000Z-first" in made["mnist-comparison"]["markdown"]
    assert "data:image/png;base64," in made["mnist-history"]["markdown"]


def test_nothing_to_compare_and_no_gate(
    run_folder: Path, results: Results, made: dict[str, dict[str, Any]]
) -> None:
    """The first run without gates has neither the comparison nor the gates."""
    first = results.model_copy(update={"gates": [], "previous_run": None})
    publish(run_folder, first, update_history(run_folder, first))
    assert list(made) == ["mnist-report", "mnist-results", "mnist-history"]


def test_a_failed_gate_comes_first() -> None:
    """The table starts with the gates that did not hold; one that was not judged did not pass."""
    gates = [
        gate(outcome=GateOutcome.HELD, observed=0.98),
        gate(outcome=GateOutcome.NOT_JUDGED, reason=GateReason.NOT_IN_THIS_RUN, model="dense"),
        gate(outcome=GateOutcome.NOT_HELD, observed=0.98, limit=0.999),
    ]
    rows = gate_rows(run({"cnn": network()}, gates=gates))
    passed = [(row["passed"], row["network"]) for row in rows]
    assert passed == [("NO", "cnn"), ("not judged", "dense"), ("yes", "cnn")]
    assert (rows[0]["limit"], rows[0]["observed"]) == (0.999, 0.98)
    assert "is below the 99.90 % required" in str(rows[0]["message"])


def test_failing_upload_is_a_warning(
    run_folder: Path, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When Prefect does not take the artifacts, the run goes on."""

    def refuse(**given: Any) -> None:
        raise httpx.ConnectError("refused")

    monkeypatch.setattr(publish_module, "create_markdown_artifact", refuse)
    with disable_run_logger():
        publish(run_folder, results, update_history(run_folder, results))


def test_failed_training_in_table() -> None:
    """In Prefect's table a failed training has a row that says so, with all columns."""
    failed = FailedTraining(seed=3, error="killed")
    first, second = result_rows(run({"cnn": network(training(0), failed)}))
    assert list(first) == list(second)
    shown = [second[column] for column in ("network", "seed", "test accuracy", "onset")]
    assert shown == ["cnn", 3, None, "failed"]


def test_numbers_for_reading() -> None:
    """The table has the digits that a person reads; a loss that is not there stays away."""
    measured, diverged = on_test(29 / 30, nll=0.15515643060193215), on_test(nll=None)
    first, second = result_rows(run({"cnn": network(training(0, test=measured), training(1, test=diverged))}))
    assert (first["test accuracy"], first["test NLL"], first["seconds"]) == (0.9667, 0.1552, 23.1)
    assert second["test NLL"] is None
