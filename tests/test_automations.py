"""The command that creates the automations, and the notification of a real failed run to a local receiver."""

import json
import queue
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from prefect_server import DEADLINE, Operation

from flows import automations

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


@pytest.mark.e2e
@pytest.mark.slow
def test_notification(operation: Operation, receiver: tuple[str, "queue.Queue[dict[str, str]]"]) -> None:
    """Two calls of the command leave each automation once; a failed run is told with its name and address."""
    address, received = receiver
    command = (sys.executable, "-m", "flows.automations", "--webhook", address)
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


def test_no_server(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a server's address the command says which setting is missing, and ends with code 2."""
    monkeypatch.setattr(sys, "argv", ["automations"])
    assert automations.main() == 2
    assert "PREFECT_API_URL is not set" in capsys.readouterr().err
