"""prefect.git.yaml: a worker in an empty folder fetches the code from a bare repository for each run."""

import os
import subprocess
from pathlib import Path

import pytest
from pipeline_runs import few_digits, results_of
from prefect_server import DEADLINE, FINAL, PREFECT, PROJECT, QUICK, running, server, until

pytestmark = pytest.mark.long

POOL = "mnist-git"
AUTHOR = ("-c", "user.name=Test", "-c", "user.email=test@example.com")


def git(folder: Path, *words: str) -> str:
    """Run a git command that has to succeed; return what it printed."""
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def bare_repository(folder: Path) -> tuple[Path, str]:
    """Make a bare repository of the code as it is here, on the branch main; return it and its only commit."""
    work = folder / "work"
    files = git(
        PROJECT, "ls-files", "--cached", "--others", "--exclude-standard", "flows", "tasks"
    ).splitlines()
    for name in [*files, "prefect.toml"]:
        if (PROJECT / name).is_file():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).write_bytes((PROJECT / name).read_bytes())
    git(work, "init", "--quiet", "--initial-branch", "main")
    git(work, "add", ".")
    git(work, *AUTHOR, "commit", "--quiet", "--message", "The code of the test")
    git(folder, "clone", "--quiet", "--bare", str(work), "mnist-pipeline.git")
    return folder / "mnist-pipeline.git", git(work, "rev-parse", "HEAD")


def test_code_from_git(tmp_path: Path, mnist: Path) -> None:
    """Runs have the repository's code and keep all outside of their clones; the second one reuses the training.

    A worker that names no folder for what is kept takes a run, which ends before it trains for nothing.
    """
    repository, commit = bare_repository(tmp_path)
    digits, artifacts, empty = few_digits(mnist, tmp_path / "few.npz"), tmp_path / "kept", tmp_path / "empty"
    empty.mkdir()
    with server(tmp_path) as made:
        made.environment["MNIST_PIPELINE_REPOSITORY"] = f"file://{repository}"
        made.prefect("work-pool", "create", POOL, "--type", "process")
        made.prefect("deploy", "--all", "--no-prompt", "--prefect-file", "prefect.git.yaml")
        deployment = made.ask("GET", "/deployments/name/mnist-pipeline/from-git")
        asked = {"parameters": QUICK | {"dataset": str(digits)}}
        environment = {**made.environment, "MNIST_PIPELINE_ARTIFACTS": str(artifacts)}
        worker = [PREFECT, "worker", "start", "--pool", POOL]
        log = tmp_path / "worker.log"

        def end_of_run() -> str:
            run = made.ask("POST", f"/deployments/{deployment['id']}/create_flow_run", asked)

            def state() -> str | None:
                seen = made.ask("GET", f"/flow_runs/{run['id']}")["state_type"]
                return str(seen) if seen in FINAL else None

            return str(until(state, log))

        with running(worker, made.environment, log, empty):
            assert end_of_run() in ("FAILED", "CRASHED")
        assert "MNIST_PIPELINE_ARTIFACTS: Start the worker with a folder that stays" in log.read_text()
        assert os.listdir(empty) == []
        with running(worker, environment, log, empty):
            for origin in ("trained", "reused"):
                assert end_of_run() == "COMPLETED", log.read_text()
                results = results_of(artifacts)
                assert results["provenance"]["commit"] == commit
                [training] = results["models"]["dense"]["trainings"]
                assert training["origin"] == origin
    assert os.listdir(empty) == []
