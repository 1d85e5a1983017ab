"""What a run says about itself: when, where, on which images, with what code and versions, and what failed."""

import importlib.metadata
import os
import platform
import shlex
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run

from tasks.data.prepare import PreparedData
from tasks.errors import explain
from tasks.files import atomic_write
from tasks.results.enums import Step
from tasks.results.run import Dataset, Failure, Plan, Provenance
from tasks.store.layout import PROJECT, Artifacts
from tasks.training.process import TrainingFailedError
from tasks.training.runner import THREADS, trainings_at_a_time
from tasks.training.specification import Specification

PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "prefect")


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
    specifications: Sequence[Specification],
    deployment_name: str | None,
) -> Provenance:
    """Return where, when and with what the run was made, and how to repeat it. Call it inside the flow."""
    changes = git("status", "--porcelain")
    return Provenance(
        run=run_folder.name,
        started=started.astimezone(UTC).isoformat(timespec="seconds"),
        duration_seconds=(datetime.now(UTC) - started).total_seconds(),
        commit=git("rev-parse", "HEAD"),
        uncommitted_changes=None if changes is None else bool(changes),
        python=platform.python_version(),
        platform=platform.platform(),
        processor=processor(),
        cores=os.cpu_count(),
        memory_bytes=psutil.virtual_memory().total,
        versions={name: importlib.metadata.version(name) for name in PACKAGES},
        flow_run_name=flow_run.name,
        flow_run_id=flow_run.id,
        deployment=deployment_name,
        command=command(parameters),
        threads=THREADS,
        trainings_at_a_time=trainings_at_a_time(),
        precision={each.model: each.precision for each in specifications},
    )


def dataset_section(run_folder: Path, prepared: PreparedData, pixel_scaling: str) -> Dataset:
    """Return what results.json says about the data."""
    dataset = prepared.dataset
    return Dataset(
        name=dataset.name,
        path=str(Path(dataset.path).relative_to(Artifacts.of(run_folder).root)),  # it lies in artifacts/data
        digest=dataset.digest,
        source=dataset.source,
        is_mnist=dataset.is_mnist,
        class_names=dataset.class_names,
        shapes=prepared.shapes,
        y_test_head=prepared.y_test_head,
        y_test_tail=prepared.y_test_tail,
        counts=prepared.counts,
        class_counts=prepared.class_counts,
        pixel_scaling=pixel_scaling,
        validation_split=prepared.validation_split,
        train_samples=prepared.train_samples,
        prepared_digest=prepared.digest,
        repeated_test_images=prepared.repeated_test_images,
        blank_images=prepared.blank_images,
        broken_pictures=dataset.broken_pictures,
        test_set_aside=dataset.test_set_aside,
    )


def keep_images(run_folder: Path, prepared: PreparedData) -> None:
    """Keep the pictures that the report shows in the run folder."""
    with atomic_write(run_folder / "images.npz") as temporary:
        temporary.write_bytes(Path(prepared.images_path).read_bytes())


def plans(specifications: Sequence[Specification]) -> dict[str, Plan]:
    """Return what each network was to be trained with, in the order of the run."""
    return {
        each.model: Plan(
            epochs=each.epochs,
            learning_rate=each.learning_rate,
            learning_rate_schedule=each.learning_rate_schedule,
            averages_weights=each.averages_weights,
        )
        for each in specifications
    }


def failures(
    specifications: Sequence[Specification],
    trainings: Sequence[PrefectFuture[Any]],
    evaluations: Sequence[PrefectFuture[Any]],
) -> list[Failure]:
    """Return what failed, each with its own reason, from the futures of all branches, which have ended."""
    found = []
    for specification, training, evaluation in zip(specifications, trainings, evaluations, strict=True):
        for step, future in ((Step.TRAIN, training), (Step.EVALUATE, evaluation)):
            if error := error_of(future):
                model, seed = specification.model, specification.seed
                reason = error.reason if isinstance(error, TrainingFailedError) else explain(error)
                found.append(Failure(task=step, model=model, seed=seed, error=reason))
                break  # an evaluation fails with its training
    return found


def not_trained(problems: Mapping[str, str], seeds: Iterable[int]) -> list[Failure]:
    """Return the failures of networks that could not be trained at all, from the reasons by their names."""
    return [
        Failure(task=Step.TRAIN, model=name, seed=seed, error=reason)
        for name, reason in problems.items()
        for seed in dict.fromkeys(seeds)
    ]


def error_of(future: Any) -> Exception | None:
    """Return what a task raised or what else ended it, such as one Dask worker after another that died."""
    try:
        future.result()
    except Exception as error:
        return error
    return None


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
