"""How good is the onset rule? The rule to start from and the present one on single runs: real ones and simulated.

    python -m benchmarks.onset

Reads tests/evaluation/histories/onset_histories.npz (made by histories.py) and the reference run, prints a table
and writes benchmarks/onset/onset.json. Seeds 0, 2, 4, ... are for tuning, the others held out (how strictly:
docs/onset.md).
Truth is fixed without any rule: the onset of a run is the epoch after the minimum of the median-of-3 of the mean
curve of the *other* seeds; a setting overfits if its curve rises after that by more than two standard errors,
the minimum being located on one half of the seeds and the rise measured on the other. About two minutes.
"""

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import binomtest

from benchmarks import common
from benchmarks.onset.runs import Curve, Run, median_of_3, pipeline_runs, real_runs, simulated_runs
from tasks.evaluation.curves import mann_kendall_z
from tasks.evaluation.onset import find_onset
from tasks.files import write_json

AFTER = 10  # epochs after the onset from which on a verdict is demanded


class Verdict(NamedTuple):
    status: str
    epoch: int | None = None
    interval: tuple[int, int] | None = None


Rule = Callable[[Curve, Curve | None], Verdict]


def present_rule(validation: Curve, train: Curve | None) -> Verdict:
    """The rule of tasks.evaluation.onset."""
    onset = find_onset(validation.tolist(), None if train is None else train.tolist())
    return Verdict(onset.status, onset.epoch, onset.interval)


def start_rule(validation: Curve, train: Curve | None) -> Verdict:
    """The rule to start from: minimum of the median-of-3, a rise beyond two deviations of the noise, a trend."""
    smooth, epochs = median_of_3(validation), len(validation)
    lowest = smooth.min()
    best = int(np.argmax(smooth <= 1.001 * lowest))
    steps = np.diff(validation[epochs // 5 :])
    noise = 1.4826 * float(np.median(np.abs(steps - np.median(steps)))) / math.sqrt(2)
    rise = np.median(smooth[-max(3, math.ceil(epochs / 10)) :]) - lowest
    if epochs - 1 - best < 6:
        return Verdict("inconclusive")
    if rise <= max(0.02 * lowest, 2 * noise) or mann_kendall_z(validation[best + 1 :]) < 2.33:
        return Verdict("not_observed")
    low = np.flatnonzero(smooth <= lowest + noise)
    return Verdict("overfits", best + 2, (int(low[0]) + 2, min(int(low[-1]) + 2, epochs)))


def score(runs: list[Run], rule: Rule) -> dict[str, Any]:
    """The measures of one rule on runs with and without onset."""
    verdicts = [(run, rule(run.validation, run.train)) for run in runs]
    result: dict[str, Any] = {"runs": len(runs)}
    result["statuses"] = dict(Counter(verdict.status for _, verdict in verdicts))
    never = [verdict.epoch is not None for run, verdict in verdicts if run.onset is None]
    if never:
        interval = binomtest(sum(never), len(never)).proportion_ci()
        result |= {"never_overfitting": len(never), "false_alarms": sum(never)}
        result["false_alarms_percent_ci95"] = [100 * interval.low, 100 * interval.high]
    overfitting = [(run, run.onset, verdict) for run, verdict in verdicts if run.onset is not None]
    due = [verdict for run, onset, verdict in overfitting if len(run.validation) - onset >= AFTER]
    if due:
        seen = sum(verdict.epoch is not None for verdict in due)
        result |= {"verdicts_due": len(due), "verdict_percent": 100 * seen / len(due)}
    found = [
        (onset, verdict.epoch, *verdict.interval, int(np.argmin(run.validation)) + 2)
        for run, onset, verdict in overfitting
        if verdict.epoch is not None and verdict.interval is not None
    ]
    if found:
        truth, epoch, first, last, own_minimum = np.array(found).T
        errors, own_errors = np.abs(epoch - truth), np.abs(own_minimum - truth)
        result |= {
            "onsets": len(found),
            "bias": float((epoch - truth).mean()),
            "median_error": float(np.median(errors)),
            "error_90": float(np.quantile(errors, 0.9)),
            "own_minimum_median_error": float(np.median(own_errors)),
            "own_minimum_error_90": float(np.quantile(own_errors, 0.9)),
            "interval_holds_truth_percent": 100
            * int(((first <= truth) & (truth <= last)).sum())
            / len(found),
            "interval_median_width": float(np.median(last - first + 1)),
        }
    return result


def epochs_needed(runs: list[Run], rule: Rule) -> dict[str, float]:
    """Percent of runs with a verdict if they had ended so many epochs after the onset."""
    shares = {}
    for after in (6, 8, 10, 12, 15, 20, 25):
        ends = [(run.validation, run.onset - 1 + after) for run in runs if run.onset is not None]
        seen = [rule(curve[:end], None).epoch is not None for curve, end in ends if len(curve) >= end]
        if seen:
            shares[str(after)] = 100 * sum(seen) / len(seen)
    return shares


def scores(title: str, settings: dict[str, list[Run]], rule: Rule) -> dict[str, Any]:
    """Return and print the measures of a rule for each setting, and for all together unless they are networks."""
    rows = {}
    if "reference" not in title:
        settings = {**settings, "all": [run for runs in settings.values() for run in runs]}
    for name, runs in settings.items():
        rows[name] = score(runs, rule)
        if "real" in title:
            rows[name]["verdict_percent_by_epochs_after_onset"] = epochs_needed(runs, rule)
        numbers = {key: value for key, value in rows[name].items() if isinstance(value, int | float)}
        print(f"{title} | {name}:", *(f"{key} {value:.4g}" for key, value in numbers.items()), flush=True)
    return rows


def main() -> None:
    """Score both rules on all runs."""
    results: dict[str, Any] = {}
    for name, rule in (("start", start_rule), ("present", present_rule)):
        results[name] = {
            half: {
                "real": scores(f"{name} | {half} | real", real_runs(first), rule),
                "simulated": scores(f"{name} | {half} | simulated", simulated_runs(first), rule),
            }
            for half, first in (("tuning", 0), ("held out", 1))
        }
        results[name]["reference run"] = scores(f"{name} | reference run", pipeline_runs(), rule)
    write_json(Path(__file__).with_name("onset.json"), results)


if __name__ == "__main__":
    common.run(main)
