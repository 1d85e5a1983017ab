"""Does bfloat16 change what is found? The same seeds in float32 and in mixed_bfloat16, compared pair by pair.

    python benchmarks/precision.py FLOAT32_RUN BFLOAT16_RUN

The arguments are run folders of two runs with the same models and seeds, eight or more. For each network: the mean
difference (bfloat16 minus float32) of test accuracy and of test NLL with Student's 95 % interval over the pairs,
beside 1.5 standard deviations from seed to seed, within which the interval has to lie: choosing the precision must
matter less than choosing the seed. Onsets: how many each precision shows, and the paired difference of the epochs.
Prints a table and writes benchmarks/results/precision.json.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from tasks.files import read_json, write_json

RESULTS = Path(__file__).resolve().parent / "results" / "precision.json"
FEWEST_SEEDS = 8
BOUND = 1.5  # standard deviations over the float32 seeds


def interval_of(differences: list[float]) -> list[float]:
    """Return Student's 95 % interval of the mean."""
    error = np.std(differences, ddof=1) / np.sqrt(len(differences))
    reach = stats.t.ppf(0.975, len(differences) - 1) * error
    return [float(np.mean(differences) - reach), float(np.mean(differences) + reach)]


def equivalence(plain: list[float], other: list[float]) -> dict[str, Any]:
    """Return the paired difference, its interval, the bound, and whether the interval lies inside it."""
    differences = [b - a for a, b in zip(plain, other, strict=True)]
    bound = BOUND * float(np.std(plain, ddof=1))
    low, high = interval_of(differences)
    return {
        "float32_mean": float(np.mean(plain)),
        "mean_difference": float(np.mean(differences)),
        "ci95": [low, high],
        "bound": bound,
        "inside": -bound < low and high < bound,
    }


def compare(plain: list[dict[str, Any]], other: list[dict[str, Any]]) -> dict[str, Any]:
    """Compare the trainings of one network; both lists are in the order of the seeds."""
    result: dict[str, Any] = {"seeds": [training["seed"] for training in plain]}
    for measure in ("accuracy", "nll"):
        result[measure] = equivalence(*([t["test"][measure] for t in side] for side in (plain, other)))
    epochs = [[training["onset"]["epoch"] for training in side] for side in (plain, other)]
    both = [float(b - a) for a, b in zip(*epochs, strict=True) if a is not None and b is not None]
    result["onsets"] = {
        "float32": epochs[0],
        "mixed_bfloat16": epochs[1],
        "pairs": len(both),
        "mean_difference": float(np.mean(both)) if both else None,
        "ci95": interval_of(both) if len(both) > 1 else None,
    }
    result["seconds"] = [float(np.median([t["seconds"] for t in side])) for side in (plain, other)]
    return result


def row(name: str, found: dict[str, Any]) -> str:
    """Return one line of the table."""
    cells = [name, str(len(found["seeds"]))]
    for measure, scale, digits in (("accuracy", 100, 3), ("nll", 1, 4)):
        values = found[measure]
        low, high = (f"{scale * value:+.{digits}f}" for value in values["ci95"])
        verdict = "inside" if values["inside"] else "NOT inside"
        cells.append(
            f"{scale * values['mean_difference']:+.{digits}f} ({low} to {high}), "
            f"{verdict} {scale * values['bound']:.{digits}f}"
        )
    onsets = found["onsets"]
    shown = [sum(epoch is not None for epoch in onsets[side]) for side in ("float32", "mixed_bfloat16")]
    difference = (
        ""
        if onsets["ci95"] is None
        else "; {:+.1f} epochs ({:+.1f} to {:+.1f})".format(onsets["mean_difference"], *onsets["ci95"])
    )
    cells.append(f"{shown[0]} and {shown[1]} of {len(found['seeds'])}{difference}")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Compare the networks that both runs trained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("float32_run", type=Path)
    parser.add_argument("bfloat16_run", type=Path)
    arguments = parser.parse_args()
    plain, other = (
        read_json(folder / "results.json") for folder in (arguments.float32_run, arguments.bfloat16_run)
    )
    found = {}
    for name in plain["models"].keys() & other["models"].keys():
        sides = [
            sorted(run["models"][name]["trainings"], key=lambda training: training["seed"])
            for run in (plain, other)
        ]
        seeds, precisions = ([[t[key] for t in side] for side in sides] for key in ("seed", "precision"))
        if seeds[0] != seeds[1] or len(seeds[0]) < FEWEST_SEEDS:
            parser.error(f"{name}: expected the same {FEWEST_SEEDS} or more seeds in both runs, got {seeds}")
        if set(precisions[0]) != {"float32"} or set(precisions[1]) != {"mixed_bfloat16"}:
            parser.error(f"{name}: expected float32 in the first run, mixed_bfloat16 in the second")
        found[name] = compare(*sides)
    keys = ("train_samples", "epochs", "pixel_scaling")
    write_json(RESULTS, {"parameters": {key: plain["parameters"][key] for key in keys}, "networks": found})
    print("| network | pairs | test accuracy, points | test NLL, nats | onsets seen; difference where both |")
    print("|---|--:|--:|--:|---|")
    for name in sorted(found):
        print(row(name, found[name]))


if __name__ == "__main__":
    main()
