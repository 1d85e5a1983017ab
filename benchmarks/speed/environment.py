"""Seconds per epoch of our networks by settings of malloc and oneDNN."""

import json
import resource
import sys
from itertools import product
from statistics import median
from typing import Any

from benchmarks.speed.epochs import EPOCHS, IMAGES, ratios, spread
from benchmarks.speed.watched import run
from tasks.markdown import table
from tasks.training.process import HUGE_PAGES

NOTHING = "nothing set"
KEEP = "glibc.malloc.arena_max=1:glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=4294967296"
SETTINGS: dict[str, dict[str, str]] = {
    NOTHING: {"GLIBC_TUNABLES": ""},
    "malloc keeps what is freed": {"GLIBC_TUNABLES": KEEP},
    "malloc asks for huge pages": {"GLIBC_TUNABLES": HUGE_PAGES},
    "both": {"GLIBC_TUNABLES": f"{KEEP}:{HUGE_PAGES}"},
    "oneDNN without AMX": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"},
    "oneDNN's memory from malloc": {"TF_ONEDNN_USE_SYSTEM_ALLOCATOR": "1"},
}

FIGURES = ("seconds", "page_faults", "system_seconds", "peak_memory_gigabytes")


def measure_environment(rounds: int, models: tuple[str, ...]) -> dict[str, Any]:
    """Train each network in each environment in each round, not counting the first epoch."""
    found: dict[str, dict[str, dict[str, list[float]]]] = {
        model: {name: {figure: [] for figure in FIGURES} for name in SETTINGS} for model in models
    }
    for number, model, (name, environment) in product(range(rounds), models, SETTINGS.items()):
        precision = "float32" if model == "dense" else "mixed_bfloat16"
        command = [sys.executable, "-m", "benchmarks.speed.ours", "--precision", precision]
        command += ["--models", model, "--epochs", str(EPOCHS[model]), "--train-samples", str(IMAGES[model])]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        line, _, memory = run(command, **environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        figures = found[model][name]
        figures["seconds"].append(median(json.loads(line)[model]["epoch_seconds"][1:]))
        figures["page_faults"].append(after.ru_minflt - before.ru_minflt)
        figures["system_seconds"].append(after.ru_stime - before.ru_stime)
        figures["peak_memory_gigabytes"].append(memory)
        print(
            f"round {number + 1} {model} {name}", {key: each[-1] for key, each in figures.items()}, flush=True
        )
    return {"by_environment": found}


def environment_table(measured: dict[str, Any]) -> str:
    """Return the table of seconds per epoch by environment."""
    rows = []
    for model, by_name in measured["by_environment"].items():
        for name, figures in by_name.items():
            factor = ratios(by_name[NOTHING]["seconds"], figures["seconds"])
            _, faults, system, memory = (median(figures[figure]) for figure in FIGURES)
            others = [f"{faults / 1e6:.2f}", f"{system:.1f}", f"{memory:.2f}"]
            rows.append([model, name, spread(figures["seconds"]), factor, *others])
    head = ["seconds per epoch: median (lowest to highest)", "times as fast", "million page faults"]
    return table(["network", "environment", *head, "seconds in the kernel", "memory, GB"], rows, left=2)
