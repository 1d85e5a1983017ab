"""Are two networks of a run really different?

What the verdict is about depends on the number of seeds that both models were trained with:

- one: about *these trainings*. The data are b and c; the test is McNemar's.
- two: no verdict. Two numbers do not show how much seeds scatter.
- three or more: about *the networks*, on this test set. The data are the differences in accuracy seed by
  seed; an interval from Student's t, no p-value. Other test images would be another source of scatter.

Each verdict allows for the number of pairs looked at (Holm 1979: the chance that any two equal models are
told apart stays below 5 %). With one seed Holm adjusts the p-value, and the interval is that of this pair taken
alone, as textbooks give it: it may leave zero out and the verdict be "tied" still.
With several seeds no p-value is shown, so Holm widens the interval: see `holm_levels`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.statistics import (
    ALPHA,
    RightBySeed,
    agreement,
    difference_interval,
    excludes_zero,
    holm,
    holm_levels,
    mcnemar_p,
    paired_t_interval,
    paired_t_p,
)
from tasks.results.enums import Verdict
from tasks.results.run import Pair

SEEDS_FOR_A_VERDICT = 3


@dataclass(frozen=True)
class _Shared:
    """Two models over the seeds that both have: which test images each recognised, shape (seeds, n)."""

    models: tuple[str, str]
    seeds: list[int]
    first: NDArray[np.bool_]
    second: NDArray[np.bool_]

    @property
    def one_image(self) -> float:
        """The smallest step of an accuracy."""
        return 1 / int(self.first.shape[1])

    @property
    def images(self) -> list[int]:
        """How many more images the first recognises, seed by seed."""
        return [int(more) for more in self.first.sum(axis=1) - self.second.sum(axis=1)]

    @property
    def differences(self) -> list[float]:
        return [more * self.one_image for more in self.images]

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """`agreement` of the first seed."""
        return agreement(self.first[0], self.second[0])

    @property
    def p_value(self) -> float | None:
        """Of "no difference"; None where the seeds are too few for a verdict."""
        if len(self.seeds) == 1:
            return mcnemar_p(*self.counts[1:3])
        enough = len(self.seeds) >= SEEDS_FOR_A_VERDICT
        return paired_t_p(self.differences, self.one_image) if enough else None


def compare_models(right: Mapping[str, RightBySeed]) -> list[Pair]:
    """Compare every pair of models that share a seed.

    `right[model][seed]` tells for each test image whether that training recognised it; all have equal length.
    """
    shared = [
        _Shared(
            models,
            seeds,
            *(np.array([right[model][seed] for seed in seeds], dtype=np.bool_) for model in models),
        )
        for models in combinations(right, 2)
        if (seeds := sorted(right[models[0]].keys() & right[models[1]].keys()))
    ]
    p_values = {pair.models: pair.p_value for pair in shared if pair.p_value is not None}
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    levels = dict(zip(p_values, holm_levels(list(p_values.values())), strict=True))
    return [
        _pair(pair, adjusted.get(pair.models, 1.0), levels.get(pair.models, 0.0), len(p_values))
        for pair in shared
    ]


def _pair(shared: _Shared, p_adjusted: float, level: float, pairs: int) -> Pair:
    """Return what is known of a pair, given what Holm's procedure makes of its p-value among those of `pairs`."""
    facts: dict[str, Any] = {
        "models": shared.models,
        "seeds": shared.seeds,
        "differences": shared.differences,
        # From whole images: sums of fractions would leave a residue where the mean is zero.
        "difference": sum(shared.images) * shared.one_image / len(shared.seeds),
        "pairs": pairs,
    }
    if shared.p_value is None:
        return Pair(**facts, interval=None, level=None, verdict=Verdict.TOO_FEW_SEEDS)
    if len(shared.seeds) == 1:
        both, first, second, neither = shared.counts
        interval = difference_interval(first, second, sum(shared.counts))
        facts |= {"both_right": both, "only_first": first, "only_second": second, "both_wrong": neither}
        facts |= {"p_value": shared.p_value, "p_adjusted": p_adjusted}
        level, significant = 1 - ALPHA, p_adjusted <= ALPHA
    else:
        interval = paired_t_interval(shared.differences, level, shared.one_image)
        significant = excludes_zero(interval)
    better = Verdict.FIRST_BETTER if facts["difference"] > 0 else Verdict.SECOND_BETTER
    return Pair(**facts, interval=interval, level=level, verdict=better if significant else Verdict.TIED)
