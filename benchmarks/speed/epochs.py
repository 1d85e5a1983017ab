"""Seconds per epoch of each network by each program, in turn, so that all meet the same weather."""

import json
import os
import sys
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import common
from benchmarks.speed.watched import run
from tasks import pictures
from tasks.errors import UserError
from tasks.markdown import table
from tasks.training.process import tensorflow_environment

EPOCHS = {"dense": 6, "cnn": 2, "regularized_cnn": 2}  # the first, which compiles, is not counted
# less than all, so that three rounds take half an hour
IMAGES = {"dense": common.FITTED, "cnn": 24_000, "regularized_cnn": 24_000}
LIMIT = 300  # seconds; a program that takes longer counts as failed
PEERS_PYTHON = os.environ.get("PEERS_PYTHON", "")
REFERENCE = "Keras as in the tutorial"
PEERS = {
    REFERENCE: (sys.executable, "naive_keras"),
    "Keras tuned float32": (sys.executable, "expert_keras"),
    "Keras tuned mixed_bfloat16": (sys.executable, "expert_keras", "--precision=mixed_bfloat16"),
    "PyTorch float32": (PEERS_PYTHON, "pytorch_networks"),
    "PyTorch bfloat16": (PEERS_PYTHON, "pytorch_networks", "--precision=bfloat16"),
    "PyTorch compiled float32": (PEERS_PYTHON, "pytorch_networks", "--compile"),
    "PyTorch compiled bfloat16": (PEERS_PYTHON, "pytorch_networks", "--compile", "--precision=bfloat16"),
    "JAX float32": (PEERS_PYTHON, "jax_networks"),
    "ours float32": (sys.executable, "ours"),
    "ours mixed_bfloat16": (sys.executable, "ours", "--precision=mixed_bfloat16"),
}
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


def environment_of(peer: str) -> dict[str, str]:
    """Return the variables set for one of PEERS: for ours those of the pipeline's trainings, else none."""
    return tensorflow_environment() if peer.startswith("ours") else {}


def measure_epochs(rounds: int, models: tuple[str, ...], peers: tuple[str, ...]) -> dict[str, Any]:
    """Run each peer with each network in each round; a peer that fails is not run with that network again."""
    peers = tuple(name for name in peers if PEERS[name][0])
    seconds: dict[str, dict[str, list[float]]] = {model: {name: [] for name in peers} for model in models}
    results: dict[str, dict[str, Any]] = {model: {} for model in models}
    memory = {model: dict.fromkeys(peers, 0.0) for model in models}
    failed: dict[str, dict[str, str]] = {model: {} for model in models}
    peaks: dict[str, list[float]] = {"float32": [], "bfloat16": []}
    if not PEERS_PYTHON:
        print("PyTorch and JAX are left out: $PEERS_PYTHON does not name a Python that has them.")
    for number in range(rounds):
        for precision, found in peaks.items():
            found.append(float(run([sys.executable, "-c", PEAK, precision])[0]))
        for model, name in product(models, peers):
            if name in failed[model]:
                continue
            flags = ["--models", model, "--epochs", str(EPOCHS[model]), "--train-samples", str(IMAGES[model])]
            try:
                line, _, used = run([*command_of(name), *flags], LIMIT, **environment_of(name))
            except (UserError, OSError) as error:
                failed[model][name] = str(error)
                del seconds[model][name]
                print(f"round {number + 1} {model} {name} failed: {error}", flush=True)
                continue
            result = results[model][name] = json.loads(line)[model]
            seconds[model][name].append(median(result.pop("epoch_seconds")[1:]))
            memory[model][name] = max(used, memory[model][name])
            print(f"round {number + 1} {model} {name}: {seconds[model][name][-1]:.2f} s", flush=True)
    return {
        "seconds_per_epoch": seconds,
        "train_samples": {model: IMAGES[model] for model in models},
        "failed": failed,
        "last_results": results,
        "peak_memory_gigabytes": memory,
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
    """Return the table of seconds per epoch, and what failed."""
    rows = []
    for model, by_name in measured["seconds_per_epoch"].items():
        results, images = measured["last_results"][model], measured["train_samples"][model]
        work = results.get(REFERENCE, {}).get("floating_point_operations_per_image")
        for name, found in by_name.items():
            precision = "bfloat16" if name.endswith("bfloat16") else "float32"
            peak = median(measured["matmul_peak_operations_per_second"][precision])
            speed = images / median(found)
            share = f"{work * speed / peak:.0%}" if work else None
            factor = ratios(by_name[REFERENCE], found) if REFERENCE in by_name else None
            memory = f"{measured['peak_memory_gigabytes'][model][name]:.1f}"
            rows.append([model, name, f"{images:,}", spread(found), f"{speed:,.0f}", share, factor, memory])
    header = [
        "network",
        "program",
        "images",
        "seconds per epoch: median (lowest to highest)",
        "images per second",
    ]
    closing = [
        f"{model}, {name} failed: {why}"
        for model, by_name in measured["failed"].items()
        for name, why in by_name.items()
    ]
    last = ["share of the matmul peak", "times as fast as Keras", "memory, GB"]
    return "\n\n".join([table([*header, *last], rows, left=2), *closing])


def draw(models: dict[str, dict[str, list[float]]], path: Path) -> None:
    """Draw the seconds per epoch: a dot for each round, a bar for the median."""
    from tasks.report import charts

    names = [name for name in PEERS if any(name in by_name for by_name in models.values())]
    figure = pictures.new_figure(1 + 0.25 * len(names))
    for axes, (model, by_name) in zip(figure.subplots(1, len(models)), models.items(), strict=True):
        for place, name in enumerate(names):
            colour = pictures.TRAIN if name.startswith("ours") else pictures.MUTED
            if found := by_name.get(name):
                axes.barh(place, median(found), color=colour, alpha=charts.SHADE)
                axes.plot(found, [place] * len(found), "o", color=colour, markersize=4)
        axes.set_yticks(range(len(names)), names if axes.get_subplotspec().is_first_col() else [])
        axes.set_ylim(len(names) - 0.5, -0.5)
        charts.tidy(axes, f"{model}, {IMAGES[model]:,} images", "seconds per epoch")
    pictures.save(figure, path)
