"""Retry, and Pause with Resume, by the buttons of the Prefect UI: nothing that was finished is trained again.

Two trainings one after the other; the run is disturbed when one has finished and the other one is under way.
That one is halted first (SIGSTOP), so that no test depends on how fast it trains or the browser clicks.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from chromium import MILLISECONDS, headless_browser, in_chromium
from pipeline_runs import bits_of, checkpoints, few_digits, finished, record_of, unfinished
from prefect_server import Operation, until

pytest_plugins = ["prefect_server"]
pytestmark = [pytest.mark.long, in_chromium]

EPOCHS = 12


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    """A page of headless Chromium."""
    with headless_browser() as browser:
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.set_default_timeout(MILLISECONDS)
        yield page


@pytest.fixture(scope="module")
def digits(mnist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set that is evaluated in no time."""
    return few_digits(mnist, tmp_path_factory.mktemp("digits") / "few.npz")


@pytest.fixture(scope="module")
def undisturbed(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The bits of a run that nobody disturbs."""
    flags = f"--models cnn --seeds 0 1 --train-samples 500 --epochs {EPOCHS} --pixel-scaling none"
    folder = tmp_path_factory.mktemp("undisturbed")
    return bits_of(finished(folder, (*flags.split(), "--dataset", str(digits))))


@dataclass
class Halfway:
    """A run of which one training has finished and the other one is halted."""

    operation: Operation
    run: dict[str, Any]
    training: psutil.Process
    flow: psutil.Process
    before: dict[str, float]  # when each training's record was written, by its folder

    def look(self) -> dict[str, Any]:
        """Return the run as the server sees it."""
        return dict(self.operation.ask("GET", f"/flow_runs/{self.run['id']}"))

    def until_is(self, state: str) -> None:
        """Return when the run is in this state and neither its process nor a training is left."""
        until(lambda: self.look()["state_name"] == state, self.operation.log, deadline=120)
        until(lambda: not self.flow.is_running(), self.operation.log, deadline=60)
        until(lambda: not self.operation.trainings(""), self.operation.log, deadline=60)

    def log(self) -> list[str]:
        """Return what the run logged."""
        body = {"logs": {"flow_run_id": {"any_": [self.run["id"]]}}}
        return [line["message"] for line in self.operation.ask("POST", "/logs/filter", body)]

    def is_no_failure(self) -> None:
        """The training that was stopped did not fail; one sentence says that its epochs are kept."""
        assert "Failed" not in self.operation.task_runs(self.run).values()
        [said] = [line for line in self.log() if "stopped with the run" in line]
        assert "finished epochs are kept" in said
        assert "Finished in state Running()" not in self.log()


@pytest.fixture
def halfway(operation: Operation, digits: Path, tmp_path: Path) -> Halfway:
    """A run with an artifacts folder of its own, one training finished, the other one halted after some epochs."""
    own = dataclasses.replace(operation, artifacts=tmp_path / "artifacts")
    asked = {"models": ["cnn"], "seeds": [0, 1], "epochs": EPOCHS, "dataset": str(digits)}
    run = own.started("tutorial", **asked)

    def one_of_two() -> psutil.Process | None:
        folders = unfinished(own.artifacts)
        running = [process for name in folders for process in own.trainings(name)]
        return running[0] if records(own.artifacts) and running else None

    training = until(one_of_two, own.log)
    training.suspend()
    [epochs] = unfinished(own.artifacts).values()
    assert 0 < epochs < EPOCHS
    return Halfway(own, run, training, training.parent(), records(own.artifacts))


def records(artifacts: Path) -> dict[str, float]:
    """Return when each finished training's record was written, by the name of its folder."""
    return {path.parent.name: path.stat().st_mtime for path in artifacts.glob("trainings/*/training.json")}


def click(page: Any, halfway: Halfway, item: str, button: str) -> None:
    """Choose an item of the menu on the run's page, and confirm it."""
    page.goto(f"{halfway.operation.url}/v2/runs/flow-run/{halfway.run['id']}")
    page.get_by_role("button", name="Open menu").first.click()
    page.get_by_role("menuitem", name=item, exact=True).click()
    page.get_by_role("dialog").or_(page.get_by_role("alertdialog")).get_by_role(
        "button", name=button, exact=True
    ).click()


def is_cancelled(page: Any, halfway: Halfway) -> None:
    """The run is cancelled in the UI, which paints no training red."""
    click(page, halfway, "Cancel", "Cancel Flow Run")
    halfway.until_is("Cancelled")
    halfway.is_no_failure()


def is_paused(page: Any, halfway: Halfway) -> None:
    """The run is paused in the UI, which Prefect calls suspended."""
    click(page, halfway, "Pause", "Pause Flow Run")
    halfway.until_is("Suspended")
    halfway.is_no_failure()


@pytest.mark.parametrize(
    ("disturbed", "item"),
    [(is_paused, "Resume"), (is_cancelled, "Retry")],
)
def test_goes_on(page: Any, halfway: Halfway, undisturbed: dict[str, Any], disturbed: Any, item: str) -> None:
    """The run goes on: what was finished stays, what was under way continues, and the bits are as undisturbed."""
    disturbed(page, halfway)
    artifacts = halfway.operation.artifacts
    [(name, epochs)] = unfinished(artifacts).items()
    assert "Traceback" not in "\n".join(halfway.log())
    click(page, halfway, item, item)
    until(lambda: halfway.look()["state_type"] == "COMPLETED", halfway.operation.log)
    assert record_of(artifacts / "trainings" / name)["resumed_after"] == [epochs]
    assert records(artifacts).items() >= halfway.before.items()
    assert set(checkpoints(artifacts).values()) == {EPOCHS}
    assert bits_of(artifacts) == undisturbed
    until(lambda: not halfway.operation.trainings(""), halfway.operation.log, deadline=60)
