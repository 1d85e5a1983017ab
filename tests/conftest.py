"""What all tests share: a Prefect of their own, and MNIST."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

# Prefect reads its settings when it is imported, so they are made here, before any test module imports it.
_prefect_home = tempfile.mkdtemp(prefix="mnist-pipeline-test-prefect-")
atexit.register(shutil.rmtree, _prefect_home, ignore_errors=True)
os.environ.update(
    PREFECT_HOME=_prefect_home,
    PREFECT_SERVER_ANALYTICS_ENABLED="false",
    PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW="ignore",
    DO_NOT_TRACK="1",
)
os.environ.pop("PREFECT_API_URL", None)


@pytest.fixture(scope="session")
def mnist() -> Path:
    """The path of the real MNIST: $MNIST_PIPELINE_TEST_DATA, or the repository's, downloaded if absent."""
    from tasks.data.download import download

    if given := os.environ.get("MNIST_PIPELINE_TEST_DATA"):
        return Path(given)
    folder = Path(__file__).resolve().parents[1] / "artifacts" / "data"
    return Path(download("mnist", folder, print).path)
