"""Runs beside each other: what differs between them, and is a difference in accuracy more than chance?

Only runs on the same test images can be held against each other. A network is compared with itself in the first of
the runs that has it, over the seeds that both were trained with.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.comparison.previous import NO_SETTINGS, Earlier, versions
from tasks.evaluation.statistics import ALPHA, Estimate, estimate, holm, retraining
from tasks.results.run import Plan, Results
from tasks.results.training import Interval


@dataclass(frozen=True)
class AcrossRuns:
    """A network in two of the runs, by their places; differences of accuracy are `run` minus `base`."""

    model: str
    base: int
    run: int
    seeds: list[int]  # that both were trained with
    same_trainings: bool  # one run reused those of the other: there is nothing to tell apart
    difference: float
    interval: Interval  # 95 %, of this difference alone, for other images and other trainings
    p_value: float
    p_adjusted: float  # Holm over all differences that are looked at

    @property
    def told_apart(self) -> bool:
        """Whether the difference is more than chance."""
        return not self.same_trainings and self.p_adjusted <= ALPHA


def across_runs(runs: Sequence[Earlier]) -> list[AcrossRuns]:
    """Compare each network of each run with the first run that has it and answered the same test images.

    With several seeds by `statistics.estimate`, which measures the luck of a training; with one by `retraining`,
    which takes it to be what it is on MNIST.
    """
    compared = [(*where, *_compare(runs, *where)) for where in _comparable(runs)]
    adjusted = iter(holm([difference.p_value() for *_, same, difference in compared if not same]))
    return [
        AcrossRuns(
            model=model,
            base=base,
            run=run,
            seeds=seeds,
            same_trainings=same,
            difference=difference.value,
            interval=difference.interval(-1.0, 1.0),
            p_value=difference.p_value(),
            p_adjusted=1.0 if same else next(adjusted),
        )
        for model, base, run, seeds, same, difference in compared
    ]


def _compare(runs: Sequence[Earlier], model: str, base: int, run: int) -> tuple[list[int], bool, Estimate]:
    """Return the common seeds, whether they stand for the same trainings, and the difference in accuracy."""
    before, now = runs[base], runs[run]
    seeds = sorted(before.right[model].keys() & now.right[model].keys())
    first, second = (np.array([side.right[model][seed] for seed in seeds]) for side in (before, now))
    difference = estimate(second, first) if len(seeds) > 1 else retraining(second, first)
    return seeds, _keys(before, model, seeds) == _keys(now, model, seeds), difference


def _comparable(runs: Sequence[Earlier]) -> Iterator[tuple[str, int, int]]:
    """Yield networks with two runs, by place, that have answers of a common seed on the same test images."""
    for model in dict.fromkeys(name for run in runs for name in run.right):
        having = [place for place, run in enumerate(runs) if model in run.right]
        for place in having:
            for base in having[: having.index(place)]:
                alike = runs[base].results.dataset.digest == runs[place].results.dataset.digest
                if alike and runs[base].right[model].keys() & runs[place].right[model].keys():
                    yield model, base, place
                    break


def _keys(run: Earlier, model: str, seeds: Sequence[int]) -> list[str]:
    return [training.key for training in run.results.models[model].finished if training.seed in seeds]


def what_differs(runs: Sequence[Results]) -> dict[str, list[str | None]]:
    """Return what is not the same in all runs that have it: its name, and its value in each run.

    A parameter, a network's plan, the images, a version, or the machine.
    """
    settings = [_settings(run) for run in runs]
    names = dict.fromkeys(name for each in settings for name in each)
    of_runs = {name: [each.get(name) for each in settings] for name in names}
    return {name: values for name, values in of_runs.items() if len({*values} - {None}) > 1}


def _settings(run: Results) -> dict[str, str]:
    plans = {
        f"{name} {key}": getattr(model, key)
        for name, model in run.models.items()
        for key in Plan.model_fields
    }
    given = {name: value for name, value in run.parameters.items() if name not in NO_SETTINGS}
    data = {"digest of the data": run.dataset.digest, "train images": run.dataset.counts["train"]}
    everything = {**given, **plans, **data, **versions(run.provenance)}
    return {name: "not set" if value is None else str(value) for name, value in everything.items()}
