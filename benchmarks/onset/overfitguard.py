"""How good is the verdict on histories that others labelled? Li and others 2024, arXiv 2401.10359.

    python -m benchmarks.onset.overfitguard DATA

DATA is the folder `data` of github.com/asgaardlab/OverfitGuard, which has no licence, so nothing of it is kept
here. Prints F1 and balanced accuracy of "overfits" on the 40 real and 419 simulated histories, for the onset rule
and for usual rules. The paper's best method, a time series classifier, is said to have F1 0.91 on the real ones.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import common
from tasks.errors import UserError
from tasks.evaluation.early_stopping import early_stopping
from tasks.evaluation.onset import find_onset
from tasks.results.enums import OnsetStatus

History = tuple[list[float], list[float]]  # validation, train
PARTS = {"real": "testing/real_world_data", "simulated": "training/dataset_exp4"}
RULES: dict[str, Callable[[History], bool]] = {
    "this project": lambda history: find_onset(*history).status is OnsetStatus.OVERFITS,
    "ends 2 % above the lowest value": lambda history: history[0][-1] > 1.02 * min(history[0]),
    "GL 5": lambda history: early_stopping(*history).gl_5 is not None,
    "Keras, patience 5": lambda history: early_stopping(*history).keras_patience_5 is not None,
}


def histories(folder: Path) -> list[History]:
    """Return the histories below a folder."""
    found = [json.loads(path.read_text()) for path in sorted(folder.rglob("*.json"))]
    return [(history[history["monitor_metric"]], history[history["train_metric"]]) for history in found]


def main(data: Path, /, *, only: str | None = None) -> None:
    """Print a line for each part and rule; `only` one of the parts, real or simulated."""
    for part, place in PARTS.items():
        if only not in (None, part):
            continue
        overfit, other = (histories(data / place / label) for label in ("overfit", "non_overfit"))
        if not overfit or not other:
            raise UserError(f"{data / place} does not hold overfit/ and non_overfit/ with JSON files.")
        for name, rule in RULES.items():
            hits, alarms = sum(map(rule, overfit)), sum(map(rule, other))
            f1 = 2 * hits / (hits + alarms + len(overfit))
            balanced = np.mean([hits / len(overfit), 1 - alarms / len(other)])
            counts = f"{hits} of {len(overfit)} seen, {alarms} false alarms of {len(other)}"
            print(f"{part}, {name}: {counts}, F1 {f1:.3f}, balanced accuracy {balanced:.3f}")


if __name__ == "__main__":
    common.run(main)
