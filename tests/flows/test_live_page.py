"""The page of a real run, in Chromium, from the start to the report."""

import re
from pathlib import Path

import pytest
from chromium import MILLISECONDS, headless_browser, in_chromium
from pipeline_runs import Run, few_digits, wait_for

pytestmark = in_chromium


def test_the_page_changes_by_itself(tmp_path: Path, mnist: Path) -> None:
    """Opened once, it shows a training that waits, one that runs, its curve, and in the end the report."""
    digits = few_digits(mnist, tmp_path / "digits.npz")
    flags = ("--dataset", str(digits), "--models", "dense", "--seeds", "0", "1", "--epochs", "200")
    run = Run(tmp_path / "artifacts", flags, tmp_path / "log")
    path = run.artifacts / "latest" / "report.html"
    assert wait_for(lambda: path.exists() or not run.alive)
    with headless_browser() as browser:
        page = browser.new_page()
        page.set_default_timeout(MILLISECONDS)
        page.goto(path.as_uri())
        page.get_by_text("0 of 2 trainings done").wait_for()
        page.get_by_text(re.compile("dense, seed 0: epoch [0-9]+ of 200, about")).wait_for()
        page.locator("figure svg path[stroke-width]").first.wait_for()
        page.get_by_text("1 of 2 trainings done").wait_for()
        page.get_by_text("Completed after").wait_for()
        assert run.wait() == 0, run.output
        assert page.locator("noscript").count() == 0  # nothing reloads any more
    assert f"From now on to be seen in {path.resolve()}" in run.output


@pytest.mark.long
def test_a_killed_run_does_not_claim_to_live(tmp_path: Path, mnist: Path) -> None:
    """Two minutes after the last word of a run that was killed, the page says that nothing is written any more."""
    digits = few_digits(mnist, tmp_path / "digits.npz")
    run = Run(tmp_path / "artifacts", ("--dataset", str(digits), "--models", "dense"), tmp_path / "log")
    path = run.artifacts / "latest" / "report.html"
    assert wait_for(path.exists)
    run.kill_everything()
    with headless_browser() as browser:
        page = browser.new_page()
        page.clock.install()
        page.goto(f"{path.as_uri()}#held")
        old = page.get_by_text("Nothing was written here for two minutes")
        page.clock.fast_forward(30_000)
        assert old.is_hidden()
        page.clock.fast_forward(121_000)
        assert old.is_visible()
