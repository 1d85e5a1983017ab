"""How good is the onset rule? The rule to start from and the present one on single runs: real ones and simulated.

    python benchmarks/onset.py

Reads tests/evaluation/histories/onset_histories.npz (made by benchmarks/onset_histories.py) and the reference run, prints a table
and writes benchmarks/results/onset.json. Seeds 0, 2, 4, ... are for tuning, the others held out
(how strictly: docs/onset.md).
Truth is fixed without any rule: the onset of a run is the epoch after the minimum of the median-of-3 of the mean
curve of the *other* seeds; a setting overfits if its curve rises after that by more than two standard errors,
the minimum being located on one half of the seeds and the rise measured on the other. About two minutes.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from tasks.evaluation.curves import mann_kendall_z
from tasks.evaluation.onset import find_onset
from tasks.files import read_json, write_json

Curve = NDArray[np.float64]
ROOT = Path(__file__).resolve().parents[1]
HISTORIES = ROOT / "tests" / "evaluation" / "histories" / "onset_histories.npz"
REFERENCE = ROOT / "artifacts" / "reference" / "results.json"
RESULTS = ROOT / "benchmarks" / "results" / "onset.json"
AFTER = 10  # epochs after the onset from which on a verdict is demanded
SIMULATED = 100  # curves for each kind
EPOCHS, AUTOCORRELATIONS, NOISES, RISES = (20, 30, 50), (0.0, 0.4, 0.7), (0.01, 0.04), (0.3, 1.0)


class Verdict(NamedTuple):
    status: str
    epoch: int | None
    interval: tuple[int, int] | None


class Run(NamedTuple):
    """One training; `onset` is the true one, None in a setting that never overfits."""

    validation: Curve
    train: Curve | None
    onset: int | None


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
        return Verdict("inconclusive", None, None)
    if rise <= max(0.02 * lowest, 2 * noise) or mann_kendall_z(validation[best + 1 :]) < 2.33:
        return Verdict("not_observed", None, None)
    low = np.flatnonzero(smooth <= lowest + noise)
    return Verdict("overfits", best + 2, (int(low[0]) + 2, min(int(low[-1]) + 2, epochs)))


def median_of_3(curve: Curve) -> Curve:
    """The running median; the two ends stay as they are."""
    smooth = curve.copy()
    smooth[1:-1] = np.median([curve[:-2], curve[1:-1], curve[2:]], axis=0)
    return smooth


def overfits(curves: Curve) -> bool:
    """Do these runs, (seeds, epochs), rise after their minimum by more than two standard errors?"""
    scores = []
    for located, measured in ((curves[::2], curves[1::2]), (curves[1::2], curves[::2])):
        best = int(np.argmin(median_of_3(located.mean(axis=0))))
        around = measured[:, max(0, best - 1) : best + 2].mean(axis=1)
        rise = measured[:, -3:].mean(axis=1) - around
        error = rise.std(ddof=1) / math.sqrt(len(rise))
        scores.append(float(rise.mean() / error) if best < curves.shape[1] - 3 else 0.0)
    return sum(scores) / 2 > 2


def real_runs(first_seed: int) -> dict[str, list[Run]]:
    """Every second seed of each setting, from `first_seed` on, with its true onset."""
    settings: dict[str, list[Run]] = {}
    with np.load(HISTORIES) as data:
        for key in data.files:
            name = key.removesuffix("_validation")
            if name == key:
                continue
            curves, train = data[key].astype(np.float64), data[f"{name}_train"].astype(np.float64)
            settings[name] = runs_of(curves, train, range(first_seed, len(curves), 2))
    return settings


def runs_of(validation: Curve, train: Curve, seeds: Iterable[int]) -> list[Run]:
    """The runs of these seeds, with their true onset; both curves are (all seeds, epochs)."""
    rising, runs = overfits(validation), []
    for seed in seeds:
        others = validation[np.arange(len(validation)) != seed].mean(axis=0)
        onset = int(np.argmin(median_of_3(others))) + 2 if rising else None
        runs.append(Run(validation[seed], train[seed], onset))
    return runs


def pipeline_runs() -> dict[str, list[Run]]:
    """All seeds of each network of the reference run."""
    networks = {}
    for name, model in read_json(REFERENCE)["models"].items():
        histories = [training["history"] for training in model["trainings"]]
        validation, train = (np.array([h[key] for h in histories]) for key in ("val_nll", "train_nll"))
        networks[name] = runs_of(validation, train, range(len(validation)))
    return networks


def simulated_runs(first_seed: int) -> dict[str, list[Run]]:
    """A falling exponential to a floor of 0.1, perhaps a straight rise from 40 % of the epochs on, AR(1) noise."""
    generator = np.random.default_rng(1000 + first_seed)
    kinds: dict[str, list[Run]] = defaultdict(list)
    for epochs, correlation in ((e, c) for e in EPOCHS for c in AUTOCORRELATIONS):
        time = np.arange(1, epochs + 1)
        for deviation, rise in ((d, r) for d in NOISES for r in (0.0, *RISES)):
            for fall in (12, 5):  # the floor is reached sooner, later
                turn = 0.4 * epochs
                curve = 0.1 + 0.5 * np.exp(-fall * time / epochs)
                curve += 0.1 * rise * np.maximum(time - turn, 0) / (epochs - turn)
                onset = int(np.argmin(curve)) + 2 if rise else None
                for _ in range(SIMULATED):
                    noise = autocorrelated(generator, epochs, correlation)
                    run = Run(curve + 0.1 * deviation * noise, None, onset)
                    kinds[f"{epochs} epochs, autocorrelation {correlation}"].append(run)
    return dict(kinds)


def autocorrelated(generator: np.random.Generator, length: int, correlation: float) -> Curve:
    """AR(1) noise of standard deviation 1."""
    noise = generator.standard_normal(length)
    for index in range(1, length):
        noise[index] = correlation * noise[index - 1] + math.sqrt(1 - correlation**2) * noise[index]
    return noise


def score(runs: list[Run], rule: Rule) -> dict[str, Any]:
    """The measures of one rule on runs with and without onset."""
    result: dict[str, Any] = {"runs": len(runs)}
    verdicts = [(run, rule(run.validation, run.train)) for run in runs]
    result["statuses"] = dict(Counter(verdict.status for _, verdict in verdicts))
    never = [verdict.epoch is not None for run, verdict in verdicts if run.onset is None]
    if never:
        interval = binomtest(sum(never), len(never)).proportion_ci()
        result |= {"never_overfitting": len(never), "false_alarms": sum(never)}
        result["false_alarms_percent_ci95"] = [100 * interval.low, 100 * interval.high]
    due = [
        verdict.epoch is not None
        for run, verdict in verdicts
        if run.onset is not None and len(run.validation) - run.onset >= AFTER
    ]
    if due:
        result |= {"verdicts_due": len(due), "verdict_percent": 100 * sum(due) / len(due)}
    seen = list(onsets(verdicts))
    if seen:
        errors = np.array([epoch - onset for onset, epoch, _, _ in seen])
        own = np.array([best - onset for onset, _, _, best in seen])
        inside = [interval[0] <= onset <= interval[1] for onset, _, interval, _ in seen]
        result |= {"onsets": len(seen), "bias": float(errors.mean())}
        result |= {"median_error": float(np.median(np.abs(errors))), "error_90": quantile_90(errors)}
        result |= {
            "own_minimum_median_error": float(np.median(np.abs(own))),
            "own_minimum_error_90": quantile_90(own),
        }
        result["interval_holds_truth_percent"] = 100 * sum(inside) / len(inside)
        result["interval_median_width"] = float(np.median([i[1] - i[0] + 1 for _, _, i, _ in seen]))
    return result


def onsets(verdicts: list[tuple[Run, Verdict]]) -> Iterator[tuple[int, int, tuple[int, int], int]]:
    """Of the runs that overfit and are seen to: true onset, onset found, interval, epoch after the own minimum."""
    for run, verdict in verdicts:
        if run.onset is not None and verdict.epoch is not None and verdict.interval is not None:
            yield run.onset, verdict.epoch, verdict.interval, int(np.argmin(run.validation)) + 2


def quantile_90(errors: NDArray[np.int64]) -> float:
    return float(np.quantile(np.abs(errors), 0.9))


def epochs_needed(runs: list[Run], rule: Rule) -> dict[str, float]:
    """Percent of runs with a verdict if they had ended so many epochs after the onset."""
    shares = {}
    for after in (6, 8, 10, 12, 15, 20, 25):
        cut = [r for r in runs if r.onset is not None and len(r.validation) >= r.onset - 1 + after]
        seen = [rule(r.validation[: r.onset - 1 + after], None).epoch is not None for r in cut if r.onset]
        if seen:
            shares[str(after)] = 100 * sum(seen) / len(seen)
    return shares


def main() -> None:
    results: dict[str, Any] = {}
    for rule_name, rule in (("start", start_rule), ("present", present_rule)):
        for half, first_seed in (("tuning", 0), ("held out", 1)):
            entry: dict[str, Any] = {}
            for source, settings in (
                ("real", real_runs(first_seed)),
                ("simulated", simulated_runs(first_seed)),
            ):
                together = [run for runs in settings.values() for run in runs]
                entry[source] = {name: score(runs, rule) for name, runs in settings.items()}
                entry[source]["all"] = score(together, rule)
                if source == "real":
                    for name, runs in [*settings.items(), ("all", together)]:
                        entry[source][name]["verdict_percent_by_epochs_after_onset"] = epochs_needed(
                            runs, rule
                        )
                for name, row in entry[source].items():
                    print(rule_name, half, source, name, line(row), sep=" | ", flush=True)
            results.setdefault(rule_name, {})[half] = entry
        results[rule_name]["reference run"] = {
            name: score(runs, rule) for name, runs in pipeline_runs().items()
        }
        for name, row in results[rule_name]["reference run"].items():
            print(rule_name, "reference run", name, line(row), sep=" | ", flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    write_json(RESULTS, results)


def line(row: dict[str, Any]) -> str:
    """One row in words."""
    parts = [f"{row['runs']} runs"]
    if "onsets" in row:
        parts.append(f"error {row['median_error']:.0f}, 90 % within {row['error_90']:.0f}")
        parts.append(f"own minimum {row['own_minimum_median_error']:.0f}, {row['own_minimum_error_90']:.0f}")
        parts.append(
            f"interval {row['interval_holds_truth_percent']:.0f} % at {row['interval_median_width']:.0f}"
        )
    if "verdict_percent" in row:
        parts.append(f"verdict {row['verdict_percent']:.1f} % of {row['verdicts_due']}")
    if "false_alarms" in row:
        low, high = row["false_alarms_percent_ci95"]
        parts.append(
            f"false alarms {row['false_alarms']} of {row['never_overfitting']} ({low:.1f}-{high:.1f} %)"
        )
    return "; ".join(parts)


if __name__ == "__main__":
    main()
