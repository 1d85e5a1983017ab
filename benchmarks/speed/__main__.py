"""How fast the pipeline is, beside Keras, PyTorch and JAX, in turn on one machine.

    python -m benchmarks.speed epochs       seconds per epoch of each network
    python -m benchmarks.speed whole        the whole programme, cold and warm, against the tutorial's script
    python -m benchmarks.speed growth       seconds per epoch by number of training images
    python -m benchmarks.speed live         a run with and without its page as it goes on
    python -m benchmarks.speed environment  seconds per epoch by settings of malloc and oneDNN

Each writes benchmarks/speed/NAME.json and prints a table; `epochs` also draws docs/images/speed.png. To measure
some only, which are not kept: `epochs --models cnn --peers "JAX float32" "ours float32"`. PyTorch and JAX are
measured if $PEERS_PYTHON names a Python that has them:

    python3 -m venv peers
    peers/bin/pip install torch jax flax optax numpy cyclopts
"""

import contextlib
import json
import os
import sqlite3
import sys
import tempfile
from datetime import datetime
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any, Literal

from benchmarks import common
from benchmarks.speed.environment import environment_table, measure_environment
from benchmarks.speed.epochs import (
    EPOCHS,
    PEERS,
    REFERENCE,
    command_of,
    draw,
    environment_of,
    epochs_table,
    measure_epochs,
    ratios,
    spread,
)
from benchmarks.speed.watched import run
from tasks.files import read_json, write_json
from tasks.markdown import table

SIZES, GROWING = ("1000", "4000", "16000", "54000"), (REFERENCE, "ours float32", "ours mixed_bfloat16")
PIPELINE = [sys.executable, "flows/mnist_pipeline.py"]
WITHOUT_PAGE = """
import runpy, sys
from tasks.report.live import LivePage
LivePage.write = LivePage.upload = lambda *given, **named: None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
# Runs the script with its page; writes at the end what the page took of its thread's processor time.
CLOCKED_PAGE = """
import atexit, os, runpy, sys, time
from tasks.report.live import LivePage
spent, inside = [], []
def clocked(method):
    def call(*given, **named):
        began, outer = time.thread_time(), not inside
        inside.append(1)
        try:
            return method(*given, **named)
        finally:
            inside.pop()
            if outer:
                spent.append(time.thread_time() - began)
    return call
LivePage.update, LivePage.write, LivePage.upload = map(
    clocked, (LivePage.update, LivePage.write, LivePage.upload)
)
atexit.register(lambda: open(os.environ["PAGE_SECONDS"], "w").write(str(sum(spent))))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


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
        flags = ["--epochs", "3", "--train-samples", size]
        line, *_ = run([*command_of(name), *flags], **environment_of(name))
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
    """Time a run with and without its live page, in turn, and the page's own processor time."""
    found: dict[str, list[dict[str, float]]] = {"without": [], "with": []}
    script, flags = PIPELINE[1:], ("--train-samples", "12000", "--epochs", "10")
    for _, name in product(range(rounds), found):
        with tempfile.TemporaryDirectory(prefix="mnist-pipeline-benchmark-") as kept:
            artifacts, prefect, page = (Path(kept, part) for part in ("artifacts", "prefect", "page"))
            (artifacts / "data").mkdir(parents=True)
            (artifacts / "data" / "mnist.npz").symlink_to(common.mnist())
            program = [sys.executable, "-c", WITHOUT_PAGE if name == "without" else CLOCKED_PAGE, *script]
            before = processor_seconds()
            _, seconds, _ = run(
                [*program, *flags, "--artifacts-dir", str(artifacts)],
                PREFECT_HOME=str(prefect),
                PREFECT_API_URL="",
                PAGE_SECONDS=str(page),
            )
            figures = {"seconds": seconds, "processor_seconds": processor_seconds() - before}
            if name == "with":
                figures["processor_seconds_of_the_page"] = float(page.read_text())
            found[name].append(figures)
            print(name, figures, flush=True)
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
    own = [each["processor_seconds_of_the_page"] for each in page]
    shares = [part / each["processor_seconds"] for part, each in zip(own, page, strict=True)]
    closing = f"The page itself: {spread(own)} processor seconds, {max(shares):.1%} of the run at most."
    return f"{table(['', 'without', 'with', 'with / without'], rows)}\n\n{closing}"


def main(
    what: Literal["epochs", "whole", "growth", "live", "environment"],
    /,
    *,
    rounds: int = 3,
    models: tuple[str, ...] = tuple(EPOCHS),
    peers: tuple[str, ...] = tuple(PEERS),
) -> None:
    """Measure, keep the numbers, print the table."""
    common.mnist()
    measure, table_of = {
        "epochs": (partial(measure_epochs, models=models, peers=peers), epochs_table),
        "whole": (measure_whole, whole_table),
        "growth": (measure_growth, growth_table),
        "live": (measure_live, live_table),
        "environment": (partial(measure_environment, models=models), environment_table),
    }[what]
    measured = {**measure(rounds), "rounds": rounds, **common.circumstances()}
    if (models, peers) == (tuple(EPOCHS), tuple(PEERS)):
        write_json(Path(__file__).with_name(f"{what}.json"), measured)
        if what == "epochs":
            draw(measured["seconds_per_epoch"], common.PROJECT / "docs" / "images" / "speed.png")
    print(table_of(measured))


if __name__ == "__main__":
    common.run(main)
