"""The history across runs, derived from all results.json: one line per run, model and seed."""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.evaluation.onset import SHOWN
from tasks.files import atomic_write, lock
from tasks.report.figures import draw_trend
from tasks.results import load_results

LOGGER = logging.getLogger(__name__)

TEXTS = (
    *("run", "date", "status", "deployment", "commit", "dataset", "dataset_digest", "parameters"),
    *("model", "precision", "origin", "error", "onset_status"),
)
NUMBERS = (
    *("accuracy", "accuracy_low", "accuracy_high", "nll", "train_accuracy", "best_epoch"),
    *("onset", "onset_first", "onset_last", "epochs", "seconds"),
)
COLUMNS = (*TEXTS[:9], "seed", *NUMBERS, *TEXTS[9:])


def run_history(artifacts_dir: Path) -> pd.DataFrame:
    """Return one row per run, model and seed, oldest run first; columns are COLUMNS.

    Accuracies are fractions on test with their 95 % Wilson interval, NLL is in nats per image, epochs count
    from 1, `seconds` is the time of fitting (of the training that was reused, if it was), `parameters` is
    JSON. What a training does not have is missing. A damaged results.json is left out, with a warning.
    """
    rows: list[dict[str, Any]] = []
    for path in sorted(artifacts_dir.glob("runs/*/results.json")):
        try:
            rows += list(_rows(path.parent.name, load_results(path)))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            LOGGER.warning("%s is left out of the history: %s: %s", path, type(error).__name__, error)
    history = pd.DataFrame(rows, columns=list(COLUMNS))
    return history.astype({**dict.fromkeys(NUMBERS, "float64"), "seed": "int64"})


def write_history(artifacts_dir: Path) -> Path:
    """Write the history to `history.csv` in the artifacts folder and return its path."""
    path = artifacts_dir / "history.csv"
    with atomic_write(path) as temporary:
        run_history(artifacts_dir).to_csv(temporary, index=False, float_format="%.6g")
    return path


def update_history(run_folder: Path, results: dict[str, Any]) -> Path:
    """Write `history.csv` anew, draw the trend of the runs like this one, and return the picture's path.

    Like this one are the runs of the same deployment ("scripts" for those without one) on the same data set:
    a nightly run among trials on other data would be no trend.
    """
    artifacts = run_folder.parent.parent
    deployment = results["provenance"]["deployment"] or "scripts"
    with lock(run_folder.parent):  # runs may end at once, and the last one must write down all of them
        history = pd.read_csv(write_history(artifacts), dtype=dict.fromkeys(TEXTS, "string"))
        alike = (history["deployment"].fillna("scripts") == deployment) & (
            history["dataset_digest"] == results["dataset"]["digest"]
        )
        name = re.sub(r"[^\w.-]+", "-", deployment)
        return draw_trend(history[alike], artifacts / f"trend-{name}.png")


def _rows(run: str, results: dict[str, Any]) -> Iterator[dict[str, Any]]:
    provenance, dataset = results["provenance"], results["dataset"]
    of_run = {
        "run": run,
        "date": provenance["started"],
        "status": results["status"],
        "deployment": provenance["deployment"],
        "commit": provenance["commit"],
        "dataset": dataset["name"],
        "dataset_digest": dataset["digest"],
        "parameters": json.dumps(results["parameters"], sort_keys=True),
    }
    for model, entry in results["models"].items():
        for training in entry["trainings"]:
            of_training = {"model": model, "seed": training["seed"], "error": training["error"]}
            yield of_run | of_training | ({} if training["error"] else _measured(training))


def _measured(training: dict[str, Any]) -> dict[str, Any]:
    test, onset = training["test"], training["onset"]
    low, high = test["accuracy_ci95"]
    shown = onset["status"] in SHOWN
    first, last = (onset["interval"] if shown else None) or (None, None)
    return {
        "accuracy": test["accuracy"],
        "accuracy_low": low,
        "accuracy_high": high,
        "nll": test["nll"],
        "train_accuracy": training["train"]["accuracy"],
        "best_epoch": training["best_epoch"],
        "onset": onset["epoch"] if shown else None,
        "onset_first": first,
        "onset_last": last,
        "onset_status": onset["status"],
        "epochs": len(training["history"]["val_nll"]),
        "seconds": training["seconds"],
        "precision": training["precision"],
        "origin": training["origin"],
    }
