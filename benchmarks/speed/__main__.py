"""How fast the pipeline is, beside the tutorial's own Keras calls and beside PyTorch, in turn on one machine.

    python -m benchmarks.speed epochs    seconds per epoch of each network
    python -m benchmarks.speed whole     the whole programme, cold and warm, against the tutorial's script
    python -m benchmarks.speed growth    seconds per epoch by number of training images
    python -m benchmarks.speed live      a run with and without its page as it goes on

Each writes benchmarks/speed/NAME.json and prints a table; `epochs` also draws docs/images/speed.png. PyTorch is
measured if $PYTORCH_PYTHON names a Python that has it (see pytorch_networks.py).
"""

import contextlib
import json
import os
import sqlite3
import sys
import tempfile
from datetime import datetime
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any, Literal

from benchmarks import common
from benchmarks.speed.watched import run
from tasks import pictures
from tasks.files import read_json, write_json
from tasks.markdown import table

EPOCHS = {"dense": 6, "cnn": 2, "regularized_cnn": 2}  # the first, which compiles, is not counted
PYTORCH_PYTHON = os.environ.get("PYTORCH_PYTHON", "")
REFERENCE = "Keras as in the tutorial"
SIZES, GROWING = ("1000", "4000", "16000", "54000"), (REFERENCE, "ours float32", "ours mixed_bfloat16")
PEERS = {
    REFERENCE: (sys.executable, "naive_keras"),
    "PyTorch float32": (PYTORCH_PYTHON, "pytorch_networks"),
    "PyTorch bfloat16": (PYTORCH_PYTHON, "pytorch_networks", "--precision=bfloat16"),
    "ours float32": (sys.executable, "ours"),
    "ours mixed_bfloat16": (sys.executable, "ours", "--precision=mixed_bfloat16"),
}
PIPELINE = [sys.executable, "flows/mnist_pipeline.py"]
WITHOUT_PAGE = """
import runpy, sys
from tasks.report.live import LivePage
LivePage.write = LivePage.upload = lambda *given, **named: None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
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


def command_of(peer: str) -> list[str]:
    """Return the command that runs one of PEERS."""
    python, module, *flags = PEERS[peer]
    return [python, "-m", f"benchmarks.speed.{module}", *flags]


def measure_epochs(rounds: int) -> dict[str, Any]:
    """Run each peer with each network, round by round, so that all meet the same weather."""
    peers = [name for name, (python, *_) in PEERS.items() if python]
    seconds: dict[str, dict[str, list[float]]] = {model: {name: [] for name in peers} for model in EPOCHS}
    memory = {model: dict.fromkeys(peers, 0.0) for model in EPOCHS}
    operations: dict[str, int] = {}
    peaks: dict[str, list[float]] = {"float32": [], "bfloat16": []}
    if not PYTORCH_PYTHON:
        print("PyTorch is left out: $PYTORCH_PYTHON does not name a Python that has it.")
    for number in range(rounds):
        for precision, found in peaks.items():
            found.append(float(run([sys.executable, "-c", PEAK, precision])[0]))
        for (model, epochs), name in product(EPOCHS.items(), peers):
            line, _, used = run([*command_of(name), "--models", model, "--epochs", str(epochs)])
            result = json.loads(line)[model]
            seconds[model][name].append(median(result["epoch_seconds"][1:]))
            memory[model][name] = max(used, memory[model][name])
            if name == REFERENCE:
                operations[model] = result["floating_point_operations_per_image"]
            print(f"round {number + 1} {model} {name}: {seconds[model][name][-1]:.2f} s", flush=True)
    return {
        "seconds_per_epoch": seconds,
        "peak_memory_gigabytes": memory,
        "floating_point_operations_per_image": operations,
        "matmul_peak_operations_per_second": peaks,
    }


def spread(values: list[float], middle: float | None = None) -> str:
    """Return the median, or another value, and in brackets the lowest and the highest."""
    return f"{median(values) if middle is None else middle:.2f} ({min(values):.2f} to {max(values):.2f})"


def ratios(reference: list[float], ours: list[float]) -> str:
    """Return the ratio of the medians and, in brackets, the lowest and highest of the rounds."""
    rounds = [a / b for a, b in zip(reference, ours, strict=True)]
    return spread(rounds, median(reference) / median(ours))


def epochs_table(measured: dict[str, Any]) -> str:
    """Return the table of seconds per epoch; draw docs/images/speed.png."""
    draw(measured["seconds_per_epoch"], common.PROJECT / "docs" / "images" / "speed.png")
    rows = []
    for model, by_name in measured["seconds_per_epoch"].items():
        work = measured["floating_point_operations_per_image"][model] * common.FITTED
        for name, found in by_name.items():
            precision = "bfloat16" if name.endswith("bfloat16") else "float32"
            peak = median(measured["matmul_peak_operations_per_second"][precision])
            speed = [f"{common.FITTED / median(found):,.0f}", f"{work / median(found) / peak:.0%}"]
            memory = f"{measured['peak_memory_gigabytes'][model][name]:.1f}"
            rows.append([model, name, spread(found), *speed, ratios(by_name[REFERENCE], found), memory])
    header = ["network", "program", "seconds per epoch: median (lowest to highest)", "images per second"]
    return table([*header, "share of the matmul peak", "times as fast as Keras", "memory, GB"], rows, left=2)


def draw(models: dict[str, dict[str, list[float]]], path: Path) -> None:
    """Draw the seconds per epoch: a dot for each round, a bar for the median."""
    from tasks.report import charts

    figure = pictures.new_figure(3.2)
    for axes, (model, by_name) in zip(figure.subplots(1, len(models)), models.items(), strict=True):
        for place, (name, found) in enumerate(by_name.items()):
            colour = pictures.TRAIN if name.startswith("ours") else pictures.MUTED
            axes.barh(place, median(found), color=colour, alpha=charts.SHADE)
            axes.plot(found, [place] * len(found), "o", color=colour, markersize=4)
        axes.set_yticks(range(len(by_name)), by_name if axes.get_subplotspec().is_first_col() else [])
        axes.invert_yaxis()
        charts.tidy(axes, model, "seconds per epoch")
    pictures.save(figure, path)


def measure_whole(rounds: int) -> dict[str, Any]:
    """Time the tutorial's programme as its script and as the pipeline, cold and then with everything reused."""
    found: dict[str, list[dict[str, float]]] = {"script": [], "cold": [], "warm": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="mnist-pipeline-benchmark-") as kept:
            artifacts, prefect = Path(kept, "artifacts"), Path(kept, "prefect")
            (artifacts / "data").mkdir(parents=True)
            (artifacts / "data" / "mnist.npz").symlink_to(common.mnist())
            flow = [*PIPELINE, "--artifacts-dir", str(artifacts)]
            for name, command in (("script", command_of(REFERENCE)), ("cold", flow), ("warm", flow)):
                _, seconds, peak = run(command, PREFECT_HOME=str(prefect), PREFECT_API_URL="")
                found[name].append({"seconds": seconds, "peak_memory_gigabytes": peak})
                if name == "cold":
                    records = artifacts.glob("trainings/*/training.json")
                    epochs = sum(read_json(record)["seconds"] for record in records)
                    found[name][-1]["seconds_outside_epochs"] = seconds - epochs
                    found[name][-1]["flow_seconds_outside_epochs"] = flow_seconds(prefect) - epochs
                print(name, found[name][-1], flush=True)
    return {"whole_programme": found}


