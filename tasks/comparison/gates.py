"""Gates: conditions on a run that turn it Failed, with everything measured and reported all the same."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tasks.comparison.previous import Baseline
from tasks.evaluation.statistics import ALPHA, RightBySeed, agreement, difference_interval, holm
from tasks.results.enums import GateName, GateOutcome, GateReason
from tasks.results.run import Gate, ModelResult
from tasks.results.training import Interval

Answers = NDArray[np.bool_]  # (seeds, n): which test images each training recognised


def gate_min_test_accuracy(
    limit: float | Mapping[str, float] | None, models: Mapping[str, ModelResult]
) -> list[Gate]:
    """One gate per model: is its test accuracy (the mean over seeds) at least the limit?

    `limit` is one number for all models of the run or one per name, None for no gate. The measured value counts,
    not its interval: the limit is the user's floor, set with the noise in mind. A model without a result does not
    hold.
    """
    if limit is None:
        return []
    limits = limit if isinstance(limit, Mapping) else dict.fromkeys(models, limit)
    return [_min_test_accuracy(name, least, models.get(name)) for name, least in limits.items()]


def _min_test_accuracy(name: str, least: float, model: ModelResult | None) -> Gate:
    facts: dict[str, Any] = {"name": GateName.MIN_TEST_ACCURACY, "model": name, "limit": least}
    if model is None:
        return Gate(**facts, outcome=GateOutcome.NOT_JUDGED, reason=GateReason.NOT_IN_THIS_RUN)
    if model.aggregate is None:
        return Gate(**facts, outcome=GateOutcome.NOT_HELD, reason=GateReason.NO_RESULT)
    observed = model.aggregate.test_accuracy.mean
    outcome = GateOutcome.HELD if observed >= least else GateOutcome.NOT_HELD
    return Gate(**facts, outcome=outcome, observed=observed, seeds=model.aggregate.n_seeds)


def gate_max_accuracy_drop(
    limit: float | None, right: Mapping[str, RightBySeed], baselines: Mapping[str, Baseline]
) -> list[Gate]:
    """One gate per model: did its test accuracy drop by more than `limit` (a fraction) since its baseline?

    It fails if the measured drop exceeds the limit *and* is more than chance: a one-sided test of "no drop"
    on the same test images and seeds (`drop_p`), adjusted by Holm over the models. So a limit of 0 asks for
    any drop that is surely one, and a larger limit says what is tolerated. Asking instead that the whole
    interval lies above the limit would let half of all drops pass that exceed it by 0.3 points, too many for
    a guard; the interval is given, so that one can read it that way.
    """
    if limit is None:
        return []
    answers = {
        model: tuple(
            np.array([of_run[seed] for seed in sorted(baseline.right)])
            for of_run in (baseline.right, right[model])
        )
        for model, baseline in baselines.items()
    }
    adjusted = dict(zip(answers, holm([drop_p(*pair) for pair in answers.values()]), strict=True))
    gates = []
    for model in right:
        facts: dict[str, Any] = {"name": GateName.MAX_ACCURACY_DROP, "model": model, "limit": limit}
        if model not in baselines:
            gates.append(Gate(**facts, outcome=GateOutcome.NOT_JUDGED, reason=GateReason.NO_BASELINE))
            continue
        drop, interval = drop_with_interval(*answers[model])
        fell = drop > limit and adjusted[model] <= ALPHA
        gates.append(
            Gate(
                **facts,
                outcome=GateOutcome.NOT_HELD if fell else GateOutcome.HELD,
                since=baselines[model].run,
                observed=drop,
                interval=interval,
                seeds=len(baselines[model].right),
                p_adjusted=adjusted[model],
            )
        )
    return gates


def drop_p(before: Answers, now: Answers) -> float:
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


def drop_with_interval(before: Answers, now: Answers) -> tuple[float, Interval]:
    """Mean drop of the accuracy and its 95 % interval; arguments as for `drop_p`."""
    drop = int(before.sum() - now.sum()) / before.size
    if len(before) == 1:
        _, lost, gained, _ = agreement(before[0], now[0])
        return drop, difference_interval(lost, gained, before.shape[1])
    losses = before.mean(axis=0) - now.mean(axis=0)
    reach = float(stats.norm.ppf(1 - ALPHA / 2)) * float(losses.std(ddof=1)) / math.sqrt(losses.size)
    return drop, (drop - reach, drop + reach)
