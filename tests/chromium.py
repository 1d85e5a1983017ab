"""Debian's Chromium without a screen, for tests that look at pages."""

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from prefect_server import DEADLINE

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")

CHROMIUM = shutil.which("chromium")
in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium package")
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
