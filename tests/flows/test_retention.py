"""What prefect.toml tells the server to forget is forgotten, and nothing else is."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import get_current_settings
from prefect_server import Operation, database, make_older, operated, until

pytest_plugins = ["prefect_server"]
SOON = {
    "PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS": "2",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ORPHAN_CLEANUP_LOOP_SECONDS": "2",
}
KEPT_DAYS = {"runs": 90, "events": 7}  # as docs/operations.md says
OF_A_RUN = {
    "flow_run": "id",
    "flow_run_state": "flow_run_id",
    "task_run": "flow_run_id",
    "log": "flow_run_id",
    "artifact": "flow_run_id",
}


def test_the_days_that_the_documentation_names() -> None:
    """prefect.toml, read from the repository's folder, says what docs/operations.md says."""
    server = get_current_settings().server
    vacuum = server.services.db_vacuum
    days = {"runs": vacuum.retention_period.days, "events": server.events.retention_period.days}
    assert days == KEPT_DAYS
    assert vacuum.enabled_vacuum_types == {"events", "flow_runs", "orphans"}


def count(folder: Path, question: str, *values: Any) -> int:
    """Return the number that a query of the server's database answers."""
    with database(folder) as connection:
        try:
            return int(connection.execute(question, values).fetchone()[0])
        except sqlite3.OperationalError:  # locked
            return -1


def records(folder: Path, run: str) -> dict[str, int]:
    """Return how many records of each kind the database has of a run."""
    found = {
        table: count(folder, f"SELECT count(*) FROM {table} WHERE {column} = ?", run)
        for table, column in OF_A_RUN.items()
    }
    tasks = "SELECT id FROM task_run WHERE flow_run_id = ?"
    states = f"SELECT count(*) FROM task_run_state WHERE task_run_id IN ({tasks})"
    return found | {"task_run_state": count(folder, states, run)}


def finished_and_older(operation: Operation, folder: Path, days: float) -> str:
    """Return the id of a run that ended, once it is in the database whole, and as if so many days ago."""
    run = str(operation.finished("tutorial")["id"])
    until(lambda: min(records(folder, run).values()) > 0, operation.log)
    event = "SELECT count(*) FROM events WHERE event = 'prefect.flow-run.Completed' AND resource LIKE ?"
    until(lambda: count(folder, event, f"%{run}%") == 1, operation.log)
    make_older(folder, days)
    return run


@pytest.mark.long
def test_old_runs_and_events_go(tmp_path: Path, mnist: Path) -> None:
    """A run that ended 91 days ago goes with all its records, one of 83 days stays; of both the events go."""
    with operated(tmp_path, mnist, **SOON) as operation:
        old = finished_and_older(operation, tmp_path, days=8)
        young = finished_and_older(operation, tmp_path, days=83)  # and so the first is 91 days old
        before = records(tmp_path, young)
        until(lambda: set(records(tmp_path, old).values()) == {0}, operation.log)
        events = "SELECT count(*) FROM events WHERE occurred < datetime('now', '-7 days')"
        until(lambda: count(tmp_path, events) == 0, operation.log)
        after = records(tmp_path, young)
        assert after.pop("log") >= before.pop("log")  # the worker's last line may come late
        assert after == before
        assert operation.artifact("mnist-report")["flow_run_id"] == young
