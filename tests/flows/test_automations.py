"""The command that creates the automations, and the notification of a real failed run to a local receiver."""

import json
import queue
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from prefect.events.schemas.automations import EventTrigger
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.settings.models.flows import FlowsSettings
from prefect_server import DEADLINE, Operation, running, until

from flows.cli import automations
from tasks.command_line import run_command

pytest_plugins = ["prefect_server"]


@pytest.fixture
def receiver() -> Iterator[tuple[str, "queue.Queue[dict[str, str]]"]]:
    """The address of a receiver of webhooks, and what it has received."""
    received: queue.Queue[dict[str, str]] = queue.Queue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            """Be quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", received
        server.shutdown()


@pytest.mark.long
def test_notification(operation: Operation, receiver: tuple[str, "queue.Queue[dict[str, str]]"]) -> None:
    """Two calls of the command leave each automation once; a failed run is told with its name and address."""
    address, received = receiver
    command = (sys.executable, "-m", "flows.cli.automations", "--webhook", address)
    outputs = [operation.run(*command).stdout for _ in range(2)]
    assert [output.count("created: ") for output in outputs] == [2, 0]
    assert [output.count("updated: ") for output in outputs] == [0, 2]
    found = operation.ask("POST", "/automations/filter", {})
    assert sorted(each["name"] for each in found) == sorted([automations.LOST, automations.NOTIFY])

    run = operation.finished("tutorial", dataset="/nowhere/mnist.npz")
    assert run["state_type"] == "FAILED"
    text = ""
    while run["name"] not in text:  # other runs of this server may have been told of before
        text = received.get(timeout=DEADLINE)["text"]
    assert "is Failed" in text
    assert f"{operation.url}/" in text
    assert run["id"] in text
    for each in found:  # later runs of this server would call a receiver that is gone
        operation.ask("DELETE", f"/automations/{each['id']}")


@pytest.mark.long
def test_lost_run(operation: Operation, tmp_path: Path) -> None:
    """A run whose process was killed, with no worker to tell of it, is marked Crashed for its silence."""
    silence = timedelta(seconds=20)  # less than the pause between two heartbeats, to keep the test short
    with temporary_settings({PREFECT_API_URL: operation.api_url}):
        automations.put(automations.mark_lost_runs(silence))
    flags = ["--models", "cnn", "--seeds", "8", "--epochs", "1000", "--train-samples", "5000"]
    script = [sys.executable, "flows/mnist_pipeline.py", *flags, "--artifacts-dir", str(operation.artifacts)]
    running_ones = {"flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}}}
    log = tmp_path / "script.log"
    with running(script, operation.environment, log) as process:
        [run] = until(lambda: operation.ask("POST", "/flow_runs/filter", running_ones), log)
        process.kill()
    run = operation.ended(lambda: operation.ask("GET", f"/flow_runs/{run['id']}"))
    assert run["state_type"] == "CRASHED"
    assert "Nothing was heard of this run for 20 s" in run["state"]["message"]
    for each in operation.ask("POST", "/automations/filter", {}):
        operation.ask("DELETE", f"/automations/{each['id']}")


def test_a_heartbeat_is_a_sign_of_life() -> None:
    """A run is lost when three heartbeats in a row are missing, and no end of the run was told either.

    So is one that a worker took and that never began, because both died.
    """
    trigger = automations.mark_lost_runs().trigger
    assert isinstance(trigger, EventTrigger)
    assert trigger.after == automations.events("Pending", "Running", "heartbeat")
    assert {"prefect.flow-run.heartbeat", "prefect.flow-run.Completed"} < trigger.expect
    assert trigger.within == 3 * timedelta(seconds=FlowsSettings.model_fields["heartbeat_frequency"].default)


def test_no_server(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a server's address the command says which setting is missing, and ends with code 2."""
    monkeypatch.setattr(sys, "argv", ["automations"])
    assert run_command("automations", "automations", automations.command) == 2
    assert "PREFECT_API_URL is not set" in capsys.readouterr().err
