"""How fast the pipeline is, beside the tutorial's own Keras calls and beside PyTorch, in turn on one machine.

    python benchmarks/bench.py epochs    seconds per epoch of each network
    python benchmarks/bench.py whole     the whole programme, cold and warm, against the tutorial's script
    python benchmarks/bench.py growth    seconds per epoch by number of training images

Each writes benchmarks/results/NAME.json and prints a table; `epochs` also draws docs/images/speed.png.
Needs artifacts/data/mnist.npz (any run leaves it there). PyTorch is measured if $PYTORCH_PYTHON names a Python
that has it.
"""

import argparse
import contextlib
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]
HERE, DATASET = ROOT / "benchmarks", ROOT / "artifacts" / "data" / "mnist.npz"
PYTORCH_PYTHON = os.environ.get("PYTORCH_PYTHON", "")
EPOCHS = {"dense": 6, "cnn": 2, "regularized_cnn": 2}  # the first, which compiles, is not counted
IMAGES = 54_000
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1", "DO_NOT_TRACK": "1"}
PEERS = {
    "Keras as in the tutorial": [sys.executable, str(HERE / "naive_keras.py"), str(DATASET)],
    "PyTorch float32": [PYTORCH_PYTHON, str(HERE / "pytorch_networks.py"), str(DATASET)],
    "PyTorch bfloat16": [
        PYTORCH_PYTHON,
        str(HERE / "pytorch_networks.py"),
        str(DATASET),
        "--precision=bfloat16",
    ],
    "ours float32": [sys.executable, str(HERE / "ours.py"), str(DATASET)],
    "ours mixed_bfloat16": [
        sys.executable,
        str(HERE / "ours.py"),
        str(DATASET),
        "--precision=mixed_bfloat16",
    ],
}
REFERENCE = "Keras as in the tutorial"
PEAK = """
import sys, time, tensorflow as tf
a = tf.cast(tf.random.normal((4096, 4096)), sys.argv[1])
multiply = tf.function(lambda a: tf.matmul(a, a)[0, 0])
seconds = []
for _ in range(5):
    started = time.monotonic()
    multiply(a).numpy()
    seconds.append(time.monotonic() - started)
print(2 * 4096**3 / min(seconds))
"""


def run(command: list[str], **environment: str) -> tuple[str, float, float]:
    """Run a command; return its last line, its seconds, and the peak memory of all its processes in GB.

    Memory is the proportional set size: a page that several processes share, such as TensorFlow's code, is divided
    among them, so the sum over processes counts it once.
    """
    started, peak = time.monotonic(), 0.0
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **QUIET, "PYTHONPATH": str(ROOT), **environment},
    )

    def watch() -> None:
        nonlocal peak
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):
                root = psutil.Process(process.pid)
                used = 0
                for one in [root, *root.children(recursive=True)]:
                    with contextlib.suppress(psutil.Error):
                        used += one.memory_full_info().pss
                peak = max(peak, used / 1e9)
            time.sleep(0.5)

    watcher = threading.Thread(target=watch)
    watcher.start()
    output, _ = process.communicate()
    seconds = time.monotonic() - started
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with exit code {process.returncode}. Run it to see why.")
    return (output.strip().splitlines() or [""])[-1], seconds, peak


def peers() -> dict[str, list[str]]:
    """Return the commands that can be run here."""
    if not PYTORCH_PYTHON:
        print("PyTorch is left out: $PYTORCH_PYTHON does not name a Python that has it.")
    return {name: command for name, command in PEERS.items() if command[0]}


