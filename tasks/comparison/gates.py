"""Gates: conditions on a run that turn it Failed, with everything measured and reported all the same."""

from collections.abc import Collection, Mapping
from functools import partial

import numpy as np

from tasks.comparison.previous import Baseline
from tasks.evaluation.statistics import ALPHA, RightBySeed, retraining
from tasks.results.comparison import Gate
from tasks.results.enums import GateName, GateOutcome, GateReason
from tasks.results.run import ModelResult


def gate_min_test_accuracy(
    limit: float | Mapping[str, float] | None, models: Mapping[str, ModelResult], failed: Collection[str] = ()
) -> list[Gate]:
    """One gate per model: is its test accuracy (the mean over seeds) at least the limit?

    `limit` is one number for all models of the run or one per name, None for no gate. The measured value counts,
    not its interval: the limit is the user's floor, set with the noise in mind. A model without a result does not
    hold; `failed` are those that are missing because they could not be trained.
    """
    if limit is None:
        return []
    limits = limit if isinstance(limit, Mapping) else dict.fromkeys([*models, *failed], limit)
    return [
        _min_test_accuracy(name, least, models.get(name), name in failed) for name, least in limits.items()
    ]


def _min_test_accuracy(name: str, least: float, model: ModelResult | None, failed: bool) -> Gate:
    gate = partial(Gate, name=GateName.MIN_TEST_ACCURACY, model=name, limit=least)
    if model is None and not failed:
        return gate(outcome=GateOutcome.NOT_JUDGED, reason=GateReason.NOT_IN_THIS_RUN)
    if model is None or model.aggregate is None:
        return gate(outcome=GateOutcome.NOT_HELD, reason=GateReason.NO_RESULT)
    observed = model.aggregate.test_accuracy.mean
    outcome = GateOutcome.HELD if observed >= least else GateOutcome.NOT_HELD
    return gate(outcome=outcome, observed=observed, seeds=model.aggregate.n_seeds)


def gate_max_accuracy_drop(
    limit: float | None, right: Mapping[str, RightBySeed], baselines: Mapping[str, Baseline]
) -> list[Gate]:
    """One gate per model: did its test accuracy drop by more than `limit` (a fraction) since its baseline?

    It fails if the drop is surely more than the limit: if its one-sided lower bound lies above. The bound allows
    for other images and for the luck of a retraining (`statistics.retraining`), and for the number of gates
    (Bonferroni, level 1 - 0.05 / gates), so at most about one in twenty runs fails whose networks are as
    good as before.
    """
    if limit is None:
        return []
    alpha = ALPHA / max(1, len(baselines))
    gates = []
    for model in right:
        gate = partial(Gate, name=GateName.MAX_ACCURACY_DROP, model=model, limit=limit)
        if model not in baselines:
            gates.append(gate(outcome=GateOutcome.NOT_JUDGED, reason=GateReason.NO_BASELINE))
            continue
        baseline = baselines[model]
        drop = retraining(
            *(
                np.array([of_run[seed] for seed in baseline.right])
                for of_run in (baseline.right, right[model])
            )
        )
        bound = drop.at_least(alpha)
        gates.append(
            gate(
                outcome=GateOutcome.NOT_HELD if bound > limit else GateOutcome.HELD,
                since=baseline.run,
                observed=drop.value,
                at_least=bound,
                level=1 - alpha,
                seeds=len(baseline.right),
            )
        )
    return gates
