"""How often do the report's tests and intervals err? Simulated, by the functions that the report itself uses.

    python -m benchmarks.statistics [--runs 1000] [--seed 7]

A network is a probit model of its answers to 10,000 test images: each image has a difficulty, which networks share
in part (correlation 0.8), each training a skill of its own, and each answer some luck. Accuracy, the share of
images on which two seeds differ, and the scatter over seeds are about those of the trained networks; "unsteady"
has a scatter of a whole point.
Prints a table and writes benchmarks/statistics/statistics.json.
"""

import math
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from benchmarks.common import run
from tasks.comparison.onset_order import onset_order_p
from tasks.evaluation.statistics import ALPHA, estimate, holm, retraining
from tasks.files import write_json
from tasks.results.enums import OnsetStatus
from tasks.results.training import Onset

IMAGES = 10_000
SHARED_DIFFICULTY = 0.8
RESULT = Path(__file__).with_name("statistics.json")
Right = NDArray[np.bool_]


@dataclass(frozen=True)
class Network:
    """Accuracy, the share of images on which two seeds differ, and the standard deviation over seeds."""

    accuracy: float
    differing: float
    seed_deviation: float

    def answers(self, seeds: int, difficulty: NDArray[np.float64], generator: np.random.Generator) -> Right:
        """Return which images each seed recognises, shape (seeds, n); `difficulty` is standard normal (n,)."""
        threshold = stats.norm.ppf(self.accuracy)
        both_wrong = 1 - self.accuracy - self.differing / 2

        def excess(correlation: float) -> float:
            normal = stats.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]])
            return float(normal.cdf([-threshold, -threshold])) - both_wrong

        image_share = optimize.brentq(excess, 0.01, 0.9999)
        skill = self.seed_deviation / stats.norm.pdf(threshold)
        skills = skill * generator.standard_normal((seeds, 1))
        luck = generator.standard_normal((seeds, IMAGES))
        level = threshold * math.sqrt(1 + skill**2)
        return level + skills + math.sqrt(image_share) * difficulty + math.sqrt(1 - image_share) * luck > 0


DENSE, CNN = Network(0.974, 0.0221, 0.0016), Network(0.9875, 0.011, 0.0006)
REGULARIZED, UNSTEADY = Network(0.947, 0.026, 0.0010), Network(0.96, 0.03, 0.01)
PAIRS = {
    "dense, dense": (DENSE, DENSE),
    "cnn, dense": (CNN, DENSE),
    "regularized_cnn, cnn": (REGULARIZED, CNN),
    "unsteady, unsteady": (UNSTEADY, UNSTEADY),
    "unsteady, cnn": (UNSTEADY, CNN),
}


def difficulties(generator: np.random.Generator, networks: int) -> NDArray[np.float64]:
    """Return each network's difficulties of the same images, standard normal (networks, n)."""
    common, own = generator.standard_normal(IMAGES), generator.standard_normal((networks, IMAGES))
    return math.sqrt(SHARED_DIFFICULTY) * common + math.sqrt(1 - SHARED_DIFFICULTY) * own


def interval_misses(pair: tuple[Network, Network], seeds: int, generator: np.random.Generator) -> bool:
    """Whether the 95 % interval of a difference leaves the true one out."""
    sides = [
        each.answers(seeds, hard, generator)
        for each, hard in zip(pair, difficulties(generator, 2), strict=True)
    ]
    low, high = estimate(*sides).interval()
    return not low <= pair[0].accuracy - pair[1].accuracy <= high


def some_pair_differs(seeds: int, generator: np.random.Generator) -> bool:
    """Whether Holm over the three pairs of three equal networks calls any different."""
    sides = [DENSE.answers(seeds, hard, generator) for hard in difficulties(generator, 3)]
    p_values = [estimate(first, second).p_value() for first, second in combinations(sides, 2)]
    return min(holm(p_values)) <= ALPHA


def gate_fails(network: Network, seeds: int, generator: np.random.Generator) -> bool:
    """Whether the gate of limit 0 fails for a network that was only trained anew."""
    both = network.answers(2 * seeds, generator.standard_normal(IMAGES), generator)
    return retraining(both[:seeds], both[seeds:]).at_least() > 0


def order_is_told(seeds: int, seen: float, generator: np.random.Generator) -> bool:
    """Whether two networks of the same onsets, of which a share is seen, are told apart at 2.5 %."""
    epochs = np.clip(np.round(generator.normal(11, 3, 2 * seeds)), 2, 49).astype(int)
    onsets = [
        Onset(status=OnsetStatus.OVERFITS, epoch=int(epoch), lowest_at=int(epoch) - 1, epochs=50)
        if generator.random() < seen
        else Onset(status=OnsetStatus.UNDECIDED, lowest_at=int(epoch) - 1, epochs=50)
        for epoch in epochs
    ]
    return onset_order_p(onsets[:seeds], onsets[seeds:]) <= ALPHA / 2


def command(*, runs: int = 1000, seed: int = 7) -> None:
    """Simulate.

    Args:
        runs: for each row of the table.
        seed: of the random numbers.
    """
    generator = np.random.default_rng(seed)
    rows = {
        f"difference of {name}, {seeds} seeds: outside of its interval": (
            ALPHA,
            lambda pair=pair, seeds=seeds: interval_misses(pair, seeds, generator),
        )
        for name, pair in PAIRS.items()
        for seeds in (2, 3, 5)
    }
    for seeds in (2, 3, 5):
        rows[f"three equal networks, {seeds} seeds: a pair called different (Holm)"] = (
            ALPHA,
            lambda seeds=seeds: some_pair_differs(seeds, generator),
        )
    for name, network in {"dense": DENSE, "cnn": CNN, "regularized_cnn": REGULARIZED}.items():
        for seeds in (1, 5):
            rows[f"{name} trained anew, {seeds} seeds: the gate of limit 0 fails"] = (
                ALPHA,
                lambda network=network, seeds=seeds: gate_fails(network, seeds, generator),
            )
    for seeds in (2, 3, 5):
        rows[f"equal onsets, 80 % seen, {seeds} seeds: one called sooner"] = (
            ALPHA / 2,
            lambda seeds=seeds: order_is_told(seeds, 0.8, generator),
        )
    table = {}
    for name, (nominal, errs) in rows.items():
        errors = sum(errs() for _ in range(runs))
        low, high = stats.binomtest(errors, runs).proportion_ci(method="exact")
        table[name] = {"nominal": nominal, "measured": errors / runs, "limits_95": [low, high], "n": runs}
        print(
            f"| {name} | {nominal:.1%} | {errors / runs:.1%} ({low:.1%} to {high:.1%}) | {runs:,} |",
            flush=True,
        )
    write_json(RESULT, {"seed": seed, "rows": table})


if __name__ == "__main__":
    run(command)