def measure_epochs(rounds: int) -> dict[str, Any]:
    """Run each peer with each network, round by round, so that all meet the same weather."""
    seconds: dict[str, dict[str, list[float]]] = {model: {} for model in EPOCHS}
    memory: dict[str, dict[str, float]] = {model: {} for model in EPOCHS}
    operations: dict[str, int] = {}
    peaks: dict[str, list[float]] = {"float32": [], "bfloat16": []}
    commands = peers()
    for number in range(rounds):
        for precision, found in peaks.items():
            found.append(float(run([sys.executable, "-c", PEAK, precision])[0]))
        for model, epochs in EPOCHS.items():
            for name, command in commands.items():
                line, _, used = run([*command, "--models", model, "--epochs", str(epochs)])
                result = json.loads(line)[model]
                seconds[model].setdefault(name, []).append(statistics.median(result["epoch_seconds"][1:]))
                memory[model][name] = max(used, memory[model].get(name, 0))
                if "floating_point_operations_per_image" in result:
                    operations[model] = result["floating_point_operations_per_image"]
                print(f"round {number + 1} {model} {name}: {seconds[model][name][-1]:.2f} s", flush=True)
    return {
        "seconds_per_epoch": seconds,
        "peak_memory_gigabytes": memory,
        "floating_point_operations_per_image": operations,
        "matmul_peak_operations_per_second": peaks,
    }


def ratios(reference: list[float], ours: list[float]) -> str:
    """Return the ratio of the medians and, in brackets, the lowest and highest of the rounds."""
    pairs = sorted(a / b for a, b in zip(reference, ours, strict=True))
    median = statistics.median(reference) / statistics.median(ours)
    return f"{median:.2f} ({pairs[0]:.2f} to {pairs[-1]:.2f})"


