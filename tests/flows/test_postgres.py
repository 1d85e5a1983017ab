"""The server on PostgreSQL, for teams: a real one of Debian's package, on the loopback address alone."""

import asyncio
import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect_server import DEADLINE, free_port, operated, until

pytest_plugins = ["prefect_server"]
DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
INITDB = shutil.which("initdb", path=os.pathsep.join([*map(str, DEBIAN[-1:]), os.environ.get("PATH", "")]))
PASSWORD = "only-for-this-test"
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(INITDB is None, reason="needs Debian's postgresql package"),
]


def other_user() -> dict[str, Any]:
    """Return what makes a subprocess run as the package's user, if this one is root, whom PostgreSQL refuses."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@pytest.fixture
def database() -> Iterator[str]:
    """The address of an empty database of a PostgreSQL that lives as long as the test."""
    assert INITDB is not None
    # pytest's own folders are closed to others
    folder = Path(tempfile.mkdtemp(prefix="mnist-pipeline-test-postgres-"))
    user, data, password, port = other_user(), folder / "data", folder / "password", free_port()
    password.write_text(PASSWORD)
    for path in (folder, password):
        os.chown(path, user.get("user", -1), user.get("group", -1))
    initialise = [INITDB, "--pgdata", data, "--username", "prefect", "--auth", "scram-sha-256"]
    initialise += ["--pwfile", password, "--no-sync"]
    subprocess.run(initialise, check=True, capture_output=True, cwd=folder, timeout=DEADLINE, **user)
    serve = [Path(INITDB).with_name("postgres"), "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", folder]
    log = folder / "postgres.log"
    with log.open("wb") as file:
        process = subprocess.Popen(serve, stdout=file, stderr=file, cwd=folder, **user)
    try:
        address = f"prefect:{PASSWORD}@127.0.0.1:{port}/postgres"
        until(lambda: connects(address), log)
        yield address
    finally:
        process.terminate()  # waits for its clients, which have ended
        process.wait(DEADLINE)
        shutil.rmtree(folder)


def ask(address: str, question: str) -> Any:
    """Return the one value that a query answers."""
    import asyncpg

    async def answer() -> Any:
        connection = await asyncpg.connect(f"postgresql://{address}", timeout=10)
        try:
            return await connection.fetchval(question)
        finally:
            await connection.close()

    return asyncio.run(answer())


def connects(address: str) -> bool:
    """Say whether the database answers."""
    import asyncpg

    with contextlib.suppress(OSError, asyncpg.PostgresError):
        return bool(ask(address, "select true"))
    return False


def test_run_with_postgresql(tmp_path: Path, mnist: Path, database: str) -> None:
    """A run works as on SQLite; it and its artifacts are in PostgreSQL, and no SQLite file is made."""
    address = f"postgresql+asyncpg://{database}"
    with operated(tmp_path, mnist, PREFECT_SERVER_DATABASE_CONNECTION_URL=address) as operation:
        run = operation.finished("tutorial")
        assert run["state_type"] == "COMPLETED", run["state"]
        assert operation.artifact("mnist-report")["flow_run_id"] == run["id"]
        assert ask(database, "select count(*) from flow_run where state_type = 'COMPLETED'") == 1
        assert list(tmp_path.rglob("*.db")) == []
        assert [line for line in operation.log.read_text().splitlines() if "ERROR" in line] == []
