"""All measurements of a run gathered into results.json: the run folder is complete without this program."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from prefect import task
from prefect.cache_policies import NO_CACHE
from pydantic import JsonValue

from tasks.comparison.gates import gate_max_accuracy_drop, gate_min_test_accuracy
from tasks.comparison.pairs import compare_models
from tasks.comparison.previous import (
    Baseline,
    Earlier,
    compare_with_previous,
    earlier_runs,
    find_baselines,
    find_previous,
    read_answers,
)
from tasks.evaluation.evaluate import EvaluatedTraining, Evaluation, judged
from tasks.evaluation.onset import onset_over_seeds
from tasks.evaluation.statistics import RightBySeed, Values, estimate, holm
from tasks.files import digest_of, read_json
from tasks.results.enums import GateOutcome, Status
from tasks.results.file import write_results
from tasks.results.run import Aggregate, Dataset, Failure, ModelResult, Plan, Provenance, Results, Spread
from tasks.results.training import FailedTraining, Interval, TrainingResult

# What the digest of the measurements covers, beside the pairs.
MEASURED = {"seed", "history", "test", "train", "validation", "best_epoch", "onset", "after_best", "mistakes"}


@dataclass(frozen=True)
class Header:
    """What is known of a run beside its trainings; the networks in the order of the report."""

    parameters: dict[str, JsonValue]
    provenance: Provenance
    dataset: Dataset
    plans: dict[str, Plan]


@dataclass(frozen=True)
class Limits:
    """The gates of a run: a least test accuracy, one or one per network, and the most by which it may drop."""

    min_test_accuracy: float | Mapping[Any, float] | None = None
    max_accuracy_drop: float | None = None


def collect_results(
    header: Header,
    evaluated: Iterable[EvaluatedTraining],
    right: Mapping[str, RightBySeed],
    losses: Mapping[str, Mapping[int, Values]],
    failures: Sequence[Failure] = (),
    limits: Limits = Limits(),  # frozen
    previous: Earlier | None = None,
    baselines: Mapping[str, Baseline] = MappingProxyType({}),
) -> Results:
    """Return the content of results.json.

    `right[model][seed]` tells which test images that training recognised, shape (n,), `losses` its loss of each.
    `baselines` are what a drop of the accuracy is measured from.
    """
    by_model: dict[str, list[EvaluatedTraining]] = {name: [] for name in header.plans}
    for each in judged_together(list(evaluated)):
        by_model[each.model].append(each)
    models = {
        name: model_result(
            plan,
            by_model[name],
            [failure for failure in failures if failure.model == name],
            [np.array(list(values.get(name, {}).values())) for values in (right, losses)],
        )
        for name, plan in header.plans.items()
    }
    compared = {name: right[name] for name in models if name in right}
    onsets = {
        name: {training.seed: training.onset for training in models[name].finished} for name in compared
    }
    comparisons = compare_models(compared, losses, onsets)
    gates = [
        *gate_min_test_accuracy(limits.min_test_accuracy, models, [failure.model for failure in failures]),
        *gate_max_accuracy_drop(limits.max_accuracy_drop, right, baselines),
    ]
    failed = failures or any(gate.outcome is GateOutcome.NOT_HELD for gate in gates)
    measured = {
        name: [training.model_dump(mode="json", include=MEASURED) for training in model.finished]
        for name, model in models.items()
    }
    digest = digest_of([measured, [pair.model_dump(mode="json") for pair in comparisons]])
    return Results(
        status=Status.FAILED if failed else Status.COMPLETED,
        parameters=header.parameters,
        provenance=header.provenance.model_copy(update={"digest": digest}),
        dataset=header.dataset,
        models=models,
        comparisons=comparisons,
        gates=gates,
        failures=list(failures),
        previous_run=None
        if previous is None
        else compare_with_previous(previous, header.parameters, header.provenance, header.plans, right),
    )


def judged_together(evaluated: Sequence[EvaluatedTraining]) -> list[EvaluatedTraining]:
    """Return the trainings with what became of their accuracy after the best epoch, adjusted by Holm over all."""
    p_values = [each.training.after_best.p_value for each in evaluated if each.training.after_best.trained_on]
    adjusted = iter(holm(p_values))
    judged_trainings = []
    for each in evaluated:
        after = each.training.after_best
        after = judged(after, next(adjusted)) if after.trained_on else after
        training = each.training.model_copy(update={"after_best": after})
        judged_trainings.append(each.model_copy(update={"training": training}))
    return judged_trainings


def model_result(
    plan: Plan,
    evaluated: Sequence[EvaluatedTraining],
    failures: Sequence[Failure],
    answers: Sequence[Values],
) -> ModelResult:
    """Return one network with its trainings, those that failed included, in the order of their seeds.

    `answers` tell of each training and test image, shape (seeds, n), whether it was recognised, and the loss.
    """
    finished = sorted((each.training for each in evaluated), key=lambda training: training.seed)
    failed = [FailedTraining(seed=failure.seed, error=failure.error) for failure in failures]
    return ModelResult(
        **dict(plan),
        parameter_count=evaluated[0].parameter_count if evaluated else None,
        summary=evaluated[0].summary if evaluated else None,
        trainings=sorted([*finished, *failed], key=lambda training: training.seed),
        aggregate=aggregate_over_seeds(finished, plan.epochs, *intervals_of(finished, *answers)),
    )


def intervals_of(
    trainings: Sequence[TrainingResult], right: Values, losses: Values
) -> tuple[Interval | None, Interval | None]:
    """Return the 95 % intervals of the mean test accuracy and NLL: of one training its own."""
    if not trainings:
        return None, None
    if len(trainings) == 1:
        return trainings[0].test.accuracy_ci95, trainings[0].test.nll_ci95
    return estimate(right).interval(0.0, 1.0), estimate(losses).interval(0.0) if np.isfinite(
        losses
    ).all() else None


def aggregate_over_seeds(
    trainings: Sequence[TrainingResult],
    epochs: int,
    accuracy_interval: Interval | None,
    nll_interval: Interval | None,
) -> Aggregate | None:
    """Return mean, standard deviation (n - 1) and range over seeds, and the onsets; None without a training."""
    accuracy = spread([training.test.accuracy for training in trainings], accuracy_interval)
    if accuracy is None:
        return None
    return Aggregate(
        n_seeds=len(trainings),
        test_accuracy=accuracy,
        test_nll=spread([training.test.nll for training in trainings], nll_interval),
        onset=onset_over_seeds([training.onset for training in trainings], epochs),
    )


def spread(values: Sequence[float | None], interval: Interval | None) -> Spread | None:
    """Describe the finite values; a diverged training has no NLL to average."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Spread(
        n=len(known),
        mean=statistics.mean(known),
        standard_deviation=statistics.stdev(known) if len(known) > 1 else None,
        minimum=min(known),
        maximum=max(known),
        interval=interval,
    )


@task(name="compare", task_run_name="compare", cache_policy=NO_CACHE)
def compare(
    run_folder: str, header: Header, evaluations: list[Evaluation], failures: list[Failure], limits: Limits
) -> None:
    """Gather what `evaluate` wrote, compare models and runs, judge the gates, and write results.json."""
    folder = Path(run_folder)
    right: dict[str, dict[int, Any]] = {}
    losses: dict[str, dict[int, Any]] = {}
    for name, seed in ((each.model, each.seed) for each in evaluations):
        right.setdefault(name, {})[seed], losses.setdefault(name, {})[seed] = read_answers(folder, name, seed)
    of_this_kind = (folder, header.provenance.deployment, header.dataset.digest)
    baselines = {}
    if limits.max_accuracy_drop is not None:
        baselines = find_baselines(earlier_runs(*of_this_kind), header.parameters, header.plans, right)
    evaluated = [EvaluatedTraining.model_validate(read_json(Path(each.path))) for each in evaluations]
    results = collect_results(
        header, evaluated, right, losses, failures, limits, find_previous(*of_this_kind), baselines
    )
    write_results(folder, results)
