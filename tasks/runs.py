"""The run folder, and what a run says about itself: when, where, with what code and versions it ran."""

import contextlib
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
from tasks.arrays import writing_to
from tasks.layout import ARTIFACTS, MARKER, MARKER_TEXT, PROJECT, Artifacts
from tasks.records import PreparedData
from tasks.results import load_results
from tasks.training import THREADS, trainings_at_a_time

LOGGER = logging.getLogger(__name__)
PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "prefect")

held_until_the_end = contextlib.ExitStack()  # the locks of this process's runs


def run_name() -> str:
    """Return a name that says what the flow run does, such as "mnist-dense-cnn-seed-0"."""
    parameters = flow_run.parameters
    seeds = list(dict.fromkeys(parameters["seeds"]))
    seed = f"seed-{seeds[0]}" if len(seeds) == 1 else f"{len(seeds)}-seeds"
    words = [Path(parameters["dataset"]).stem, *dict.fromkeys(parameters["models"]), seed]
    return re.sub(r"[^\w.-]+", "-", "-".join(words))[:100]


def claimed(artifacts_dir: str | None) -> Path:
    """Return the artifacts folder that a parameter names, by default the project's, as this program's own.

    Raises UserError if it holds other things or cannot be written.
    """
    folder = Path(artifacts_dir or ARTIFACTS).resolve()
    with writing_to(folder):
        Artifacts(folder).claim()
    return folder


def start_run(artifacts: Path, flow_run_name: str, started: datetime) -> Path:
    """Make the folder of this run, named so that runs sort by time; UserError if it cannot be written.

    It is locked until this process ends: a folder without lock and without results is of a run that was killed.
    """
    name = f"{started.astimezone(UTC):%Y%m%dT%H%M%SZ}-{flow_run_name}"
    try:
        with files.lock(artifacts / "runs"):  # no other run takes the name, no housekeeping the folder
            Artifacts(artifacts).remove_temporary_files()
            taken = {path.name for path in (artifacts / "runs").iterdir()}
            names = (name, *(f"{name}-{number}" for number in range(2, len(taken) + 2)))
            folder = artifacts / "runs" / next(name for name in names if name not in taken)
            (folder / "trainings").mkdir(parents=True)
            files.write_text(folder / MARKER, MARKER_TEXT)
            held_until_the_end.enter_context(files.lock(folder))
    except OSError as error:
        raise files.UserError(
            f"The artifacts folder {artifacts} cannot be written ({error.strerror}). "
            "Choose another one with --artifacts-dir."
        ) from error
    return folder


def point_latest_at(run_folder: Path) -> None:
    """Let `artifacts/latest` lead to this run."""
    artifacts = run_folder.parent.parent
    temporary = artifacts / f"{files.TEMPORARY_PREFIX}latest{files.TEMPORARY_SUFFIX}"
    with files.lock(artifacts):
        temporary.unlink(missing_ok=True)  # of a killed run
        temporary.symlink_to(run_folder.relative_to(artifacts))
        temporary.replace(artifacts / "latest")


def previous_run(artifacts: Path, deployment: str | None, dataset_digest: str) -> str | None:
    """Return the newest successful run's folder, of the same deployment (None: scripts) and data set.

    Results that are damaged, or of another version, are passed over with a warning.
    """
    for path in sorted(artifacts.glob("runs/*/results.json"), reverse=True):
        try:
            results = load_results(path)
            fits = (
                results["status"] == "completed"
                and results["provenance"]["deployment"] == deployment
                and results["dataset"]["digest"] == dataset_digest
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            LOGGER.warning("%s is passed over (%s: %s).", path, type(error).__name__, error)
            continue
        if fits:
            return str(path.parent)
    return None


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
                text = files.explain(error)
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
