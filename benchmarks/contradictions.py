"""How often does a second run contradict the first? Verdicts of runs that differ in the seed alone.

    python benchmarks/contradictions.py RUN_FOLDER...

Each run folder holds several seeds. Every seed is taken as a run of its own: its networks are compared as a run
with one seed compares them. Then each two of these runs are held against each other: a contradiction is a pair of
networks of which both say that they differ, in opposite directions. Prints the counts.
"""

import argparse
from collections import Counter
from itertools import combinations
from pathlib import Path

from tasks.comparison.pairs import compare_models
from tasks.comparison.previous import read_right
from tasks.files import read_json

Verdicts = dict[tuple[str, ...], int]  # 1: the first network is better, -1: the second, 0: tied


def verdicts_of(folder: Path, models: list[str], seed: int) -> Verdicts:
    """Return what a run with this seed alone would say of each pair of networks."""
    right = {model: {seed: read_right(folder, model, seed)} for model in models}
    return {
        tuple(pair["models"]): (1 if pair["difference"] > 0 else -1) if pair["significant"] else 0
        for pair in compare_models(right)
    }


def kind(first: int, second: int) -> str:
    """Return how two verdicts on the same pair of networks stand to each other."""
    if first * second < 0:
        return "contradiction"
    if first == second:
        return "the same verdict"
    return "one decided, one tied"


def main() -> None:
    """Compare all pairs of seeds of each run folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    for folder in parser.parse_args().folders:
        results = read_json(folder / "results.json")
        models = list(results["models"])
        seeds = [training["seed"] for training in results["models"][models[0]]["trainings"]]
        verdicts = {seed: verdicts_of(folder, models, seed) for seed in seeds}
        pairs = list(combinations(seeds, 2))
        kinds = Counter(
            kind(verdicts[first][models_], verdicts[second][models_])
            for first, second in pairs
            for models_ in verdicts[first]
        )
        print(f"{folder.name}: {len(pairs)} pairs of runs, {kinds.total()} pairs of verdicts: {dict(kinds)}")


if __name__ == "__main__":
    main()
