"""The report step as a whole."""

from pathlib import Path

import pytest
from prefect.logging import disable_run_logger
from synthetic import make_run

from tasks.report import write


def test_a_history_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder called history.csv costs the trend, not the report."""
    run = make_run(tmp_path, models=("dense",), test_images=100)
    (tmp_path / "history.csv").mkdir()
    published = []
    monkeypatch.setattr(write, "publish", lambda *arguments: published.append(arguments[2]))
    with disable_run_logger():
        assert write.report.fn(str(run)) == str(run / "report.md")
    assert published == [None]
    assert (tmp_path / "history.csv").is_dir()
