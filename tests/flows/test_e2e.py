"""Operated with Prefect: deployed, run by hand, guarded, scheduled, cancelled; a real server and worker."""

import json
import os
import re
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect_server import PREFECT, Operation, operated, server, serving, until

pytest_plugins = ["prefect_server"]
SECONDS_BETWEEN_SCHEDULED_RUNS = 20


def test_deployments(operation: Operation) -> None:
    """The four deployments are there, each with its description, schedule and pool."""
    deployments = {found["name"]: found for found in operation.ask("POST", "/deployments/filter", {})}
    assert set(deployments) == {"nightly", "weekly-seeds", "tutorial", "handwriting"}
    schedules = {
        name: [(schedule["slug"], schedule["schedule"]["cron"]) for schedule in found["schedules"]]
        for name, found in deployments.items()
    }
    assert schedules == {
        "nightly": [("nightly", "0 4 * * *")],
        "weekly-seeds": [("weekly", "0 6 * * 6")],
        "tutorial": [],
        "handwriting": [],
    }
    assert all(found["description"] and found["tags"] for found in deployments.values())
    assert {found["work_pool_name"] for found in deployments.values()} == {"mnist-process"}
    assert deployments["nightly"]["global_concurrency_limit"]["limit"] == 1


def test_form(operation: Operation) -> None:
    """The form in the UI is made from the flow: each parameter with its description, limits and default."""
    fields = operation.deployment("nightly")["parameter_openapi_schema"]["properties"]
    assert all(field.get("description") for field in fields.values())
    assert fields["batch_size"]["minimum"] == 1
    assert fields["batch_size"]["default"] == 128


def test_run(operation: Operation, completed: dict[str, Any]) -> None:
    """A deployment run is named for what it does, and its branches, report and table are on the server."""
    assert completed["name"] == "mnist-dense-2-seeds-1-epochs-500-images"
    assert {"download-mnist", "train-dense-seed-0", "train-dense-seed-1", "compare", "report"} <= set(
        operation.task_runs(completed)
    )
    body = {"artifacts": {"flow_run_id": {"any_": [completed["id"]]}}}
    found = {each["key"]: each["data"] for each in operation.ask("POST", "/artifacts/filter", body)}
    assert "data:image/png;base64," in found["mnist-report"]
    assert [row["seed"] for row in json.loads(found["mnist-results"])] == [0, 1]


@pytest.mark.long
def test_paths_of_a_deployed_run(operation: Operation) -> None:
    """A run that names a data set outside of what its worker allows fails, and says what is allowed."""
    run = operation.finished("tutorial", dataset="/etc")
    assert run["state_type"] == "FAILED"
    assert "dataset names /etc, but deployed runs may use only" in run["state"]["message"]


@pytest.mark.long
def test_reused_training(operation: Operation, completed: dict[str, Any]) -> None:
    """A second run of the same shows its trainings as Cached."""
    again = operation.finished("tutorial", seeds=[0, 1])
    assert again["state_type"] == "COMPLETED", again["state"]
    assert operation.task_runs(again)["train-dense-seed-0"] == "Cached"


@pytest.mark.long
def test_gate_that_fails(operation: Operation, completed: dict[str, Any]) -> None:
    """A run below its gate ends Failed and says by how much; its report is written and shown all the same."""
    run = operation.finished("nightly", min_test_accuracy=0.999, pixel_scaling="none")
    assert run["state_type"] == "FAILED"
    message = run["state"]["message"]
    assert "99.9" in message
    assert Path(message.rsplit("The report: ", 1)[1]).read_text().startswith("# ")
    report, gates = operation.artifact("mnist-report"), operation.artifact("mnist-gates")
    assert report["flow_run_id"] == gates["flow_run_id"] == run["id"]
    assert "NO" in gates["data"]


