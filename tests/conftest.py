"""What all tests share: a Prefect of their own, MNIST, and the order in which they run side by side."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

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

settings.register_profile("any speed", deadline=None)  # no test fails because the machine is busy
settings.load_profile("any speed")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group tests, so that side by side too what they share is made once; what takes longest comes first.

    One process does all tests of the shared server, and one the short tests of a file. Each long test stands
    alone, unless its file names a group.
    """
    ranks = {}
    for item in items:
        long = item.get_closest_marker("long") is not None
        if "operation" in getattr(item, "fixturenames", ()):
            ranks[item] = 0
            item.add_marker(pytest.mark.xdist_group("server"))
        elif long:
            ranks[item] = 1
        else:
            ranks[item] = 2
            if item.get_closest_marker("xdist_group") is None:
                item.add_marker(pytest.mark.xdist_group(str(item.path)))
    items.sort(key=ranks.__getitem__)


@pytest.fixture(scope="session")
def mnist() -> Path:
    """The path of the real MNIST: $MNIST_PIPELINE_TEST_DATA, or the repository's, downloaded if absent."""
    from tasks.data.download import download

    if given := os.environ.get("MNIST_PIPELINE_TEST_DATA"):
        return Path(given)
    folder = Path(__file__).resolve().parents[1] / "artifacts" / "data"
    return Path(download("mnist", folder, print).path)
