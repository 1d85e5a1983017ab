"""`python -m tasks.report`, as a person calls it."""

import subprocess
import sys
from pathlib import Path

import pytest
from synthetic import make_run

from tasks.report.write import write_report
from tasks.results.file import RESULTS, read_results
from tasks.store.layout import PROJECT


def report_again(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `python -m tasks.report`."""
    command = [sys.executable, "-m", "tasks.report", *map(str, arguments)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=600)


def test_written_again_is_the_same(tmp_path: Path) -> None:
    """Making the report again gives the same text, byte for byte, and prints where it is."""
    run_folder = make_run(tmp_path, models=["dense"], epochs=2, test_images=100)
    write_report(run_folder, read_results(run_folder))
    names = ("report.md", "report.html")
    before = [(run_folder / name).read_bytes() for name in names]
    done = report_again(run_folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{run_folder / 'report.md'}\n", "")
    assert [(run_folder / name).read_bytes() for name in names] == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["empty"], "holds no results.json"),
        (["old"], "is of schema version 1, and this version of the program reads"),
        ([], "Expected one run folder"),
        (["--flag"], "--flag"),
    ],
)
def test_bad_command_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    """What a person did wrong is said in one line, and the exit code is 2."""
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / RESULTS).write_text('{"schema_version": 1}')
    done = report_again(*(each if each.startswith("-") else tmp_path / each for each in arguments))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert message in done.stderr
