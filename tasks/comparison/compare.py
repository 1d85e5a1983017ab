"""All measurements of a run gathered into results.json: the run folder is complete without this program."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.comparison.gates import gate_max_accuracy_drop, gate_min_test_accuracy
from tasks.comparison.pairs import compare_models
from tasks.comparison.previous import PreviousRun, compare_with_previous, read_previous, read_right
from tasks.evaluation.evaluate import Evaluation
from tasks.evaluation.onset import Onset, onset_over_seeds
from tasks.evaluation.statistics import RightBySeed
from tasks.files import digest_of, read_json, write_json
from tasks.report.answers import answer_questions
from tasks.report.summary import summarize
from tasks.results import SCHEMA_VERSION
from tasks.wording import and_list

# The entry of a training that failed has these, all null, beside its seed and the error.
MEASURED = (
    *("origin", "origin_reason", "key", "folder", "precision", "threads", "seconds", "epoch_seconds"),
    *("diverged", "history", "test", "train", "validation", "best_epoch", "onset", "mistakes"),
)
# What the digest of the results covers: two runs that measured the same have the same.
PROPER = ("history", "test", "train", "validation", "best_epoch", "onset", "mistakes")


def collect_results(
    header: Mapping[str, Any],
    evaluated: Iterable[Mapping[str, Any]],
    right: Mapping[str, RightBySeed],
    failures: Sequence[Mapping[str, Any]] = (),
    gates: Mapping[str, Any] | None = None,
    previous: PreviousRun | None = None,
) -> dict[str, Any]:
    """Return the content of results.json.

    `header` holds the parameters, provenance and dataset of results.json, and `models`: the plan of each (see
    `records.PLANNED`), in the order of the report. `evaluated` are the JSON files of `evaluate`,
    `right[model][seed]` tells which test images that training recognised. `failures` are steps that raised,
    {"task", "model" | None, "seed" | None, "error"}; `gates` the limits, {"min_test_accuracy": a number or
    one per model, "max_accuracy_drop": a number}, each may be None.
    """
    by_training = {(entry["model"], entry["training"]["seed"]): entry for entry in evaluated}
    shared = [failure["task"] for failure in failures if failure["model"] is None]
    unexplained = _unexplained(header, by_training, failures, shared)
    failures = [dict(failure) for failure in [*failures, *([] if shared else unexplained)]]
    models = {
        name: _model(name, plan, by_training, [*failures, *unexplained])
        for name, plan in header["models"].items()
    }
    comparisons = compare_models({name: right[name] for name in models if right.get(name)})
    judged = _judge_gates(gates or {}, models, right, previous)
    against_previous = None if previous is None else compare_with_previous(previous, header, right)
    proper = {
        name: [{key: training[key] for key in ("seed", *PROPER)} for training in model["trainings"]]
        for name, model in models.items()
    }
    passed = not failures and all(gate["passed"] for gate in judged)
    return {
        "schema_version": SCHEMA_VERSION,
        "status": "completed" if passed else "failed",
        "parameters": header["parameters"],
        "provenance": {**header["provenance"], "digest": digest_of([proper, comparisons])},
        "dataset": header["dataset"],
        "models": models,
        "comparisons": comparisons,
        "gates": judged,
        "failures": failures,
        "previous_run": against_previous,
        "summary": summarize(models, comparisons, failures, judged, against_previous),
        "questions": answer_questions(models, comparisons),
    }


def aggregate_over_seeds(trainings: Sequence[Mapping[str, Any]], epochs: int) -> dict[str, Any] | None:
    """Mean, standard deviation (n - 1) and range over seeds, and the onsets; None without a training."""
    if not trainings:
        return None
    onsets = [Onset(**{field.name: t["onset"].get(field.name) for field in fields(Onset)}) for t in trainings]
    return {
        "n_seeds": len(trainings),
        "test_accuracy": _spread([training["test"]["accuracy"] for training in trainings]),
        "test_nll": _spread([training["test"]["nll"] for training in trainings]),
        "onset": onset_over_seeds(onsets, epochs),
    }


def _spread(values: Sequence[float | None]) -> dict[str, Any]:
    """Describe the finite values; a diverged training has no NLL to average."""
    known = [value for value in values if value is not None]
    if not known:
        return dict.fromkeys(("mean", "standard_deviation", "minimum", "maximum")) | {"n": 0}
    return {
        "mean": statistics.mean(known),
        "standard_deviation": statistics.stdev(known) if len(known) > 1 else None,
        "minimum": min(known),
        "maximum": max(known),
        "n": len(known),
    }


def _model(
    name: str,
    plan: Mapping[str, Any],
    by_training: Mapping[tuple[str, int], Mapping[str, Any]],
    failures: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    entries = [entry for (model, _), entry in by_training.items() if model == name]
    measured = {entry["training"]["seed"]: dict(entry["training"]) for entry in entries}
    failed = {
        failure["seed"]: {"seed": failure["seed"], "error": failure["error"], **dict.fromkeys(MEASURED)}
        for failure in failures
        if failure["model"] == name and failure["seed"] is not None
    }
    trainings = {**failed, **measured}
    return {
        "parameter_count": entries[0]["parameter_count"] if entries else None,
        **plan,
        "summary": entries[0]["summary"] if entries else None,
        "trainings": [trainings[seed] for seed in sorted(trainings)],
        "aggregate": aggregate_over_seeds([measured[seed] for seed in sorted(measured)], plan["epochs"]),
    }


def _unexplained(
    header: Mapping[str, Any],
    by_training: Mapping[tuple[str, int], Any],
    failures: Sequence[Mapping[str, Any]],
    shared: Sequence[str],
) -> list[dict[str, Any]]:
    """Planned trainings that left neither a result nor an error: they must not vanish from the report.

    `shared` are failed steps that all trainings need, such as the download.
    """
    explained = {*by_training, *((failure["model"], failure["seed"]) for failure in failures)}
    error = f"it did not run, because {and_list(shared)} failed" if shared else "it ended without a result"
    return [
        {"task": f"train-{name.replace('_', '-')}", "model": name, "seed": seed, "error": error}
        for name in header["models"]
        for seed in header["parameters"]["seeds"]
        if (name, seed) not in explained
    ]


def _judge_gates(
    gates: Mapping[str, Any],
    models: Mapping[str, Mapping[str, Any]],
    right: Mapping[str, RightBySeed],
    previous: PreviousRun | None,
) -> list[dict[str, Any]]:
    judged = []
    if (least := gates.get("min_test_accuracy")) is not None:
        judged += gate_min_test_accuracy(least, models)
    if (most := gates.get("max_accuracy_drop")) is not None:
        judged += gate_max_accuracy_drop(most, right, previous)
    return judged


@task(name="compare", task_run_name="compare", cache_policy=NO_CACHE)
def compare(
    run_folder: str,
    header: dict[str, Any],
    evaluations: list[Evaluation],
    failures: list[dict[str, Any]],
    gates: dict[str, Any],
    previous_run: str | None,
) -> dict[str, Any]:
    """Gather what `evaluate` wrote, compare models and runs, judge the gates, and write results.json."""
    folder = Path(run_folder)
    right: dict[str, dict[int, Any]] = {}
    for evaluation in evaluations:
        seeds = right.setdefault(evaluation.model, {})
        seeds[evaluation.seed] = read_right(folder, evaluation.model, evaluation.seed)
    previous = (
        None if previous_run is None else read_previous(Path(previous_run), header["dataset"]["digest"])
    )
    evaluated = [read_json(Path(evaluation.path)) for evaluation in evaluations]
    results = collect_results(header, evaluated, right, failures, gates, previous)
    write_json(folder / "results.json", {**results, "digest": digest_of(results)})
    return {
        "path": str(folder / "results.json"),
        "status": results["status"],
        "summary": results["summary"],
        "failures": results["failures"],
        "failed_gates": [gate["message"] for gate in results["gates"] if not gate["passed"]],
    }
