"""Are two models, or two runs, really different? Statistics over test images and over seeds (numpy, scipy).

Two models that saw the same test images are a matched pair: only the images that exactly one of them gets
right carry information. `b` counts those that only the first gets right, `c` those that only the second does.

What the verdict is about depends on the number of seeds that both models were trained with:

- one: about *these trainings*. The data are b and c; the test is McNemar's.
- two: no verdict. Two numbers do not show how much seeds scatter.
- three or more: about *the networks*, on this test set. The data are the differences in accuracy seed by
  seed; an interval from Student's t, no p-value. Other test images would be another source of scatter.

Each verdict allows for the number of pairs looked at (Holm 1979: the chance that any two equal models are
told apart stays below 5 %). With one seed Holm adjusts the p-value, and `ci95` is the interval of this pair
taken alone, as textbooks give it; where it leaves zero out and the verdict is "tied" still, it says why.
With several seeds no p-value is shown, so Holm widens the interval: see `holm_levels`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from tasks.evaluation.statistics import (
    ALPHA,
    Right,
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
from tasks.wording import points, span

SEEDS_FOR_A_VERDICT = 3


@dataclass(frozen=True)
class _Pair:
    """What is known about two models before the number of pairs is allowed for."""

    models: tuple[str, str]
    seeds: list[int]  # those that both were trained with
    differences: list[float]  # accuracy of the first minus that of the second, for each seed
    counts: tuple[int, int, int, int] | None  # `agreement`, for one seed
    p_value: float | None  # None: no verdict
    resolution: float  # the smallest step of an accuracy, one image

    @property
    def mean(self) -> float:
        """The mean difference, from whole images: sums of fractions would leave a residue where it is zero."""
        images = sum(round(difference / self.resolution) for difference in self.differences)
        return images * self.resolution / len(self.differences)


def compare_models(right: Mapping[str, RightBySeed]) -> list[dict[str, Any]]:
    """Compare every pair of models that share a seed; one COMPARISON of results.json for each.

    `right[model][seed]` tells for each test image whether that training recognised it; all have equal length.
    """
    pairs = [
        _look_at(models, {seed: (right[models[0]][seed], right[models[1]][seed]) for seed in seeds})
        for models in combinations(right, 2)
        if (seeds := sorted(right[models[0]].keys() & right[models[1]].keys()))
    ]
    judged = [pair for pair in pairs if pair.p_value is not None]
    p_values = [pair.p_value for pair in judged if pair.p_value is not None]
    adjusted = dict(zip([pair.models for pair in judged], holm(p_values), strict=True))
    levels = dict(zip([pair.models for pair in judged], holm_levels(p_values), strict=True))
    return [
        _without_verdict(pair)
        if pair.p_value is None
        else _these_trainings(pair, adjusted[pair.models], len(judged))
        if pair.counts is not None
        else _the_networks(pair, levels[pair.models])
        for pair in pairs
    ]


def _look_at(models: tuple[str, str], right: Mapping[int, tuple[Right, Right]]) -> _Pair:
    seeds = list(right)
    one_image = 1 / len(right[seeds[0]][0])
    differences = [int(first.sum() - second.sum()) * one_image for first, second in right.values()]
    if len(seeds) == 1:
        counts = agreement(*right[seeds[0]])
        return _Pair(models, seeds, differences, counts, mcnemar_p(counts[1], counts[2]), one_image)
    p_value = paired_t_p(differences, one_image) if len(seeds) >= SEEDS_FOR_A_VERDICT else None
    return _Pair(models, seeds, differences, None, p_value, one_image)


def _these_trainings(pair: _Pair, p_adjusted: float, n_pairs: int) -> dict[str, Any]:
    assert pair.counts is not None
    _, only_first, only_second, _ = pair.counts
    interval = difference_interval(only_first, only_second, sum(pair.counts))
    significant = p_adjusted <= ALPHA
    if significant:
        better, worse, lead, limits = _from_the_better(pair, interval)
        verdict = f"{better} is better than {worse} by {lead} points ({limits}) in these trainings"
    elif excludes_zero(interval):
        verdict = (
            f"tied: with {n_pairs} pairs to allow for, the data cannot tell them apart "
            f"({_minus(pair, interval)} for this pair taken alone)"
        )
    else:
        verdict = f"tied: the data cannot tell them apart ({_minus(pair, interval)})"
    return _comparison(pair, interval, 1 - ALPHA, p_adjusted, significant, verdict)


def _the_networks(pair: _Pair, level: float) -> dict[str, Any]:
    interval = paired_t_interval(pair.differences, level, pair.resolution)
    significant = excludes_zero(interval)
    seeds = f"{len(pair.seeds)} seeds"
    if significant:
        better, worse, lead, limits = _from_the_better(pair, interval)
        verdict = f"{better} is the better network, {lead} points above {worse} ({limits} over {seeds})"
    else:
        verdict = f"tied: {seeds} cannot tell the networks apart ({_minus(pair, interval)})"
    return _comparison(pair, interval, level, None, significant, verdict)


def _without_verdict(pair: _Pair) -> dict[str, Any]:
    each = " and ".join(points(difference) for difference in pair.differences)
    verdict = (
        f"no verdict: {len(pair.seeds)} seeds are too few, {SEEDS_FOR_A_VERDICT} are needed "
        f"({' minus '.join(pair.models)}: {each} points)"
    )
    return _comparison(pair, None, None, None, False, verdict)


def _comparison(
    pair: _Pair,
    interval: tuple[float, float] | None,
    level: float | None,
    p_adjusted: float | None,
    significant: bool,
    verdict: str,
) -> dict[str, Any]:
    counts = pair.counts or (None, None, None, None)
    return {
        "models": list(pair.models),
        "n_seeds": len(pair.seeds),
        "seeds": pair.seeds,
        "difference": pair.mean,
        "ci95": None if interval is None else list(interval),
        "level": level,  # of this pair's interval alone: 0.95, or more where Holm widened it
        "p_value": pair.p_value if pair.counts else None,
        "p_adjusted": p_adjusted,
        **dict(zip(("both_right", "only_first", "only_second", "both_wrong"), counts, strict=True)),
        "verdict": verdict,
        "significant": significant,
    }


def _from_the_better(pair: _Pair, interval: tuple[float, float]) -> tuple[str, str, str, str]:
    """The better model, the worse one, the lead in points and its interval."""
    (first, second), mean = pair.models, pair.mean
    if mean > 0:
        return first, second, points(mean), span(interval)
    return second, first, points(-mean), span((-interval[1], -interval[0]))


def _minus(pair: _Pair, interval: tuple[float, float]) -> str:
    difference = points(pair.mean)
    return f"{' minus '.join(pair.models)}: {difference} points, {span(interval)}"
