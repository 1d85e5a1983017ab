"""Which run is the one before: the newest that succeeded, of the same deployment and with the same data."""

import logging
from pathlib import Path
from typing import Any

import pytest
from prefect.logging import disable_run_logger
from synthetic import make_run

from tasks.comparison.previous import find_previous
from tasks.results.enums import Status
from tasks.results.file import read_results, write_results
from tasks.results.run import Results


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The results of a completed run."""
    with disable_run_logger():
        return read_results(
            make_run(tmp_path_factory.mktemp("run"), models=["dense"], epochs=5, test_images=100)
        )


def write_run(artifacts: Path, example: Results, name: str, **changed: Any) -> Path:
    """Write the example's results as those of another run."""
    run_folder = artifacts / "runs" / name
    provenance = example.provenance.model_copy(update={"run": name})
    write_results(run_folder, example.model_copy(update={"provenance": provenance, **changed}))
    return run_folder


def previous_of(artifacts: Path, deployment: str | None, digest: str) -> str | None:
    """The name of the run before the one that is called "now"."""
    earlier = find_previous(artifacts / "runs" / "now", deployment, digest)
    return earlier and earlier.results.provenance.run


def test_previous_run(tmp_path: Path, example: Results) -> None:
    """A failed run, one of another deployment and one with other data are passed over."""
    nightly = example.provenance.model_copy(update={"deployment": "nightly"})
    other = example.dataset.model_copy(update={"digest": "fashion"})
    write_run(tmp_path, example, "20260101-older")
    write_run(tmp_path, example, "20260102-newer")
    write_run(tmp_path, example, "20260103-failed", status=Status.FAILED)
    write_run(tmp_path, example, "20260104-nightly", provenance=nightly)
    write_run(tmp_path, example, "20260105-fashion", dataset=other)
    assert previous_of(tmp_path, None, example.dataset.digest) == "20260102-newer"
    assert previous_of(tmp_path, "weekly", example.dataset.digest) is None


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"status": "completed"}', None])
def test_damaged_results(
    tmp_path: Path, example: Results, damage: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Damaged results, were it a single digit, are passed over with a warning that names them."""
    write_run(tmp_path, example, "20260101-sound")
    path = write_run(tmp_path, example, "20260102-damaged") / "results.json"
    text = path.read_text().replace('"epochs": 5', '"epochs": 3')
    path.write_text(text if damage is None else damage)
    with caplog.at_level(logging.WARNING):
        assert previous_of(tmp_path, None, example.dataset.digest) == "20260101-sound"
    assert "20260102-damaged" in caplog.text