def flow_seconds(prefect_home: Path) -> float:
    """Return how long the one flow run in Prefect's database took, by Prefect's own clock."""
    with contextlib.closing(sqlite3.connect(prefect_home / "prefect.db")) as database:
        [(start, end)] = database.execute("SELECT start_time, end_time FROM flow_run")
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def whole_table(measured: dict[str, Any]) -> str:
    """Return the table of whole programmes."""

    def of(name: str, key: str) -> list[float]:
        return [figures[key] for figures in measured["whole_programme"][name]]

    rows = []
    for name in measured["whole_programme"]:
        seconds, memory = of(name, "seconds"), max(of(name, "peak_memory_gigabytes"))
        factor = ratios(of("script", "seconds"), seconds)
        rows.append([name, f"{median(seconds):.0f}", factor, f"{memory:.1f}"])
    outside, flow = (median(of("cold", f"{part}seconds_outside_epochs")) for part in ("", "flow_"))
    closing = f"Outside the epochs, cold: {outside:.0f} s, {flow:.0f} s of them in the flow."
    return f"{table(['', 'seconds', 'script / this', 'memory, GB'], rows)}\n\n{closing}"


def measure_growth(rounds: int) -> dict[str, Any]:
    """Measure an epoch with 1,000 to 54,000 training images."""
    found: dict[str, dict[str, dict[str, list[float]]]] = {
        model: {name: {size: [] for size in SIZES} for name in GROWING} for model in EPOCHS
    }
    for _, size, name in product(range(rounds), SIZES, GROWING):
        line, *_ = run([*command_of(name), "--epochs", "3", "--train-samples", size])
        for model, result in json.loads(line).items():
            found[model][name][size].append(median(result["epoch_seconds"][1:]))
    return {"seconds_per_epoch_by_train_samples": found}


