"""What a person sees in the Prefect UI, looked at in headless Chromium.

MNIST_PIPELINE_SCREENSHOTS=docs/images keeps what was seen.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import MILLISECONDS, headless_browser, in_chromium, sync_api
from prefect_server import Operation, until

pytest_plugins = ["prefect_server"]
pytestmark = in_chromium


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    """A page of headless Chromium."""
    with headless_browser() as browser:
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.set_default_timeout(MILLISECONDS)
        yield page


def keep(page: Any, name: str) -> None:
    """Keep a picture of the page if a folder for it is named."""
    if folder := os.environ.get("MNIST_PIPELINE_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def ui(operation: Operation) -> str:
    """Return the address of the UI that a server's own address leads to."""
    return f"{operation.url}/v2"


def artifact_page(operation: Operation, run: dict[str, Any], key: str) -> str:
    """Return the address of a run's artifact in the UI."""
    body = {"artifacts": {"flow_run_id": {"any_": [run["id"]]}, "key": {"any_": [key]}}}
    [artifact] = operation.ask("POST", "/artifacts/filter", body)
    return f"{ui(operation)}/artifacts/artifact/{artifact['id']}"


def test_run_page(page: Any, operation: Operation, completed: dict[str, Any]) -> None:
    """The page of a run shows its name, its state, and the parallel branches as task runs."""
    page.goto(f"{ui(operation)}/runs/flow-run/{completed['id']}")
    page.get_by_text(completed["name"]).first.wait_for()
    page.get_by_text("Completed").first.wait_for()
    page.wait_for_timeout(3000)  # the graph is drawn on a canvas
    keep(page, "run")
    page.get_by_role("tab", name="Task Runs").click()
    for task in ("train-dense-seed-0", "train-dense-seed-1"):
        page.get_by_text(task, exact=True).first.wait_for()


def test_report(page: Any, operation: Operation, completed: dict[str, Any]) -> None:
    """The report is shown with its picture."""
    page.goto(artifact_page(operation, completed, "mnist-report"))
    picture = page.locator("img[alt^='Test accuracy']")
    picture.wait_for()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    picture.scroll_into_view_if_needed()
    keep(page, "report")


def test_live_artifact(page: Any, operation: Operation, completed: dict[str, Any]) -> None:
    """The artifact of the run as it went on says in the end that it has ended, and shows the curves."""
    page.goto(artifact_page(operation, completed, "mnist-live"))
    shown = page.get_by_test_id("markdown-display")
    shown.get_by_text("The trainings have ended").wait_for()
    curves = shown.get_by_alt_text("Losses on train and validation images so far")
    assert curves.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    keep(page, "live-artifact")


def test_results_table(page: Any, operation: Operation, completed: dict[str, Any]) -> None:
    """The table of results has one row per network and seed."""
    page.goto(artifact_page(operation, completed, "mnist-results"))
    rows = page.get_by_role("row").filter(has=page.get_by_role("cell", name="dense", exact=True))
    sync_api.expect(rows).to_have_count(2, timeout=MILLISECONDS)


def test_parameters_form(page: Any, operation: Operation) -> None:
    """The form for a custom run shows the parameters with what they mean."""
    page.goto(f"{ui(operation)}/deployments/deployment/{operation.deployment('tutorial')['id']}/run")
    page.get_by_text(re.compile("images per optimizer step")).first.wait_for()


@pytest.mark.long
def test_cancel(page: Any, operation: Operation) -> None:
    """Cancelled on its page, a run ends its training process within 30 seconds, and then is Cancelled."""
    run = operation.started("tutorial", models=["cnn"], seeds=[9], train_samples=5000, epochs=1000)
    until(lambda: operation.trainings("cnn-9-"), operation.log)
    page.goto(f"{ui(operation)}/runs/flow-run/{run['id']}")
    page.get_by_role("button", name="Open menu").first.click()
    page.get_by_role("menuitem", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Cancel Flow Run").click()
    until(lambda: not operation.trainings("cnn-9-"), operation.log, deadline=30)
    run = operation.ended(lambda: operation.ask("GET", f"/flow_runs/{run['id']}"))
    assert run["state_type"] == "CANCELLED"
