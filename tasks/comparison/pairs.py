"""Are two networks of a run really different, in accuracy, in loss (NLL), and in when they overfit?

What the answer is about depends on the number of seeds that both were trained with:

- one: about *these trainings* on other images. The accuracies are judged by McNemar's exact test, the losses by
  their differences image by image.
- two or more: about *the networks*, on other images and in other trainings (`statistics.estimate`).

Every interval is the pair's own, at 95 %. Verdicts allow for the number of pairs looked at (Holm 1979: the chance
that any two equal networks are told apart stays below 5 %), so a pair may be tied whose
interval leaves zero out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType
from typing import Any

import numpy as np

from tasks.comparison.onset_order import onset_order_p
from tasks.evaluation.statistics import (
    ALPHA,
    Estimate,
    RightBySeed,
    Values,
    agreement,
    difference_interval,
    estimate,
    holm,
    mcnemar_p,
)
from tasks.results.comparison import LossDifference, Pair
from tasks.results.enums import Verdict
from tasks.results.training import Interval, Onset

Losses = Mapping[int, Values]  # by seed: the loss of each test image, shape (n,)
NOTHING: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True)
class _Shared:
    """Two models over the seeds that both have: which test images each recognised, and its losses, (seeds, n)."""

    models: tuple[str, str]
    seeds: list[int]
    right: tuple[Values, Values]
    losses: tuple[Values, Values] | None  # None if not all are finite
    onset_p: float

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """`agreement` of the first seed."""
        return agreement(self.right[0][0], self.right[1][0])

    @property
    def p_value(self) -> float:
        """Of "equally accurate"."""
        return mcnemar_p(*self.counts[1:3]) if len(self.seeds) == 1 else estimate(*self.right).p_value()

    @property
    def interval(self) -> Interval:
        if len(self.seeds) == 1:
            return difference_interval(*self.counts[1:3], sum(self.counts))
        return estimate(*self.right).interval(-1.0, 1.0)

    @property
    def loss(self) -> Estimate | None:
        return self.losses and estimate(*self.losses)


def compare_models(
    right: Mapping[str, RightBySeed],
    losses: Mapping[str, Losses] = NOTHING,
    onsets: Mapping[str, Mapping[int, Onset]] = NOTHING,
) -> list[Pair]:
    """Compare every pair of models that share a seed.

    `right[model][seed]` tells for each test image whether that training recognised it, `losses` its loss; all have
    equal length.
    """
    shared = [
        _shared(models, seeds, right, losses, onsets)
        for models in combinations(right, 2)
        if (seeds := sorted(right[models[0]].keys() & right[models[1]].keys()))
    ]
    adjusted = holm([pair.p_value for pair in shared])
    known = {pair.models: loss for pair in shared if (loss := pair.loss)}
    loss_adjusted = dict(zip(known, holm([loss.p_value() for loss in known.values()]), strict=True))
    found = []
    for pair, p_adjusted in zip(shared, adjusted, strict=True):
        loss = known.get(pair.models)
        loss_difference = loss and LossDifference(
            difference=loss.value,
            interval=loss.interval(),
            p_value=loss.p_value(),
            p_adjusted=loss_adjusted[pair.models],
        )
        found.append(_pair(pair, p_adjusted, len(shared), loss_difference))
    return found


def _shared(
    models: tuple[str, str],
    seeds: list[int],
    right: Mapping[str, RightBySeed],
    losses: Mapping[str, Losses],
    onsets: Mapping[str, Mapping[int, Onset]],
) -> _Shared:
    def both(values: Mapping[str, Mapping[int, Values]]) -> tuple[Values, Values]:
        first, second = (np.array([values[model][seed] for seed in seeds]) for model in models)
        return first, second

    loss = both(losses) if losses else None
    if loss and not all(np.isfinite(side).all() for side in loss):
        loss = None
    when = [[onsets[model][seed] for seed in seeds] if onsets else [] for model in models]
    return _Shared(models, seeds, both(right), loss, onset_order_p(*when))


def _pair(shared: _Shared, p_adjusted: float, pairs: int, loss: LossDifference | None) -> Pair:
    """Return what is known of a pair, given what Holm's procedure makes of its p-value among those of `pairs`."""
    first, second = shared.right
    images = [int(more) for more in first.sum(axis=1) - second.sum(axis=1, dtype=int)]
    n = first.shape[1]
    counts: dict[str, int] = {}
    if len(shared.seeds) == 1:
        both, only_first, only_second, neither = shared.counts
        counts = {
            "both_right": both,
            "only_first": only_first,
            "only_second": only_second,
            "both_wrong": neither,
        }
    better = Verdict.FIRST_BETTER if sum(images) > 0 else Verdict.SECOND_BETTER
    return Pair(
        models=shared.models,
        seeds=shared.seeds,
        differences=[more / n for more in images],
        difference=sum(images) / (n * len(images)),
        interval=shared.interval,
        pairs=pairs,
        p_value=shared.p_value,
        p_adjusted=p_adjusted,
        verdict=better if p_adjusted <= ALPHA else Verdict.TIED,
        loss=loss,
        onset_p=shared.onset_p,
        **counts,
    )
