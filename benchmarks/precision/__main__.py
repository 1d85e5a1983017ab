"""Does bfloat16 change what is found? The same seeds in float32 and in mixed_bfloat16, compared pair by pair.

    python -m benchmarks.precision FLOAT32_RUN BFLOAT16_RUN

The arguments are run folders of two runs with the same models and seeds, eight or more. For each network: the mean
difference (bfloat16 minus float32) of test accuracy and of test NLL with Student's 95 % interval over the pairs,
beside 1.5 standard deviations from seed to seed, within which the interval has to lie: choosing the precision must
matter less than choosing the seed. Onsets: how many each precision shows, and the paired difference of the epochs.
Prints a table and writes benchmarks/precision/precision.json.
"""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import difference, run, signed
from tasks.errors import UserError
from tasks.files import write_json
from tasks.markdown import table
from tasks.results.file import read_results
from tasks.results.run import ModelResult
from tasks.results.training import TrainingResult

FEWEST_SEEDS = 8
BOUND = 1.5  # standard deviations over the float32 seeds
PRECISIONS = ("float32", "mixed_bfloat16")
Sides = tuple[list[TrainingResult], list[TrainingResult]]  # float32, bfloat16; in the order of the seeds


def sides_of(name: str, plain: ModelResult, other: ModelResult) -> Sides:
    """Return the trainings of a network in both precisions. Raises UserError if they do not match."""
    sides = (plain.finished, other.finished)
    seeds = [[training.seed for training in side] for side in sides]
    if seeds[0] != seeds[1] or len(seeds[0]) < FEWEST_SEEDS:
        raise UserError(f"{name}: expected the same {FEWEST_SEEDS} or more seeds in both runs, got {seeds}.")
    if any({t.precision for t in side} != {name} for side, name in zip(sides, PRECISIONS, strict=True)):
        raise UserError(f"{name}: expected float32 in the first run, mixed_bfloat16 in the second.")
    return sides


def equivalence(plain: list[float], other: list[float]) -> dict[str, Any]:
    """Return the paired difference, its interval, the bound, and whether the interval lies inside it."""
    mean, low, high = difference(plain, other)
    bound = BOUND * float(np.std(plain, ddof=1))
    return {
        "float32_mean": float(np.mean(plain)),
        "mean_difference": mean,
        "ci95": [low, high],
        "bound": bound,
        "inside": -bound < low and high < bound,
    }


def compare(sides: Sides) -> dict[str, Any]:
    """Compare the trainings of one network."""
    epochs = [[training.onset.epoch for training in side] for side in sides]
    both = [(a, b) for a, b in zip(*epochs, strict=True) if a is not None and b is not None]
    shift = difference(*zip(*both, strict=True)) if both else [None]
    return {
        "seeds": [training.seed for training in sides[0]],
        "accuracy": equivalence(*([training.test.accuracy for training in side] for side in sides)),
        "nll": equivalence(*([training.test.nll for training in side] for side in sides)),
        "onsets": {
            **dict(zip(PRECISIONS, epochs, strict=True)),
            "pairs": len(both),
            "mean_difference": shift[0],
            "ci95": shift[1:] or None,
        },
        "seconds": [float(np.median([training.seconds for training in side])) for side in sides],
    }


def row(name: str, found: dict[str, Any]) -> list[str]:
    """Return one row of the table."""
    cells = [name, str(len(found["seeds"]))]
    for measure, scale, decimals in (("accuracy", 100, 3), ("nll", 1, 4)):
        values = found[measure]
        mean, *limits, bound = (
            scale * number for number in (values["mean_difference"], *values["ci95"], values["bound"])
        )
        verdict = "inside" if values["inside"] else "NOT inside"
        cells.append(f"{signed([mean, *limits], decimals)}, {verdict} {bound:.{decimals}f}")
    onsets = found["onsets"]
    shown = " and ".join(str(sum(epoch is not None for epoch in onsets[side])) for side in PRECISIONS)
    epochs = signed([onsets["mean_difference"], *onsets["ci95"]], 1) if onsets["ci95"] else ""
    return [*cells, f"{shown} of {len(found['seeds'])}{epochs and f'; {epochs} epochs'}"]


def main(float32_run: Path, bfloat16_run: Path) -> None:
    """Compare the networks that both runs trained."""
    plain, other = read_results(float32_run), read_results(bfloat16_run)
    found = {
        name: compare(sides_of(name, plain.models[name], other.models[name]))
        for name in sorted(plain.models.keys() & other.models.keys())
    }
    parameters = {key: plain.parameters[key] for key in ("train_samples", "epochs", "pixel_scaling")}
    write_json(Path(__file__).with_name("precision.json"), {"parameters": parameters, "networks": found})
    header = ["network", "pairs", "test accuracy, points", "test NLL, nats"]
    rows = [row(name, found[name]) for name in found]
    print(table([*header, "onsets seen; difference where both"], rows))


if __name__ == "__main__":
    run(main)