def epochs_table(measured: dict[str, Any]) -> str:
    """Return the table of seconds per epoch."""
    lines = [
        "| network | program | seconds per epoch: median (lowest to highest) | images per second "
        "| share of the matmul peak | times as fast as Keras | memory, GB |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for model, by_name in measured["seconds_per_epoch"].items():
        for name, found in by_name.items():
            median = statistics.median(found)
            precision = "bfloat16" if name.endswith("bfloat16") else "float32"
            peak = statistics.median(measured["matmul_peak_operations_per_second"][precision])
            work = measured["floating_point_operations_per_image"][model] * IMAGES
            lines.append(
                f"| {model} | {name} | {median:.2f} ({min(found):.2f} to {max(found):.2f}) "
                f"| {IMAGES / median:,.0f} | {work / median / peak:.0%} "
                f"| {ratios(by_name[REFERENCE], found)} "
                f"| {measured['peak_memory_gigabytes'][model][name]:.1f} |"
            )
    return "\n".join(lines)


def draw(measured: dict[str, Any], path: Path) -> None:
    """Draw the seconds per epoch: a dot for each round, a bar for the median."""
    from tasks.report import charts as drawing

    models = measured["seconds_per_epoch"]
    figure = drawing.new_figure(3.2)
    for axes, (model, by_name) in zip(figure.subplots(1, len(models)), models.items(), strict=True):
        for place, (name, found) in enumerate(by_name.items()):
            colour = drawing.TRAIN if name.startswith("ours") else drawing.MUTED
            axes.barh(place, statistics.median(found), color=colour, alpha=drawing.SHADE)
            axes.plot(found, [place] * len(found), "o", color=colour, markersize=4)
        axes.set_yticks(range(len(by_name)), by_name if axes.get_subplotspec().is_first_col() else [])
        axes.invert_yaxis()
        drawing.tidy(axes, model, "seconds per epoch")
    drawing.save(figure, path)


def flow_seconds(prefect_home: Path) -> float:
    """Return how long the one flow run in Prefect's database took, by Prefect's own clock."""
    with contextlib.closing(sqlite3.connect(prefect_home / "prefect.db")) as database:
        [(start, end)] = database.execute("SELECT start_time, end_time FROM flow_run")
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def measure_whole(rounds: int) -> dict[str, Any]:
    """Time the tutorial's programme as its script and as the pipeline, cold and then with everything reused."""
    found: dict[str, list[dict[str, float]]] = {"script": [], "cold": [], "warm": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="mnist-pipeline-benchmark-") as kept:
            artifacts = Path(kept) / "artifacts"
            (artifacts / "data").mkdir(parents=True)
            (artifacts / "data" / "mnist.npz").symlink_to(DATASET)
            flow = [
                sys.executable,
                str(ROOT / "flows" / "mnist_pipeline.py"),
                "--artifacts-dir",
                str(artifacts),
            ]
            for name, command in (("script", PEERS[REFERENCE]), ("cold", flow), ("warm", flow)):
                _, seconds, peak = run(command, PREFECT_HOME=f"{kept}/prefect", PREFECT_API_URL="")
                figures = {"seconds": seconds, "peak_memory_gigabytes": peak}
                if name == "cold":
                    records = [
                        json.loads(path.read_text()) for path in artifacts.glob("trainings/*/training.json")
                    ]
                    epochs = sum(one["seconds"] for one in records)
                    figures["seconds_outside_epochs"] = seconds - epochs
                    figures["flow_seconds_outside_epochs"] = flow_seconds(Path(kept, "prefect")) - epochs
                found[name].append(figures)
                print(name, figures, flush=True)
    return {"whole_programme": found}


def whole_table(measured: dict[str, Any]) -> str:
    """Return the table of whole programmes."""
    rows = measured["whole_programme"]
    script = [one["seconds"] for one in rows["script"]]
    lines = ["| | seconds | script / this | memory, GB |", "|---|--:|--:|--:|"]
    for name, runs in rows.items():
        seconds = [one["seconds"] for one in runs]
        memory = max(one["peak_memory_gigabytes"] for one in runs)
        lines.append(
            f"| {name} | {statistics.median(seconds):.0f} | {ratios(script, seconds)} | {memory:.1f} |"
        )
    outside, flow = (
        statistics.median(one[name] for one in rows["cold"])
        for name in ("seconds_outside_epochs", "flow_seconds_outside_epochs")
    )
    lines += ["", f"Outside the epochs, cold: {outside:.0f} s, {flow:.0f} s of them in the flow."]
    return "\n".join(lines)


def measure_growth(rounds: int) -> dict[str, Any]:
    """Measure an epoch with 1,000 to 54,000 training images."""
    sizes = (1_000, 4_000, 16_000, IMAGES)
    names = (REFERENCE, "ours float32", "ours mixed_bfloat16")
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for _ in range(rounds):
        for size in sizes:
            for name in names:
                command = [*PEERS[name], "--epochs", "3", "--train-samples", str(size), "--models", *EPOCHS]
                for model, result in json.loads(run(command)[0]).items():
                    row = found.setdefault(model, {}).setdefault(name, {}).setdefault(str(size), [])
                    row.append(statistics.median(result["epoch_seconds"][1:]))
    return {"seconds_per_epoch_by_train_samples": found}


def growth_table(measured: dict[str, Any]) -> str:
    """Return the table of seconds per epoch by number of training images."""
    rows = measured["seconds_per_epoch_by_train_samples"]
    sizes = list(rows["cnn"][REFERENCE])
    lines = [f"| network | program | {' | '.join(f'{int(size):,}' for size in sizes)} |"]
    lines.append("|---|---|" + "--:|" * len(sizes))
    for model, by_name in rows.items():
        for name, by_size in by_name.items():
            cells = " | ".join(
                f"{statistics.median(by_size[size]):.2f} ({min(by_size[size]):.2f} to {max(by_size[size]):.2f})"
                for size in sizes
            )
            lines.append(f"| {model} | {name} | {cells} |")
    return "\n".join(lines)


MEASUREMENTS = {
    "epochs": (measure_epochs, epochs_table),
    "whole": (measure_whole, whole_table),
    "growth": (measure_growth, growth_table),
}


def main() -> None:
    """Measure, keep the numbers, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=MEASUREMENTS)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if not DATASET.exists():
        raise SystemExit(
            f"{DATASET.relative_to(ROOT)} is not there. Run the pipeline once: it puts it there."
        )
    from tasks import files

    measure, table = MEASUREMENTS[arguments.what]
    measured = measure(arguments.rounds) | {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "load_at_end": os.getloadavg()[1],
        },
        "rounds": arguments.rounds,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }
    files.write_json(HERE / "results" / f"{arguments.what}.json", measured)
    if arguments.what == "epochs":
        draw(measured, ROOT / "docs" / "images" / "speed.png")
    print(table(measured))


if __name__ == "__main__":
    main()
