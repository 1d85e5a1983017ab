"""What all tests share: a Prefect of their own, MNIST, and what a run of the script starts from."""

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


@pytest.fixture
def artifacts(tmp_path: Path, mnist: Path) -> Path:
    """An artifacts folder that has nothing but the data set."""
    (tmp_path / "artifacts" / "data").mkdir(parents=True)
    (tmp_path / "artifacts" / "data" / "mnist.npz").symlink_to(mnist)
    return tmp_path / "artifacts"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment without a Prefect server and with an empty Prefect home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return {**kept, "PREFECT_HOME": str(tmp_path / "prefect")}
