"""How far one machine goes with many trainings: what a training costs beside the fitting.

    python -m benchmarks.load.sweep [--trainings 1000] [--parallel 1]

Runs the flow with that many trainings, in which only the fitting and TensorFlow's import are replaced
(stub_fit.py). Process, lock, key, messages, checkpoints, record, evaluation, report and Prefect are real. Prints
what it measured and adds it to benchmarks/load/sweep.json.
"""

import contextlib
import io
import json
import os
import resource
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil

from benchmarks import common
from tasks.files import read_json, write_json
from tasks.training import process

RESULTS = Path(__file__).with_name("sweep.json")


def watch_server(found: dict[str, float]) -> None:
    """Keep the largest memory and the processor time of the temporary Prefect server in `found`, for ever."""
    while True:
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if "prefect.server.api.server:create_app" in child.cmdline()[-10:]:
                    found["megabytes"] = max(found.get("megabytes", 0), child.memory_info().rss / 1e6)
                    found["seconds"] = sum(child.cpu_times()[:2])
        time.sleep(2)


def written(paths: Iterable[Path]) -> list[float]:
    """Return when the files were written, in order."""
    return sorted(path.stat().st_mtime for path in paths)


def megabytes(paths: Iterable[Path]) -> float:
    """Return the size of all these files."""
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


def processor_seconds(whose: int) -> float:
    """Return what this process (RUSAGE_SELF) or its ended children (RUSAGE_CHILDREN) used."""
    used = resource.getrusage(whose)
    return used.ru_utime + used.ru_stime


def measure(trainings: int, parallel: int, artifacts: Path) -> dict[str, Any]:
    """Run the flow and return what it cost."""
    from flows.cli.pipeline_command import command
    from flows.mnist_pipeline import mnist_pipeline

    (artifacts / "data").mkdir(parents=True)
    shutil.copy(common.mnist(), artifacts / "data" / "mnist.npz")
    server: dict[str, float] = {}
    threading.Thread(target=watch_server, args=(server,), daemon=True).start()
    before = time.time()
    process.FIT = "benchmarks.load.stub_fit"
    with contextlib.redirect_stdout(io.StringIO()):
        exit_code = command(
            mnist_pipeline,
            models=["dense", "cnn"],
            seeds=list(range(trainings // 2)),
            epochs=20,
            train_samples=5000,
            artifacts_dir=str(artifacts),
            parallel=parallel,
        )
    ended = time.time()

    run = (artifacts / "latest").resolve()
    results, report, page = (run / name for name in ("results.json", "report.md", "report.html"))
    specified = written(artifacts.glob("trainings/*/spec.json"))
    evaluated = written(run.glob("trainings/*.json"))
    summarised, shown = written([results])[0], written([page])[0]
    return {
        "trainings": trainings,
        "trainings_at_a_time": parallel,
        "completed": len(evaluated),
        "exit_code": exit_code,
        "seconds": {
            "all": ended - before,
            "start until first training": specified[0] - before,
            "trainings and evaluations, each": (evaluated[-1] - specified[0]) / len(evaluated),
            "last evaluation until results.json": summarised - evaluated[-1],
            "report, figures": shown - summarised,
        },
        "processor_seconds_per_training": {
            "flow process": processor_seconds(resource.RUSAGE_SELF) / trainings,
            "Prefect server": server["seconds"] / trainings,
            "training processes": processor_seconds(resource.RUSAGE_CHILDREN) / trainings,
        },
        "megabytes": {
            "flow process, peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
            "Prefect server, peak": server["megabytes"],
            **{path.name: megabytes([path]) for path in (results, report, page)},
            "Prefect database": megabytes(Path(os.environ["PREFECT_HOME"]).glob("*.db*")),
            "store per training": megabytes(artifacts.glob("trainings/*/*")) / trainings,
        },
        **common.circumstances(),
        "commit": read_json(results)["provenance"]["commit"],
    }


def main(*, trainings: int = 1000, parallel: int = 1) -> None:
    """Measure in folders that are removed afterwards; keep the numbers."""
    with tempfile.TemporaryDirectory(prefix="mnist-pipeline-sweep-") as folder:
        os.environ["PREFECT_HOME"] = str(Path(folder, "prefect"))  # read when Prefect is imported
        os.environ.pop("PREFECT_API_URL", None)
        measured = measure(trainings, parallel, Path(folder, "artifacts"))
    measured = json.loads(json.dumps(measured), parse_float=lambda text: round(float(text), 3))
    kept = {(entry["trainings"], entry["trainings_at_a_time"]): entry for entry in read_json(RESULTS)}
    kept[trainings, parallel] = measured
    write_json(RESULTS, sorted(kept.values(), key=lambda entry: entry["trainings"]))
    print(json.dumps(measured, indent=1))


if __name__ == "__main__":
    common.run(main)
