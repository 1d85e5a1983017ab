"""Which run is the one before: the newest that succeeded, of the same deployment and with the same data."""

import logging
from pathlib import Path
from typing import Any

import pytest

from tasks import files
from tasks.comparison.previous import previous_run


def make_results(artifacts: Path, name: str, **changed: Any) -> Path:
    """Write the results.json of a run as `compare` would."""
    results = {
        "schema_version": 1,
        "status": "completed",
        "provenance": {"deployment": None},
        "dataset": {"digest": "mnist"},
        **changed,
    }
    path = artifacts / "runs" / name / "results.json"
    files.write_json(path, {**results, "digest": files.digest_of(results)})
    return path


def test_previous_run(tmp_path: Path) -> None:
    """The run before is the newest that succeeded, of the same deployment and with the same data."""
    make_results(tmp_path, "20260101-older")
    expected = make_results(tmp_path, "20260102-newer").parent
    make_results(tmp_path, "20260103-failed", status="failed")
    make_results(tmp_path, "20260104-nightly", provenance={"deployment": "nightly"})
    make_results(tmp_path, "20260105-fashion", dataset={"digest": "fashion"})
    assert previous_run(tmp_path, None, "mnist") == str(expected)
    assert previous_run(tmp_path, "weekly", "mnist") is None


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"status": "completed"}', None])
def test_damaged_results(tmp_path: Path, damage: str | None, caplog: pytest.LogCaptureFixture) -> None:
    """Damaged results, were it a single digit, are passed over with a warning that names them."""
    expected = make_results(tmp_path, "20260101-sound").parent
    damaged = make_results(tmp_path, "20260102-damaged", epochs=1)
    text = damaged.read_text().replace('"epochs": 1', '"epochs": 3')
    damaged.write_text(text if damage is None else damage)
    with caplog.at_level(logging.WARNING):
        assert previous_run(tmp_path, None, "mnist") == str(expected)
    assert "20260102-damaged" in caplog.text
