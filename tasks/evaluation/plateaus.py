"""What chance makes of a curve that neither falls nor rises: the tables of plateaus.json.

They are simulated by `python -m benchmarks.onset.plateaus`, for each length and autocorrelation of the noise.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np

from tasks.evaluation.curves import Curve

# A rise is held against plateaus of a little more autocorrelation than the curve seems to have: it is uncertain.
SMALLEST_CORRELATION, ADDED_CORRELATION = 0.4, 0.2

# An interval takes the mean of what the curve seems to have and of this: fits, and bends, hide autocorrelation.
EXPECTED_CORRELATION = 0.6


@cache
def _tables() -> dict[str, Curve]:
    stored = json.loads(Path(__file__).with_suffix(".json").read_text())
    return {name: np.array(values, np.float64) for name, values in stored.items()}


def _at(name: str, epochs: int) -> Curve:
    """A table's row at this length, linear in its logarithm, one value for each autocorrelation."""
    tables = _tables()
    lengths = np.log(tables["lengths"])
    return np.array([np.interp(np.log(epochs), lengths, column) for column in tables[name].T])


def autocorrelation(residual_correlation: float, epochs: int) -> float:
    """The autocorrelation of the noise whose plateaus leave as much over, at the median; 0 at least.

    What a fit leaves over is less alike from one epoch to the next than the noise: the fit follows it.
    """
    return float(
        np.interp(residual_correlation, _at("residual_correlation", epochs), _tables()["correlations"])
    )


def assumed(correlation: float) -> float:
    """The autocorrelation that intervals allow for, where a curve seems to have this one: 0.3 at least."""
    return (correlation + EXPECTED_CORRELATION) / 2


def beyond_a_plateau(evidence: float, epochs: int, correlation: float, *, up_to_peak: bool = False) -> bool:
    """Whether there is more evidence for a rise than in 95 of 100 plateaus of as many epochs.

    `up_to_peak`: the evidence is that of the part before the curve's peak, which was sought.
    """
    limits = _at("evidence_up_to_peak" if up_to_peak else "evidence", epochs)
    correlation = max(correlation + ADDED_CORRELATION, SMALLEST_CORRELATION)
    return evidence > float(np.interp(correlation, _tables()["correlations"], limits))
