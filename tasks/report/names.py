"""The names of the pictures in a run folder."""

import re
from typing import Any

from tasks.report.cells import finished

COMPARISON, PREVIEW = "comparison.png", "figures/preview.png"


def model_figures(results: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return, for each model with results, the relative paths of its figures: curves, confusion, mistakes.

    Names are reduced to letters that are safe in file names and links, and kept apart by a number.
    """
    paths: dict[str, dict[str, str]] = {}
    used = {"preview"}
    for name, model in results["models"].items():
        if not finished(model):
            continue
        stem = base = re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:60].strip("-") or "model"
        number = 1
        while stem.lower() in used:
            number += 1
            stem = f"{base}-{number}"
        used.add(stem.lower())
        paths[name] = {
            "curves": f"figures/{stem}.png",
            "confusion": f"figures/{stem}-confusion.png",
            "mistakes": f"figures/{stem}-mistakes.png",
        }
    return paths