def growth_table(measured: dict[str, Any]) -> str:
    """Return the table of seconds per epoch by number of training images."""
    rows = [
        [model, name, *map(spread, by_size.values())]
        for model, by_name in measured["seconds_per_epoch_by_train_samples"].items()
        for name, by_size in by_name.items()
    ]
    return table(["network", "program", *(f"{int(size):,}" for size in SIZES)], rows, left=2)


def measure_live(rounds: int) -> dict[str, Any]:
    """Time a run of about a minute with and without its live page, in turn."""
    found: dict[str, list[dict[str, float]]] = {"without": [], "with": []}
    script, flags = PIPELINE[1:], ("--train-samples", "12000", "--epochs", "10")
    for _, name in product(range(rounds), found):
        with tempfile.TemporaryDirectory(prefix="mnist-pipeline-benchmark-") as kept:
            artifacts, prefect = Path(kept, "artifacts"), Path(kept, "prefect")
            (artifacts / "data").mkdir(parents=True)
            (artifacts / "data" / "mnist.npz").symlink_to(common.mnist())
            python = [sys.executable, *(["-c", WITHOUT_PAGE] if name == "without" else [])]
            before = processor_seconds()
            _, seconds, _ = run(
                [*python, *script, *flags, "--artifacts-dir", str(artifacts)], PREFECT_HOME=str(prefect)
            )
            found[name].append({"seconds": seconds, "processor_seconds": processor_seconds() - before})
            print(name, found[name][-1], flush=True)
    return {"flags": flags, "live_page": found}


def processor_seconds() -> float:
    """Return the time that ended children, and theirs, have used the processors."""
    times = os.times()
    return times.children_user + times.children_system


def live_table(measured: dict[str, Any]) -> str:
    """Return the table of runs with and without the live page."""
    without, page = measured["live_page"].values()
    rows = []
    for key in ("seconds", "processor_seconds"):
        one, other = ([each[key] for each in found] for found in (without, page))
        rows.append([key.replace("_", " "), spread(one), spread(other), ratios(other, one)])
    return table(["", "without", "with", "with / without"], rows)


def main(what: Literal["epochs", "whole", "growth", "live"], /, *, rounds: int = 3) -> None:
    """Measure, keep the numbers, print the table."""
    common.mnist()
    measure, table_of = {
        "epochs": (measure_epochs, epochs_table),
        "whole": (measure_whole, whole_table),
        "growth": (measure_growth, growth_table),
        "live": (measure_live, live_table),
    }[what]
    measured = {**measure(rounds), "rounds": rounds, **common.circumstances()}
    write_json(Path(__file__).with_name(f"{what}.json"), measured)
    print(table_of(measured))


if __name__ == "__main__":
    common.run(main)
