"""What all tests share: a Prefect of their own, MNIST, what a run starts from, and their order side by side."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

# Prefect reads its settings when it is imported, so they are made here, before any test module imports it.
_prefect_home = tempfile.mkdtemp(prefix="mnist-pipeline-test-prefect-")
atexit.register(shutil.rmtree, _prefect_home, ignore_errors=True)
os.environ.update(
    PREFECT_HOME=_prefect_home,
    MNIST_PIPELINE_SLOTS=f"{_prefect_home}/slots",  # no test waits for the trainings of another process
    PREFECT_SERVER_ANALYTICS_ENABLED="false",
    PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW="ignore",
    DO_NOT_TRACK="1",
)
os.environ.pop("PREFECT_API_URL", None)

settings.register_profile("any speed", deadline=None)  # no test fails because the machine is busy
settings.load_profile("any speed")

ON_THE_SERVER = ("test_automations.py", "test_browser.py", "test_e2e.py", "test_retry.py")


class Distribution(LoadFileScheduling):
    """Each process of pytest-xdist does a file at a time; the files that share a server are as one."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0]
        return "server" if file.endswith(ON_THE_SERVER) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Distribution:
    """Choose this distribution, not one that pytest-xdist names, and keep the order of the tests."""
    config.option.loadscopereorder = False
    return Distribution(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take longest: if they come last, one process does them while another is idle."""
    items.sort(key=lambda item: item.path.parent.name != "flows")


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
