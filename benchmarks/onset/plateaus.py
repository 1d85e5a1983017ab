"""Make the table by which the onset rule tells a rise from the luck of a plateau.

    python -m benchmarks.onset.plateaus [--curves 2000]

Simulates curves that neither fall nor rise, with AR(1) noise, and writes tasks/evaluation/plateaus.json: for each
length and autocorrelation, the evidence for a rise that 1 curve in 20 exceeds (of the whole curve, and of the part
up to its peak), and the median autocorrelation of what the fit leaves over, which is too small because the fit
follows the noise.
A plateau is the hardest of the curves that do not rise (Robertson, Wright and Dykstra 1988). Fifteen minutes.
"""

from pathlib import Path

import numpy as np

from benchmarks import common
from benchmarks.onset.runs import autocorrelated
from tasks import evaluation
from tasks.evaluation.curves import peak_of, valley_of, without_spikes
from tasks.files import write_json

LENGTHS = (8, 10, 12, 15, 20, 25, 30, 40, 50, 70, 100, 150, 200)
CORRELATIONS = (0.0, 0.2, 0.4, 0.6, 0.8)
SHORTEST = 8


def statistics(generator: np.random.Generator, epochs: int, correlation: float) -> tuple[float, float, float]:
    """Return of one simulated plateau the evidence, that before its peak, and the residual correlation."""
    curve = without_spikes(autocorrelated(generator, epochs, correlation))
    valley, peak = valley_of(curve), peak_of(curve)
    before = valley_of(curve[: peak + 1]).evidence if peak + 1 >= SHORTEST else 0.0
    return valley.evidence, before, valley.residual_correlation


def main(curves: int = 2000) -> None:
    """Simulate so many curves of each kind."""
    simulated = np.empty((len(LENGTHS), len(CORRELATIONS), curves, 3))
    for row, epochs in enumerate(LENGTHS):
        for column, correlation in enumerate(CORRELATIONS):
            generator = np.random.default_rng([epochs, column])
            simulated[row, column] = [statistics(generator, epochs, correlation) for _ in range(curves)]
        print(f"{epochs} epochs", flush=True)
    whole, up_to_peak = (np.quantile(simulated[..., each], 0.95, axis=2) for each in (0, 1))
    # The shortest curves say nothing of the correlation; a table that is read backwards must not fall.
    rest = np.maximum.accumulate(np.median(simulated[..., 2], axis=2), axis=1)
    tables = {"evidence": whole, "evidence_up_to_peak": up_to_peak, "residual_correlation": rest}
    rounded = {name: values.round(4).tolist() for name, values in tables.items()}
    path = Path(evaluation.__file__).with_name("plateaus.json")
    write_json(path, {"lengths": LENGTHS, "correlations": CORRELATIONS, **rounded})


if __name__ == "__main__":
    common.run(main)
