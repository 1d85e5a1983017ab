"""This run beside an earlier one: what changed, and is a change in accuracy more than chance?

Trainings with the same model and seed answer the same test images in both runs, so they are matched pairs. Other
random numbers alone make one better or worse, by more than McNemar's test allows: see `statistics.retraining`.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tasks.data.arrays import UnreadableError, reading, stored_arrays
from tasks.errors import UserError
from tasks.evaluation.statistics import (
    ALPHA,
    Estimate,
    Right,
    RightBySeed,
    Values,
    agreement,
    holm,
    retraining,
)
from tasks.files import sha256_of
from tasks.results.comparison import AgainstPrevious, Difference, PreviousRun
from tasks.results.enums import Change, Status
from tasks.results.file import RESULTS, read_own_results
from tasks.results.run import Plan, Provenance, Results
from tasks.store.layout import Artifacts

LOGGER = logging.getLogger(__name__)
SHOWN_ELSEWHERE = (*Plan.model_fields, "artifacts_dir", "refresh", "models", "seeds")
# Parameters that change no number of a training that two runs share.
NO_SETTINGS = (*SHOWN_ELSEWHERE, "training_timeout", "min_test_accuracy", "max_accuracy_drop")
MACHINE = ("python", "commit", "platform", "processor", "threads")


@dataclass(frozen=True)
class Earlier:
    """An earlier run: its results, and for each training which test images it recognised."""

    results: Results
    right: dict[str, dict[int, Right]] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)  # trainings whose predictions cannot be read


@dataclass(frozen=True)
class Baseline:
    """What a network's accuracy is held against: an earlier run, and which test images it recognised."""

    run: str
    right: dict[int, Right]


def earlier_runs(
    run_folder: Path, deployment: str | None, dataset_digest: str
) -> Iterator[tuple[Path, Results]]:
    """Yield the successful runs but this one, of the same deployment (None: scripts) and data set, newest first.

    Results that are damaged, of another version or another run's are passed over with a warning.
    """
    for path in sorted(Artifacts.of(run_folder).runs.glob(f"*/{RESULTS}"), reverse=True):
        if path.parent.name == run_folder.name:
            continue
        try:
            results = read_own_results(path.parent)
        except UserError as error:
            LOGGER.warning("Passed over: %s", error)
            continue
        fits = results.provenance.deployment == deployment and results.dataset.digest == dataset_digest
        if fits and results.status is Status.COMPLETED:
            yield path.parent, results


def find_previous(run_folder: Path, deployment: str | None, dataset_digest: str) -> Earlier | None:
    """Return the newest of the `earlier_runs`, with what its trainings answered."""
    for folder, results in earlier_runs(run_folder, deployment, dataset_digest):
        return with_answers(folder, results)
    return None


def find_baselines(
    earlier: Iterable[tuple[Path, Results]],
    parameters: Mapping[str, Any],
    plans: Mapping[str, Plan],
    right: Mapping[str, RightBySeed],
) -> dict[str, Baseline]:
    """Return for each network the newest of the `earlier` runs with equal settings that shares a seed of it.

    So neither a run with other settings nor one without the network stands in for what it is held against.
    """
    found: dict[str, Baseline] = {}
    for folder, results in earlier:
        if found.keys() == right.keys():
            break
        if any(differences(results.parameters, parameters, NO_SETTINGS)):
            continue
        answers = with_answers(folder, results).right
        for name in answers.keys() & right.keys() - found.keys():
            shared = {seed: answers[name][seed] for seed in answers[name].keys() & right[name].keys()}
            if shared and not any(plans_changed(results.models, {name: plans[name]})):
                found[name] = Baseline(results.provenance.run, shared)
    return found


def with_answers(run_folder: Path, results: Results) -> Earlier:
    """Return an earlier run with what its trainings answered; what is missing or damaged is noted."""
    earlier = Earlier(results)
    for name, model in results.models.items():
        for training in model.finished:
            try:
                right, _ = read_answers(run_folder, name, training.seed, training.answers_sha256)
            except UnreadableError:
                earlier.unreadable.append(f"{name} with seed {training.seed}")
            else:
                earlier.right.setdefault(name, {})[training.seed] = right
    return earlier


