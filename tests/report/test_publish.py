"""The artifacts of a run in Prefect, created with a stand-in for Prefect's API."""

import copy
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.logging import disable_run_logger
from synthetic import make_run

from tasks.files import read_json
from tasks.report import publish as publish_module
from tasks.report.history import update_history
from tasks.report.publish import gate_rows, gates_in_short, publish, result_rows
from tasks.report.write import write_report

Results = dict[str, Any]
FLOOR = {"min_test_accuracy": {"dense": 0.5, "cnn": 0.999}}


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a gate that failed and one that held, after an earlier run."""
    folder = tmp_path_factory.mktemp("artifacts")
    first = make_run(folder, models=("dense", "cnn"), test_images=500, name="20260101T000000Z-first")
    run = make_run(
        folder,
        models=("dense", "cnn"),
        test_images=500,
        name="20260102T000000Z-second",
        gates=FLOOR,
        previous=first,
    )
    write_report(run)
    return run


@pytest.fixture
def results(run_folder: Path) -> Results:
    """Its results, to be changed at will."""
    return copy.deepcopy(read_json(run_folder / "results.json"))


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
    results.update(gates=[], previous_run=None)
    publish(run_folder, results, update_history(run_folder, results))
    assert list(made) == ["mnist-report", "mnist-results", "mnist-history"]


def test_a_failed_gate_comes_first(results: Results) -> None:
    """The table starts with the gate that failed, says by how much, and its description counts."""
    first, second = gate_rows(results)
    assert (first["network"], first["passed"], second["network"], second["passed"]) == (
        "cnn",
        "NO",
        "dense",
        "yes",
    )
    assert first["limit"] == 0.999
    assert "is below the 99.9" in first["message"]
    assert gates_in_short(results) == "1 of 2 gates failed"


def test_failing_upload_is_a_warning(
    run_folder: Path, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When Prefect does not take the artifacts, the run goes on."""

    def refuse(**given: Any) -> None:
        raise httpx.ConnectError("refused")

    monkeypatch.setattr(publish_module, "create_markdown_artifact", refuse)
    with disable_run_logger():
        publish(run_folder, results, update_history(run_folder, results))


def test_failed_training_in_table(results: Results) -> None:
    """In Prefect's table a failed training has a row that says so."""
    results["models"]["cnn"]["trainings"] = [{"seed": 3, "origin": None, "error": "x", "test": None}]
    row = result_rows(results)[1]
    assert (row["network"], row["seed"], row["test accuracy"], row["onset"]) == ("cnn", 3, None, "failed")


def test_numbers_for_reading(results: Results) -> None:
    """The table has the digits that a person reads; a loss that is not there stays away."""
    training = results["models"]["dense"]["trainings"][0]
    training["test"].update(accuracy=29 / 30, nll=0.15515643060193215)
    training["seconds"] = 23.141592
    row = result_rows(results)[0]
    assert (row["test accuracy"], row["test NLL"], row["seconds"]) == (0.9667, 0.1552, 23.1)
    training["test"]["nll"] = None
    assert result_rows(results)[0]["test NLL"] is None
