"""How far one machine goes with many trainings: what a training costs beside the fitting.

    python benchmarks/sweep.py [--trainings 1000] [--parallel 1] [--dataset artifacts/data/mnist.npz]

Runs the flow with that many trainings, in which only the fitting and TensorFlow's import are replaced
(`benchmarks/stub_fit.py`). Process, lock, key, messages, checkpoints, record, evaluation, report and Prefect are
real. Prints what it measured and adds it to benchmarks/results/sweep.json.
"""

import argparse
import contextlib
import io
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "sweep.json"


def start_stub(folder: Path, data_path: str, refresh: bool) -> subprocess.Popen[str]:
    """Start the stub as `tasks.training.process.start` starts a training."""
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, str(ROOT / "benchmarks" / "stub_fit.py"), str(folder), data_path],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )


class ServerWatch(threading.Thread):
    """Notes the largest memory and the processor time of the temporary Prefect server."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_bytes, self.cpu_seconds = 0, 0.0

    def run(self) -> None:
        import psutil

        while True:
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if "prefect.server.api.server:create_app" in process.cmdline()[-10:]:
                        self.peak_bytes = max(self.peak_bytes, process.memory_info().rss)
                        used = process.cpu_times()
                        self.cpu_seconds = max(self.cpu_seconds, used.user + used.system)
            time.sleep(2)


def moment(path: Path) -> float:
    """When a file was written."""
    return path.stat().st_mtime


def measure(trainings: int, parallel: int, dataset: Path, artifacts: Path) -> dict[str, Any]:
    """Run the flow and return what it cost."""
    from flows.cli.pipeline_command import command
    from tasks import files
    from tasks.training import train

    train.start = start_stub  # type: ignore[attr-defined]
    (artifacts / "data").mkdir(parents=True)
    shutil.copy(dataset, artifacts / "data" / "mnist.npz")
    watch = ServerWatch()
    watch.start()
    flags = {
        "models": ["dense", "cnn"],
        "seeds": list(range(trainings // 2)),
        "epochs": 20,
        "train_samples": 5000,
        "artifacts_dir": str(artifacts),
        "parallel": parallel,
    }
    before = time.time()
    with contextlib.redirect_stdout(io.StringIO()):
        exit_code = command(**flags)
    ended = time.time()

    run = (artifacts / "latest").resolve()
    specified = sorted(map(moment, artifacts.glob("trainings/*/spec.json")))
    trained = sorted(map(moment, artifacts.glob("trainings/*/train.json")))
    evaluated = sorted(map(moment, run.glob("trainings/*.json")))
    results, report = run / "results.json", run / "report.md"
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "trainings": trainings,
        "trainings_at_a_time": parallel,
        "completed": len(evaluated),
        "exit_code": exit_code,
        "seconds": {
            "all": ended - before,
            "start until first training": specified[0] - before,
            "trainings": trained[-1] - specified[0],
            "evaluations that were left": evaluated[-1] - trained[-1],
            "trainings and evaluations, each": (evaluated[-1] - specified[0]) / len(evaluated),
            "last evaluation until results.json": moment(results) - evaluated[-1],
            "report, figures": moment(run / "report.html") - moment(results),
            "Prefect artifacts, history, end": ended - moment(run / "report.html"),
        },
        "processor_seconds_per_training": {
            "flow process": (own.ru_utime + own.ru_stime) / trainings,
            "Prefect server": watch.cpu_seconds / trainings,
            "training processes": (children.ru_utime + children.ru_stime) / trainings,
        },
        "megabytes": {
            "flow process, peak": own.ru_maxrss / 1e3,
            "Prefect server, peak": watch.peak_bytes / 1e6,
            "results.json": results.stat().st_size / 1e6,
            "report.md": report.stat().st_size / 1e6,
            "report.html": (run / "report.html").stat().st_size / 1e6,
            "Prefect database": sum(f.stat().st_size for f in Path(os.environ["PREFECT_HOME"]).glob("*.db*"))
            / 1e6,
            "store per training": sum(
                f.stat().st_size for f in artifacts.glob("trainings/*/*") if f.is_file()
            )
            / 1e6
            / trainings,
        },
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "load_at_end": os.getloadavg()[1],
        },
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": files.read_json(results)["provenance"]["commit"],
    }


def main() -> None:
    """Measure in folders that are removed afterwards; keep the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--trainings", type=int, default=1000)
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("--dataset", type=Path, default=ROOT / "artifacts" / "data" / "mnist.npz")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mnist-pipeline-sweep-") as folder:
        os.environ["PREFECT_HOME"] = str(Path(folder) / "prefect")
        os.environ.pop("PREFECT_API_URL", None)
        measured = measure(
            arguments.trainings, arguments.parallel, arguments.dataset, Path(folder) / "artifacts"
        )
    from tasks import files

    for group in ("seconds", "processor_seconds_per_training", "megabytes", "machine"):
        measured[group] = {
            name: round(value, 3) if isinstance(value, float) else value
            for name, value in measured[group].items()
        }
    kept = files.read_json(RESULTS) if RESULTS.exists() else []
    this = (measured["trainings"], measured["trainings_at_a_time"])
    others = [entry for entry in kept if (entry["trainings"], entry["trainings_at_a_time"]) != this]
    files.write_json(RESULTS, sorted([*others, measured], key=lambda entry: entry["trainings"]))
    print(json.dumps(measured, indent=1))


if __name__ == "__main__":
    main()
