"""The run folder, and what a run says about itself: when, where, with what code and versions it ran."""

import importlib.metadata
import logging
import os
import platform
import re
import shlex
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from prefect.runtime import flow_run

from tasks import files
from tasks.data.prepare import PreparedData
from tasks.errors import explain
from tasks.layout import PROJECT
from tasks.training.train import THREADS, trainings_at_a_time

LOGGER = logging.getLogger(__name__)
PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "prefect")


def run_name() -> str:
    """Return a name that says what the flow run does, such as "mnist-dense-cnn-seed-0"."""
    parameters = flow_run.parameters
    seeds = list(dict.fromkeys(parameters["seeds"]))
    seed = f"seed-{seeds[0]}" if len(seeds) == 1 else f"{len(seeds)}-seeds"
    words = [Path(parameters["dataset"]).stem, *dict.fromkeys(parameters["models"]), seed]
    return re.sub(r"[^\w.-]+", "-", "-".join(words))[:100]


def git(*arguments: str) -> str | None:
    """Return what git says about the project, None where there is no git or no repository."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=PROJECT, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def processor() -> str:
    """Return the processor's name, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def provenance(
    run_folder: Path,
    started: datetime,
    parameters: dict[str, Any],
    specs: list[dict[str, Any]],
    deployment_name: str | None,
) -> dict[str, Any]:
    """Return where, when and with what the run was made, and how to repeat it. Call it inside the flow."""
    changes = git("status", "--porcelain")
    return {
        "run": run_folder.name,
        "started": started.astimezone(UTC).isoformat(timespec="seconds"),
        "duration_seconds": (datetime.now(UTC) - started).total_seconds(),
        "commit": git("rev-parse", "HEAD"),
        "uncommitted_changes": None if changes is None else bool(changes),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "flow_run_name": flow_run.name,
        "flow_run_id": flow_run.id,
        "deployment": deployment_name,
        "command": command(parameters),
        "threads": THREADS,
        "trainings_at_a_time": trainings_at_a_time(),
        "precision": {spec["model"]: spec["precision"] for spec in specs},
    }


def dataset_section(run_folder: Path, prepared: PreparedData, pixel_scaling: str) -> dict[str, Any]:
    """Keep the preview pictures in the run folder; return what results.json says about the data."""
    with files.atomic_write(run_folder / "images.npz") as temporary:
        temporary.write_bytes(Path(prepared.images_path).read_bytes())
    dataset = prepared.dataset
    return {
        "name": dataset.name,
        "path": str(Path(dataset.path).relative_to(run_folder.parent.parent)),  # it lies in artifacts/data
        "digest": dataset.digest,
        "source": dataset.source,
        "is_mnist": dataset.is_mnist,
        "shapes": prepared.shapes,
        "y_test_head": prepared.y_test_head,
        "y_test_tail": prepared.y_test_tail,
        "counts": prepared.counts,
        "class_counts": prepared.class_counts,
        "pixel_scaling": pixel_scaling,
        "validation_split": prepared.validation_split,
        "train_samples": prepared.train_samples,
        "prepared_digest": prepared.digest,
    }


def failures(
    specs: list[dict[str, Any]], trainings: list[Any], evaluations: list[Any]
) -> list[dict[str, Any]]:
    """Return the `failures` of results.json from the futures of all branches, which have ended."""
    found = []
    for spec, trained, evaluated in zip(specs, trainings, evaluations, strict=True):
        for task, future in (("train", trained), ("evaluate", evaluated)):
            if error := error_of(future):
                text = explain(error)
                found.append({"task": task, "model": spec["model"], "seed": spec["seed"], "error": text})
                break  # an evaluation fails with its training
    return found


def error_of(future: Any) -> Exception | None:
    """Return what a task raised or what else ended it, such as one Dask worker after another that died."""
    try:
        future.result()
    except Exception as error:
        return error
    return None


def what_failed(results: dict[str, Any], path: str) -> str:
    """Return in words why a run failed, and where its report is."""
    reasons = [
        f"{failure['model']} seed {failure['seed']}: {failure['error']}" for failure in results["failures"]
    ]
    return "; ".join([*reasons, *results["failed_gates"]]) + f". The report: {path}"


def command(parameters: dict[str, Any]) -> str:
    """Return the command line that repeats a run with these parameters."""
    words = ["python", "flows/mnist_pipeline.py"]
    for name, value in parameters.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            words.append(flag)
        elif isinstance(value, list):
            words += [flag, *(str(item) for item in value)]
        elif isinstance(value, dict):
            words += [flag, *(f"{key}={item}" for key, item in value.items())]
        elif value is not None and value is not False:
            words += [flag, str(value)]
    return shlex.join(words)
