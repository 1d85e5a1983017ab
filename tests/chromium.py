"""Debian's Chromium without a screen, for tests that look at pages."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from prefect_server import DEADLINE

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")

CHROMIUM = shutil.which("chromium")
in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium package")
AXE = "axe-core@4.14.1"  # https://github.com/dequelabs/axe-core
MILLISECONDS = DEADLINE * 1000 / 5
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@contextlib.contextmanager
def headless_browser() -> Iterator[Any]:
    """Start a browser without windows, and end it."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET), timeout=MILLISECONDS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core, from the npm registry; nothing is installed."""
    folder = tmp_path_factory.mktemp("axe")
    if shutil.which("npm") is None:
        pytest.skip("needs npm, which brings axe-core")
    packed = subprocess.run(["npm", "pack", AXE], cwd=folder, capture_output=True, text=True, timeout=300)
    if packed.returncode:
        pytest.skip(f"npm does not bring {AXE}: {packed.stderr[-200:]}")
    shutil.unpack_archive(folder / packed.stdout.split()[-1], folder)
    return (folder / "package" / "axe.min.js").read_text()


def violations(page: Any, axe: str) -> list[tuple[str, str]]:
    """What axe-core finds on a page: its rules, each with the first element that breaks it."""
    page.evaluate(axe)
    return [(each["id"], each["nodes"][0]["html"][:200]) for each in page.evaluate("axe.run()")["violations"]]
