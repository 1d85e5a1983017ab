"""Gates: conditions on a run that turn it Failed, with everything measured and reported all the same."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import stats

from tasks.comparison.previous import PreviousRun
from tasks.evaluation.statistics import ALPHA, RightBySeed, agreement, difference_interval, holm
from tasks.wording import counted, percent, percent_with_interval, points, span


def gate_min_test_accuracy(
    limit: float | Mapping[str, float], models: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """One gate per model: is its test accuracy (the mean over seeds) at least the limit?

    `limit` is one number for all models of the run or one per name; `models` is that part of results.json.
    The measured value counts, not its interval: the limit is the user's floor, set with the noise in mind.
    A model without a result does not pass.
    """
    limits = limit if isinstance(limit, Mapping) else dict.fromkeys(models, limit)
    gates = []
    for name, least in limits.items():
        aggregate = models[name]["aggregate"] if name in models else None
        observed = None if aggregate is None else aggregate["test_accuracy"]["mean"]
        if name not in models:
            passed, message = True, f"{name} was not part of this run"
        elif observed is None:
            passed, message = False, f"{name} has no result to hold against the {percent(least)} required"
        else:
            passed = observed >= least
            relation = "reaches" if passed else "is below"
            message = f"{name}: {_accuracy(models[name])} {relation} the {percent(least)} required"
        gates.append(_gate("min_test_accuracy", name, least, observed, passed, message))
    return gates


def gate_max_accuracy_drop(
    limit: float, right: Mapping[str, RightBySeed], previous: PreviousRun | None
) -> list[dict[str, Any]]:
    """One gate per model: did its test accuracy drop by more than `limit` (a fraction) since `previous`?

    It fails if the measured drop exceeds the limit *and* is more than chance: a one-sided test of "no drop"
    on the same test images and seeds (`drop_p`), adjusted by Holm over the models. So a limit of 0 asks for
    any drop that is surely one, and a larger limit says what is tolerated. Asking instead that the whole
    interval lies above the limit would let half of all drops pass that exceed it by 0.3 points, too many for
    a guard; the message shows the interval, so that one can read it that way.
    """
    name = "max_accuracy_drop"
    if previous is None:
        return [_gate(name, model, limit, None, True, f"{model}: no previous run") for model in right]
    shared = {model: sorted(right[model].keys() & previous.right.get(model, {}).keys()) for model in right}
    drops = {
        model: _drop(
            np.array([previous.right[model][seed] for seed in seeds]),
            np.array([right[model][seed] for seed in seeds]),
        )
        for model, seeds in shared.items()
        if seeds
    }
    adjusted = dict(zip(drops, holm([p_value for _, _, p_value in drops.values()]), strict=True))
    gates = []
    for model, seeds in shared.items():
        if not seeds:
            reason = previous.note or f"{previous.name} has none of its trainings"
            message = f"{model}: not comparable with the previous run: {reason}"
            gates.append(_gate(name, model, limit, None, True, message))
            continue
        drop, interval, _ = drops[model]
        beyond = drop > limit
        passed = not (beyond and adjusted[model] <= ALPHA)
        change = "fell" if drop > 0 else "did not fall"
        size = f"{points(drop)} points, {span(interval)}, {counted(len(seeds), 'seed')}"
        verdict = f"allowed: {points(limit)}"
        if beyond:
            verdict = f"more than the {points(limit)} allowed" + (", but not more than chance" * passed)
        message = f"{model}: accuracy {change} since {previous.name} (drop {size}), {verdict}"
        gates.append(_gate(name, model, limit, drop, passed, message))
    return gates


def drop_p(before: Any, now: Any) -> float:
    """One-sided p-value of "no drop" for one model; rows are seeds, columns test images, True is recognised.

    One seed: exact McNemar. Several: McNemar's statistic for clustered pairs, the net loss of each image over
    the seeds being one observation (Durkalski et al. 2003), since seeds often err on the same images.
    """
    losses = before.sum(axis=0).astype(int) - now.sum(axis=0).astype(int)
    if not losses.any():
        return 1.0
    if len(before) == 1:
        return float(
            stats.binomtest(int((losses > 0).sum()), int((losses != 0).sum()), alternative="greater").pvalue
        )
    return float(stats.norm.sf(losses.sum() / math.sqrt((losses**2).sum())))


def _drop(before: Any, now: Any) -> tuple[float, tuple[float, float], float]:
    """Mean drop of the accuracy, its 95 % interval, and `drop_p`."""
    drop = int(before.sum() - now.sum()) / before.size
    if len(before) == 1:
        _, lost, gained, _ = agreement(before[0], now[0])
        return drop, difference_interval(lost, gained, before.shape[1]), drop_p(before, now)
    losses = before.mean(axis=0) - now.mean(axis=0)
    reach = float(stats.norm.ppf(1 - ALPHA / 2)) * float(losses.std(ddof=1)) / math.sqrt(losses.size)
    return drop, (drop - reach, drop + reach), drop_p(before, now)


def _accuracy(model: Mapping[str, Any]) -> str:
    accuracy = model["aggregate"]["test_accuracy"]
    if model["aggregate"]["n_seeds"] > 1:
        seeds = counted(model["aggregate"]["n_seeds"], "seed")
        return (
            f"mean test accuracy {percent(accuracy['mean'])} of {seeds} "
            f"({span([accuracy['minimum'], accuracy['maximum']])})"
        )
    test = next(training["test"] for training in model["trainings"] if training["error"] is None)
    return f"test accuracy {percent_with_interval(test['accuracy'], test['accuracy_ci95'])}"


def _gate(
    name: str, model: str, limit: float, observed: float | None, passed: bool, message: str
) -> dict[str, Any]:
    return {
        "name": name,
        "model": model,
        "limit": limit,
        "observed": observed,
        "passed": passed,
        "message": message,
    }