def read_answers(run_folder: Path, model: str, seed: int, sha256: str | None = None) -> tuple[Right, Values]:
    """Return which test images a training of the run recognised, and its losses: (n,), from `evaluate`.

    Raises UnreadableError if the file is damaged, or is not the one with this digest: that of another training or
    run is as sound.
    """
    path = run_folder / "trainings" / f"{model}-{seed}.npz"
    with reading(str(path)):
        if sha256 is not None and sha256_of(path) != sha256:
            raise UnreadableError(f"{path} does not agree with its digest in {RESULTS}")
        stored = stored_arrays(path)
        return np.asarray(stored["right"], dtype=np.bool_), np.asarray(stored["nll"], dtype=np.float64)


def compare_with_previous(
    earlier: Earlier,
    parameters: Mapping[str, Any],
    provenance: Provenance,
    plans: Mapping[str, Plan],
    right: Mapping[str, RightBySeed],
) -> PreviousRun:
    """Compare this run, of which all but the first argument speak, with an earlier one.

    One entry for each model and seed that both runs have. Holm's adjustment over them decides the verdicts, so a
    run with many trainings raises no more false alarms than one.
    """
    before, results = earlier.right, earlier.results
    shared = [
        (
            model,
            seed,
            agreement(right[model][seed], before[model][seed]),
            retraining(right[model][seed][None], before[model][seed][None]),
        )
        for model in right
        for seed in sorted(right[model].keys() & before.get(model, {}).keys())
        if len(before[model][seed]) == len(right[model][seed])
    ]
    adjusted = holm([now_minus_before.p_value() for *_, now_minus_before in shared])
    return PreviousRun(
        run=results.provenance.run,
        parameters_changed=[
            *differences(results.parameters, parameters, SHOWN_ELSEWHERE),
            *plans_changed(results.models, plans),
        ],
        versions_changed=list(differences(versions(results.provenance), versions(provenance))),
        trainings=[
            against_previous(model, seed, counts, difference, p_adjusted)
            for (model, seed, counts, difference), p_adjusted in zip(shared, adjusted, strict=True)
        ],
        unreadable=earlier.unreadable,
    )


def against_previous(
    model: str, seed: int, counts: tuple[int, int, int, int], difference: Estimate, p_adjusted: float
) -> AgainstPrevious:
    """Compare two trainings; `counts` is the agreement of this run's with the earlier one."""
    both, gained, lost, _ = counts
    n = sum(counts)
    if gained == lost == 0:
        change = Change.UNCHANGED
    elif p_adjusted <= ALPHA:
        change = Change.BETTER if gained > lost else Change.WORSE
    else:
        change = Change.WITHIN_CHANCE
    return AgainstPrevious(
        model=model,
        seed=seed,
        n=n,
        accuracy_before=(both + lost) / n,
        accuracy_now=(both + gained) / n,
        difference=difference.value,
        difference_ci95=difference.interval(-1.0, 1.0),
        p_value=difference.p_value(),
        p_adjusted=p_adjusted,
        change=change,
    )


def versions(provenance: Provenance) -> dict[str, object]:
    """Return the versions of packages, and what else of the machine and the code may change numbers."""
    return {**provenance.versions, **{key: getattr(provenance, key) for key in MACHINE}}


def plans_changed(before: Mapping[str, Plan], now: Mapping[str, Plan]) -> Iterator[Difference]:
    """Yield what differs in the plan of a network that both runs have."""
    for name in now:
        if name in before:
            keys = Plan.model_fields
            then, here = ({f"{name} {key}": getattr(of[name], key) for key in keys} for of in (before, now))
            yield from differences(then, here)


def differences(
    before: Mapping[str, object], now: Mapping[str, object], ignored: tuple[str, ...] = ()
) -> Iterator[Difference]:
    """Yield what differs between two mappings, but for the names to be ignored."""
    for name in dict.fromkeys([*now, *before]):
        if name not in ignored and before.get(name) != now.get(name):
            yield Difference(name=name, before=str(before.get(name)), now=str(now.get(name)))
