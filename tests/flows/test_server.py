"""The server that a script uses: the configured one, or a temporary one; what is said when neither works."""

import logging
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psutil
import pytest

from flows.cli import automations, script, temporary_server
from flows.cli.script import check_server
from flows.cli.temporary_server import ServerFailedError
from tasks.errors import UserError, explain


class SomethingElse(BaseHTTPRequestHandler):
    """A web server that answers everything with a page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>welcome</html>")

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def something_else() -> Iterator[str]:
    """The address of a server that is not Prefect's."""
    with HTTPServer(("127.0.0.1", 0), SomethingElse) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}/api"
        server.shutdown()


def complaint(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What is said of a configured address."""
    monkeypatch.setenv("PREFECT_API_URL", url)
    with script.temporary_settings({script.PREFECT_API_URL: url}), pytest.raises(UserError) as caught:
        check_server(url)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_something_else_answers(something_else: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is no Prefect server is told from one, and a password in its address is not shown."""
    said = complaint(f"http://me:secret@{something_else}", monkeypatch)
    assert f"No Prefect server answers at http://me:***@{something_else}" in said
    assert "secret" not in said


@pytest.mark.parametrize("password", ["secret", "se:cr@et", "se%20cret"])
def test_passwords_in_addresses(password: str) -> None:
    """What Prefect logs to the terminal of a script, such as a run's address, shows no password."""
    address = f"View at http://me:{password}@host:4200/runs/1"
    record = logging.makeLogRecord({"msg": "%s, ask @me", "args": (address,)})
    assert script.is_printable(record)
    assert record.getMessage() == "View at http://me:***@host:4200/runs/1, ask @me"


@pytest.mark.parametrize("kind", [UserError, ServerFailedError, RuntimeError, OSError])
def test_errors_tell_no_password(kind: type[Exception]) -> None:
    """What results.json, the report and a command say of an error shows no password of an address in it."""
    said = explain(kind("404 for url 'postgresql+asyncpg://prefect:secret@127.0.0.1:5432/x'"))
    assert said.endswith("404 for url 'postgresql+asyncpg://prefect:***@127.0.0.1:5432/x'")


def test_automations_show_no_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command that creates the automations says what is wrong with a server, and no password."""
    url = f"http://me:secret@127.0.0.1:{temporary_server.free_port()}/api"
    with script.temporary_settings({script.PREFECT_API_URL: url}):
        assert automations.command() == 1
    said = capsys.readouterr().err
    assert "http://me:***@127.0.0.1" in said
    assert "secret" not in said


def test_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a server that takes the connection and says nothing, one line is said when patience ends."""
    monkeypatch.setattr(script, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = complaint(f"http://127.0.0.1:{silent.getsockname()[1]}/api", monkeypatch)
    assert "Timeout" in said


def test_a_proxy_that_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy setting that is no address is named before anything is started."""
    monkeypatch.setenv("HTTP_PROXY", "::::")
    with pytest.raises(UserError, match="proxy setting cannot be followed"), script.prefect_server():
        pass


def test_a_server_that_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary server that ends at once, here for its database, is not waited for; its last error is said."""
    (tmp_path / "prefect.db").write_bytes(b"this is no database " * 200)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", f"sqlite+aiosqlite:///{tmp_path}/prefect.db")
    with pytest.raises(ServerFailedError, match="file is not a database"):
        temporary_server.temporary_server()
    running = [process.info for process in psutil.process_iter(["cmdline", "environ"])]
    # What just ends has neither: None.
    here = [found for found in running if (found["environ"] or {}).get("PREFECT_HOME") == str(tmp_path)]
    assert not [found for found in here if "uvicorn" in (found["cmdline"] or [])]


def needed(home: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> bool:
    """Whether a script with these arguments would start a server before its own imports."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(home))
    monkeypatch.chdir(home)
    return temporary_server.is_surely_needed(arguments)


def test_the_server_starts_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server is started before the imports, also where its first start makes the database."""
    assert needed(tmp_path, monkeypatch, "--epochs", "2")


@pytest.mark.parametrize(("url", "early"), [("", True), ("http://there:4200/api", False)])
def test_an_empty_address_is_none(
    url: str, early: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for Prefect, PREFECT_API_URL names a server only if there is something in it."""
    monkeypatch.setenv("PREFECT_API_URL", url)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert temporary_server.is_surely_needed([]) is early


def test_help_starts_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the flags are only shown, no server is started."""
    assert not needed(tmp_path, monkeypatch, "--help")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("profiles.toml", '[profiles.office]\nPREFECT_API_URL = "http://there:4200/api"\n'),
        (".env", "PREFECT_API_URL=http://there:4200/api\n"),
        ("prefect.toml", '[api]\nurl = "http://there:4200/api"\n'),
    ],
)
def test_no_server_starts_early_beside_a_configured_one(
    file: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one of Prefect's settings files names a server, none is started before Prefect has read it."""
    (tmp_path / file).write_text(text)
    assert not needed(tmp_path, monkeypatch)
