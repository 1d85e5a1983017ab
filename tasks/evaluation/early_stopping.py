"""What usual rules make of a validation curve: its lowest value, and where they would have ended the training."""

import math

import numpy as np

from tasks.evaluation.curves import Losses, as_curve
from tasks.results.training import EarlyStopping


def best_epoch(validation_nll: Losses) -> int | None:
    """The epoch of the lowest finite value (1-based; the first of equals), None if there is none."""
    curve = as_curve(validation_nll)
    finite = np.isfinite(curve)
    return int(np.argmin(np.where(finite, curve, np.inf))) + 1 if finite.any() else None


def early_stopping(validation_nll: Losses, train_nll: Losses | None) -> EarlyStopping:
    """The epoch at which usual early-stopping rules would have ended the training, None: not at all.

    keras_patience_5: five epochs in a row without a new minimum. gl_5, pq (quotient above 1, strips of 5) and
    up_3 (rises at the ends of 3 strips of 5 in a row): Prechelt, "Early stopping - but when?" (1998).
    """
    validation = as_curve(validation_nll)
    train = as_curve(train_nll) if train_nll is not None else None
    strip = 5
    stops: dict[str, int | None] = dict.fromkeys(EarlyStopping.model_fields)
    lowest, waited, rises = math.inf, 0, 0
    with np.errstate(all="ignore"):
        for epoch, value in enumerate(validation.tolist(), start=1):
            waited = 0 if value < lowest else waited + 1
            lowest = min(lowest, value) if value == value else lowest
            loss_of_generalisation = 100 * (value / lowest - 1) if lowest not in (0.0, math.inf) else 0.0
            fired = {"keras_patience_5": waited >= 5, "gl_5": loss_of_generalisation > 5}
            if epoch % strip == 0:
                if epoch > strip:
                    rises = rises + 1 if value > validation[epoch - 1 - strip] else 0
                fired["up_3"] = rises >= 3
                if train is not None and len(train) >= epoch:
                    part = train[epoch - strip : epoch]
                    least = float(part.min())
                    if least > 0:
                        fired["pq"] = loss_of_generalisation > 1000 * (
                            float(part.sum()) / (strip * least) - 1
                        )
            for rule, stop in fired.items():
                if stop and stops[rule] is None:
                    stops[rule] = epoch
    return EarlyStopping(**stops)
