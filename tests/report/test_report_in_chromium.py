"""report.html and the page of a run that goes on, in Chromium: asked, printed, and checked by axe-core."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import MILLISECONDS, headless_browser, in_chromium, violations
from specified import specified
from synthetic import make_run

from tasks.files import write_json
from tasks.report.live import LivePage
from tasks.report.write import write_report
from tasks.results.file import read_results
from tasks.training.progress import ProgressRecord, Stage

pytest_plugins = ["chromium"]
pytestmark = in_chromium
SCREENS = {"wide": {"width": 1280, "height": 800}, "narrow": {"width": 375, "height": 700}}


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three networks with two seeds each, with its report."""
    folder = make_run(tmp_path_factory.mktemp("run"), seeds=(0, 1), test_images=200)
    write_report(folder, read_results(folder))
    return folder


@pytest.fixture(scope="module")
def live_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of which one training runs and one waits."""
    folder = tmp_path_factory.mktemp("live")
    for name in ("progress", "trainings"):
        (folder / name).mkdir()
    record = ProgressRecord(
        stage=Stage.RUNNING, epochs_done=2.5, epoch_seconds=1.0, train_nll=[0.4, 0.3], val_nll=[0.5, 0.4]
    )
    write_json(folder / "progress" / "dense-0.json", record.model_dump(mode="json"))
    page = LivePage(folder, [specified("dense"), specified("cnn")])
    page.upload_after = float("inf")  # nothing is shown in Prefect
    page.write()
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium."""
    with headless_browser() as browser:
        yield browser


def opened(browser: Any, folder: Path, screen: str = "wide", **context: Any) -> Any:
    """The page of a run, opened from its file on a screen of that size."""
    page = browser.new_context(viewport=SCREENS[screen], **context).new_page()
    page.set_default_timeout(MILLISECONDS)
    page.goto(f"{(folder / 'report.html').as_uri()}#held")  # a page that goes on does not reload meanwhile
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("kind", ["run", "live"])
def test_accessible(browser: Any, axe: str, request: Any, kind: str, screen: str, scheme: str) -> None:
    """axe-core finds no violation, with all details open."""
    page = opened(browser, request.getfixturevalue(f"{kind}_folder"), screen, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    assert violations(page, axe) == []


@pytest.mark.parametrize("screen", SCREENS)
def test_first_screen(browser: Any, run_folder: Path, screen: str) -> None:
    """Without scrolling one sees the finding, the whole comparison, and how the run ended; nothing sticks out."""
    page = opened(browser, run_folder, screen)
    finding = page.get_by_text("Highest test accuracy").first
    picture = page.locator("img[alt^='Test accuracy']")
    ended = page.get_by_text("Completed after")
    for each in (finding, picture, ended):
        box = each.bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= SCREENS[screen]["height"]
    assert page.evaluate("document.documentElement.scrollWidth") <= SCREENS[screen]["width"]


def test_pointer_and_keys_ask_a_curve(browser: Any, run_folder: Path) -> None:
    """Where the pointer is, and where the arrow keys lead, the page says the values of results.json."""
    page = opened(browser, run_folder)
    place = page.locator(".asked").first
    curve = place.locator("svg")
    box = curve.bounding_box()
    curve.hover(position={"x": box["width"] / 2, "y": box["height"] / 2})
    said = place.locator(".said")
    epoch = int(said.inner_text().split(".")[0].removeprefix("Epoch "))
    trainings = json.loads((run_folder / "results.json").read_text())["models"]["dense"]["trainings"]

    def values(epoch: int) -> str:
        return "; ".join(
            f"seed {each['seed']}: train {each['history']['train_nll'][epoch - 1]:.4f}, "
            f"validation {each['history']['val_nll'][epoch - 1]:.4f}"
            for each in trainings
        )

    assert said.inner_text() == f"Epoch {epoch}. {values(epoch)}."
    assert 20 <= epoch <= 30
    curve.focus()
    page.keyboard.press("ArrowRight")
    assert curve.get_attribute("aria-valuetext") == f"Epoch {epoch + 1}. {values(epoch + 1)}."


def test_seeds_and_scale(browser: Any, run_folder: Path) -> None:
    """A seed that is switched off has no lines; a logarithmic scale moves those of the other."""
    page = opened(browser, run_folder)
    place = page.locator(".asked").first
    lines = place.locator("path.validation")
    assert lines.count() == 2
    place.get_by_label("seed 0").uncheck()
    assert lines.count() == 1
    before = lines.get_attribute("d")
    place.get_by_label("logarithmic").check()
    assert lines.get_attribute("d") != before


def test_onset_is_drawn(browser: Any, run_folder: Path) -> None:
    """Each seed's onset, its interval and the smoothed loss are drawn."""
    page = opened(browser, run_folder)
    place = page.locator(".asked").first
    counts = [place.locator(f"svg {what}").count() for what in ("path.onset", "rect.interval", "path.smooth")]
    trainings = read_results(run_folder).models["dense"].finished
    shown = sum(each.onset.status.shows_onset for each in trainings)
    assert shown > 0
    assert counts == [shown, shown, len(trainings)]


def test_nothing_leaves_the_page(browser: Any, run_folder: Path) -> None:
    """Opening, asking and printing the page asks nobody for anything."""
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((run_folder / "report.html").as_uri())
    page.locator(".asked svg").first.hover()
    page.pdf()
    assert [
        url for url in asked if not url.startswith(("data:", (run_folder / "report.html").as_uri()))
    ] == []


def test_without_script(browser: Any, run_folder: Path) -> None:
    """Where scripts are switched off, the pictures stand there."""
    page = opened(browser, run_folder, java_script_enabled=False)
    assert page.locator(".asked").count() == 0
    assert page.locator("img[alt^='Loss and accuracy of dense']").is_visible()


def test_printed_whole(browser: Any, run_folder: Path) -> None:
    """Details are folded on the screen, and open on paper."""
    page = opened(browser, run_folder)
    command = page.get_by_text("The same command on the same machine")
    assert not command.is_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert command.is_visible()
