"""What it costs to sync the folder too, after a file was renamed.

    python -m benchmarks.endurance.writes [--rounds 5] [--pairs 40]

Writes files of 1 KiB and 1 MiB (a checkpoint of dense) by `atomic_write`, in turn with and without that syncing.
Prints the medians and the ratio of the medians, with its range over the rounds, and writes writes.json.
"""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

from benchmarks import common
from tasks import files

RESULTS = Path(__file__).with_name("writes.json")
SIZES = {"1 KiB": 2**10, "1 MiB": 2**20}


def seconds(write: Callable[[], None]) -> float:
    """Return how long it takes."""
    begun = time.perf_counter()
    write()
    return time.perf_counter() - begun


def write(path: Path, content: bytes) -> None:
    """Write a file as the pipeline does."""
    with files.atomic_write(path) as temporary:
        temporary.write_bytes(content)


def without_sync(path: Path, content: bytes) -> None:
    """Write a file without syncing its folder."""
    with patch.object(files, "sync_folder"):
        write(path, content)


def measure(folder: Path, size: int, rounds: int, pairs: int) -> dict[str, Any]:
    """Return milliseconds per write and their ratio."""
    content, ways = bytes(size), {"without": without_sync, "with": write}
    taken: dict[str, list[list[float]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            taken[way].append([])
        for pair in range(pairs):
            for way, function in ways.items():
                path = folder / f"{way}-{pair}"
                taken[way][-1].append(seconds(lambda function=function, path=path: function(path, content)))
    medians = {way: median(second for part in parts for second in part) for way, parts in taken.items()}
    ratios = [median(after) / median(before) for before, after in zip(*taken.values(), strict=True)]
    return {
        "milliseconds": {way: round(1000 * value, 3) for way, value in medians.items()},
        "ratio": round(medians["with"] / medians["without"], 2),
        "range": [round(limit, 2) for limit in (min(ratios), max(ratios))],
    }


def main(*, rounds: int = 5, pairs: int = 40) -> None:
    """Measure in a folder that lies where the artifacts lie."""
    with tempfile.TemporaryDirectory(dir=common.PROJECT / "artifacts") as folder:
        found = {name: measure(Path(folder), size, rounds, pairs) for name, size in SIZES.items()}
    print(json.dumps(found, indent=1))
    files.write_json(RESULTS, {**found, "rounds": rounds, "pairs": pairs, **common.circumstances()})


if __name__ == "__main__":
    common.run(main)
