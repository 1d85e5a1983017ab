"""How good is the onset rule, on runs that did not choose it?

    python -m benchmarks.onset

Reads tests/evaluation/histories/onset_histories.npz (seeds 1, 3, 5, ...) and, if histories.py has made them,
the trainings in artifacts/onset_histories; simulates curves; prints the measures and writes
onset.json beside this file.
Truth is fixed without the rule: the minimum of the median-of-3 of the mean curve of the *other* seeds, of the
trainings in artifacts on other images. Regret: that curve at the best epoch found, above its minimum.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest
from statsmodels.nonparametric.smoothers_lowess import lowess

from benchmarks import common
from benchmarks.onset.runs import Curve, Run, fresh_runs, simulated_runs, stored_runs
from tasks.evaluation.onset import find_onset
from tasks.files import write_json

AFTER = 10  # epochs after the onset from which on a verdict is demanded


def log_lowess(curve: Curve) -> int:
    """Index of the minimum of a lowess of the logarithm against the logarithm of the epoch."""
    time = np.log(np.arange(1, len(curve) + 1))
    return int(np.argmin(lowess(np.log(curve), time, frac=0.3, return_sorted=False)))


PLACES: dict[str, Callable[[Curve], int]] = {
    "lowest value": lambda curve: int(np.argmin(curve)),
    "lowess of logarithms": log_lowess,
}


def share(count: int, n: int) -> dict[str, Any]:
    """A share with its exact binomial 95 % interval, in percent."""
    interval = binomtest(count, n).proportion_ci()
    return {"count": count, "n": n, "percent_ci95": [100 * interval.low, 100 * interval.high]}


def placed(runs: list[Run], bests: list[int]) -> dict[str, float]:
    """Errors in epochs and regret in percent of these best epochs (indices)."""
    errors = np.array([abs(best + 2 - (run.onset or 0)) for run, best in zip(runs, bests, strict=True)])
    regrets = [100 * (run.truth[best] / run.truth.min() - 1) for run, best in zip(runs, bests, strict=True)]
    names = ("median_error", "error_90", "mean_regret", "regret_90")
    values = (np.median(errors), np.quantile(errors, 0.9), np.mean(regrets), np.quantile(regrets, 0.9))
    return dict(zip(names, map(float, values), strict=True))


def score(runs: list[Run]) -> dict[str, Any]:
    """The measures of the rule on runs with and without onset."""
    found = [
        find_onset(
            run.validation.tolist(), None if run.train is None else run.train.tolist(), run.image_losses
        )
        for run in runs
    ]
    result: dict[str, Any] = {"statuses": dict(Counter(onset.status for onset in found))}
    both = list(zip(runs, found, strict=True))
    if never := [onset.epoch is not None for run, onset in both if run.onset is None]:
        result["false_alarms"] = share(sum(never), len(never))
    due = [onset for run, onset in both if run.onset and len(run.validation) - run.onset >= AFTER]
    if due:
        result["verdicts"] = share(sum(onset.epoch is not None for onset in due), len(due))
    covered = []
    for run, onset in both:
        if onset.severity_interval is not None:
            last = max(3, -(-len(run.truth) // 10))
            rise = 100 * (run.truth[-last:].mean() / run.truth.min() - 1)
            covered.append(onset.severity_interval[0] <= rise <= onset.severity_interval[1])
    result["rise_covered"] = share(int(sum(covered)), len(covered))
    seen = [(run, onset) for run, onset in both if run.onset and onset.epoch is not None]
    if seen:
        inside = [
            on.interval is not None and on.interval[0] <= (run.onset or 0) <= on.interval[1]
            for run, on in seen
        ]
        widths = [onset.interval[1] - onset.interval[0] + 1 for _, onset in seen if onset.interval]
        result["onset_covered"] = share(sum(inside), len(inside))
        result["median_width"] = float(np.median(widths))
        those = [run for run, _ in seen]
        result["place"] = placed(those, [onset.epoch - 2 for _, onset in seen if onset.epoch])
        for name, place in PLACES.items():
            result[name] = placed(those, [place(run.validation) for run in those])
    return result


def scores(title: str, settings: dict[str, list[Run]]) -> dict[str, Any]:
    """Return the measures for each setting and for all together, and print them."""
    settings = {**settings, "all": [run for runs in settings.values() for run in runs]}
    rows = {name: score(runs) for name, runs in settings.items()}
    for name, row in rows.items():
        print(f"{title} | {name} | {row}", flush=True)
    return rows


def main() -> None:
    """Score the rule on all runs."""
    results: dict[str, Any] = {"stored, odd seeds": scores("stored, odd seeds", stored_runs(1))}
    if fresh := fresh_runs(with_images=True):
        results["fresh, with images"] = scores("fresh, with images", fresh)
        results["fresh, curves alone"] = scores("fresh, curves alone", fresh_runs(with_images=False))
    simulated = {
        f"{name}, {epochs} epochs, autocorrelation {correlation}": simulated_runs(
            name, epochs, correlation, 200
        )
        for name in ("plateau", "fall to a plateau")
        for epochs in (20, 50, 100)
        for correlation in (0.0, 0.4, 0.7)
    }
    rises = ("jump of 6 %", "steady rise to 10 %", "jump of 4 noises", "steady rise to 30 %")
    passing = ("passing rise, ends at 0 %", "passing rise, ends at 20 %")
    simulated |= {
        f"{name}, {epochs} epochs, autocorrelation {correlation}": simulated_runs(
            name, epochs, correlation, 100
        )
        for names, lengths in (((*rises, "drop, then a rise to 30 %"), (20, 50, 100)), (passing, (50,)))
        for name in names
        for epochs in lengths
        for correlation in (0.0, 0.4)
    }
    results["simulated"] = {name: score(runs) for name, runs in simulated.items()}
    for name, row in results["simulated"].items():
        print(f"simulated | {name} | {row}", flush=True)
    write_json(Path(__file__).with_name("onset.json"), results)


if __name__ == "__main__":
    common.run(main)
