"""How often does a second run contradict the first? Verdicts of runs that differ in the seed alone.

    python -m benchmarks.contradictions RUN_FOLDER...

Each run folder holds several seeds. Every seed is taken as a run of its own: its networks are compared as a run
with one seed compares them. Then each two of these runs are held against each other: a contradiction is a pair of
networks of which both say that they differ, in opposite directions. Prints the counts.
"""

from collections import Counter
from itertools import combinations
from pathlib import Path

from benchmarks.common import run
from tasks.comparison.pairs import compare_models
from tasks.comparison.previous import read_right
from tasks.results.file import read_results


def kind(first: str | None, second: str | None) -> str:
    """Return how two verdicts on a pair stand to each other; each names the better network, None if tied."""
    if first == second:
        return "the same verdict"
    return "one decided, one tied" if None in (first, second) else "contradiction"


def main(*folders: Path) -> None:
    """Compare all pairs of seeds of each run folder."""
    for folder in folders:
        models = read_results(folder).finished
        seeds = [training.seed for training in next(iter(models.values())).finished]
        verdicts = [
            compare_models({model: {seed: read_right(folder, model, seed)} for model in models})
            for seed in seeds
        ]
        kinds = Counter(
            kind(one.better, other.better)
            for first, second in combinations(verdicts, 2)
            for one, other in zip(first, second, strict=True)
        )
        pairs = len(seeds) * (len(seeds) - 1) // 2
        print(f"{folder.name}: {pairs} pairs of runs, {kinds.total()} pairs of verdicts: {dict(kinds)}")


if __name__ == "__main__":
    run(main)
