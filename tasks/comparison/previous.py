"""This run beside an earlier one: what changed, and is a change in accuracy more than chance?

Trainings with the same model and seed answer the same test images in both runs, so they are matched pairs and
McNemar's test applies. It speaks of these trainings: other random numbers alone can make one better or worse.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tasks.data.arrays import UnreadableError, reading, stored_arrays
from tasks.evaluation.statistics import (
    ALPHA,
    Right,
    RightBySeed,
    agreement,
    difference_interval,
    holm,
    mcnemar_p,
)
from tasks.files import read_json
from tasks.results import load_results
from tasks.training.specification import PLANNED
from tasks.wording import points, span

LOGGER = logging.getLogger(__name__)
NOT_ABOUT_RESULTS = (*PLANNED, "artifacts_dir", "refresh", "models", "seeds")  # shown elsewhere
MACHINE = ("python", "commit", "platform", "processor", "threads")


@dataclass(frozen=True)
class PreviousRun:
    """An earlier run: its results, and for each training which test images it recognised."""

    name: str
    results: dict[str, Any] = field(default_factory=dict)
    right: dict[str, dict[int, Right]] = field(default_factory=dict)
    note: str | None = None  # why its trainings cannot be compared with this run's


def read_right(run_folder: Path, model: str, seed: int) -> Right:
    """Which test images a training of the run recognised, shape (n,), as `evaluate` wrote it."""
    path = run_folder / "trainings" / f"{model}-{seed}.npz"
    with reading(str(path)):
        return np.asarray(stored_arrays(path)["right"], dtype=np.bool_)


def read_previous(folder: Path, dataset_digest: str) -> PreviousRun:
    """Read an earlier run. What is missing, damaged or about other data is a note, never an error."""
    try:
        results = read_json(folder / "results.json")
        trained = [
            (model, training["seed"])
            for model, entry in results["models"].items()
            for training in entry["trainings"]
            if training["error"] is None
        ]
        digest = results["dataset"]["digest"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return PreviousRun(folder.name, note=f"its results.json cannot be read ({type(error).__name__})")
    if digest != dataset_digest:
        return PreviousRun(folder.name, results, note="it used another data set")
    right: dict[str, dict[int, Right]] = {}
    unread = []
    for model, seed in trained:
        try:
            right.setdefault(model, {})[seed] = read_right(folder, model, seed)
        except UnreadableError:
            unread.append(f"{model} with seed {seed}")
    note = f"its predictions cannot be read: {', '.join(unread)}" if unread else None
    return PreviousRun(folder.name, results, right, note)


def compare_with_previous(
    previous: PreviousRun, now: Mapping[str, Any], right: Mapping[str, RightBySeed]
) -> dict[str, Any]:
    """The `previous_run` section of results.json. `now` holds this run's `parameters`, `provenance`
    and `models`.

    One line for each model and seed that both runs have; differences are now minus before. Holm's adjustment
    over the lines decides the verdicts, so a run with many trainings raises no more false alarms than one.
    """
    before = previous.right
    lines = [
        (model, seed, before[model][seed], right[model][seed])
        for model in right
        for seed in sorted(right[model].keys() & before.get(model, {}).keys())
        if len(before[model][seed]) == len(right[model][seed])
    ]
    counts = [agreement(now_right, before_right) for _, _, before_right, now_right in lines]
    p_values = [mcnemar_p(gained, lost) for _, gained, lost, _ in counts]
    note = previous.note
    if note is None and not lines:
        note = "it has no model and seed in common with this run"
    return {
        "run": previous.name,
        "note": note,
        "parameters_changed": _changes(
            previous.results.get("parameters"), now["parameters"], NOT_ABOUT_RESULTS
        )
        + _plans_changed(previous.results.get("models") or {}, now.get("models") or {}),
        "versions_changed": _changes(
            _versions(previous.results.get("provenance")), _versions(now["provenance"])
        ),
        "models": [
            _line(model, seed, count, p_value, p_adjusted)
            for (model, seed, *_), count, p_value, p_adjusted in zip(
                lines, counts, p_values, holm(p_values), strict=True
            )
        ],
    }


def _line(
    model: str, seed: int, counts: tuple[int, int, int, int], p_value: float, p_adjusted: float
) -> dict[str, Any]:
    both, gained, lost, _ = counts
    n = sum(counts)
    interval = difference_interval(gained, lost, n)
    difference = (gained - lost) / n
    size = f"({points(difference)} points, {span(interval)})"
    if gained == lost == 0:
        verdict = "unchanged: the same test images are recognised"
    elif p_adjusted <= ALPHA:
        verdict = f"{'better' if gained > lost else 'worse'} than before {size}"
    else:
        verdict = f"no change beyond chance {size}"
    return {
        "model": model,
        "seed": seed,
        "accuracy_before": (both + lost) / n,
        "accuracy_now": (both + gained) / n,
        "difference": difference,
        "ci95": list(interval),
        "p_value": p_value,
        "p_adjusted": p_adjusted,
        "verdict": verdict,
    }


def _versions(provenance: Mapping[str, Any] | None) -> dict[str, Any]:
    if not provenance:
        return {}
    return {**provenance.get("versions", {}), **{key: provenance.get(key) for key in MACHINE}}


def _plans_changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs for a network in both runs, as "cnn epochs: 5 -> 10"; an older run may not tell all."""
    return [
        f"{name} {key}: {before[name][key]} -> {value}"
        for name, plan in now.items()
        for key, value in plan.items()
        if key in PLANNED and key in before.get(name, {}) and before[name][key] != value
    ]


def _changes(
    before: Mapping[str, Any] | None, now: Mapping[str, Any], ignored: tuple[str, ...] = ()
) -> list[str]:
    """What differs, as "epochs: 5 -> 10"; nothing where the earlier run does not tell."""
    if not before:
        return []
    return [
        f"{key}: {before.get(key)} -> {now.get(key)}"
        for key in dict.fromkeys([*now, *before])
        if key not in ignored and before.get(key) != now.get(key)
    ]


def previous_run(artifacts: Path, deployment: str | None, dataset_digest: str) -> str | None:
    """Return the newest successful run's folder, of the same deployment (None: scripts) and data set.

    Results that are damaged, or of another version, are passed over with a warning.
    """
    for path in sorted(artifacts.glob("runs/*/results.json"), reverse=True):
        try:
            results = load_results(path)
            fits = (
                results["status"] == "completed"
                and results["provenance"]["deployment"] == deployment
                and results["dataset"]["digest"] == dataset_digest
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            LOGGER.warning("%s is passed over (%s: %s).", path, type(error).__name__, error)
            continue
        if fits:
            return str(path.parent)
    return None