@pytest.mark.long
def test_cancelled_run(operation: Operation) -> None:
    """Cancelled from the command line, a run ends its training within 30 seconds; the next one goes on there."""
    long = {"models": ["cnn"], "seeds": [7], "train_samples": 5000, "epochs": 1000}

    def cancel(run: dict[str, Any]) -> None:
        operation.prefect("flow-run", "cancel", run["id"])
        until(lambda: not operation.trainings("cnn-7-"), operation.log, deadline=30)
        run = operation.ended(lambda: operation.ask("GET", f"/flow_runs/{run['id']}"))
        assert run["state_type"] == "CANCELLED"

    def resumed() -> bool:
        body = {"logs": {"flow_run_id": {"any_": [second["id"]]}}}
        lines = [log["message"] for log in operation.ask("POST", "/logs/filter", body)]
        return any(re.search(r"process ready, [1-9]\d* of 1000 epochs done before", line) for line in lines)

    first = operation.started("tutorial", **long)
    until(lambda: list(operation.artifacts.glob("trainings/cnn-7-*/checkpoint-*")), operation.log)
    cancel(first)
    second = operation.started("tutorial", **long)
    until(resumed, operation.log)
    cancel(second)


@pytest.mark.long
def test_scheduled_run(operation: Operation) -> None:
    """A schedule creates runs by itself, and they complete; after all this the server's log holds no ERROR.

    But for two of Prefect's own on a busy machine: "database is locked", of SQLite, and an automation that is read
    anew while its trigger, which holds it by a weak reference, is evaluated (the next evaluation finds it).
    """
    tutorial = operation.deployment("tutorial")["id"]
    schedule = {
        "schedule": {
            "interval": SECONDS_BETWEEN_SCHEDULED_RUNS,
            "anchor_date": datetime.now(UTC).isoformat(),
            "timezone": "UTC",
        },
        "active": True,
        "parameters": operation.quick(),
    }
    [created] = operation.ask("POST", f"/deployments/{tutorial}/schedules", [schedule])
    body = {
        "flow_runs": {
            "tags": {"all_": ["auto-scheduled"]},
            "state": {"type": {"any_": ["RUNNING", "COMPLETED"]}},
        },
        "deployments": {"id": {"any_": [tutorial]}},
        "sort": "EXPECTED_START_TIME_ASC",
        "limit": 1,
    }

    def first() -> dict[str, Any] | None:
        found = operation.ask("POST", "/flow_runs/filter", body)
        return found[0] if found else None

    until(first, operation.log)
    operation.ask("DELETE", f"/deployments/{tutorial}/schedules/{created['id']}")
    run = operation.ended(first)
    assert run["state_type"] == "COMPLETED", run["state"]
    assert run["created_by"]["type"] == "SCHEDULE"
    records = re.split(r"^(?=[\d:.]+ \| )", operation.log.read_text(), flags=re.MULTILINE)
    errors = [record for record in records if "| ERROR " in record]
    busy = ("database is locked", "Trigger._automation has been garbage collected")
    assert [error for error in errors if not any(words in error for words in busy)] == []


@pytest.mark.long
def test_restarted_server(tmp_path: Path, mnist: Path) -> None:
    """A run whose server is killed, and comes back when it has trained, is Completed, with its artifacts."""
    with operated(tmp_path, mnist) as operation:
        run = operation.started("tutorial", models=["cnn"], train_samples=2000, epochs=4)
        trainings = operation.artifacts / "trainings"
        until(lambda: list(trainings.glob("*/checkpoint-*")), operation.log)
        os.killpg(operation.process.pid, signal.SIGKILL)
        until(lambda: list(trainings.glob("*/training.json")), operation.log)
        with serving(operation.environment, operation.url, operation.log):
            run = operation.ended(lambda: operation.ask("GET", f"/flow_runs/{run['id']}"))
            assert run["state_type"] == "COMPLETED", run["state"]
            for key in ("mnist-report", "mnist-results", "mnist-history"):
                assert operation.artifact(key)["flow_run_id"] == run["id"]


@pytest.mark.long
def test_password(tmp_path: Path) -> None:
    """With a password, the server answers who knows it, and neither who has none nor who has a wrong one."""
    with server(tmp_path, PREFECT_SERVER_API_AUTH_STRING="operator:correct") as guarded:
        deployments = f"{guarded.api_url}/deployments/filter"

        def status(auth: tuple[str, str] | None) -> int:
            return httpx.post(deployments, json={}, auth=auth, timeout=60).status_code

        assert status(None) == 401
        assert status(("operator", "wrong")) == 401
        assert status(("operator", "correct")) == 200
        for password, succeeds in (("wrong", False), ("correct", True)):
            guarded.environment["PREFECT_API_AUTH_STRING"] = f"operator:{password}"
            assert (guarded.run(PREFECT, "work-pool", "ls").returncode == 0) is succeeds
