"""How often do the report's tests and intervals err? Simulated, by the functions that the report itself uses.

    python -m benchmarks.statistics [--runs 1000] [--seed 7]

A network is a probit model of its answers to 10,000 test images: each image has a difficulty, which networks share
in part (correlation 0.8), each training a skill of its own, and each answer some luck. Accuracy, the share of
images on which two seeds differ, and the scatter over seeds are about those of the trained networks; "unsteady"
has a scatter of a whole point.
Prints a table and writes benchmarks/statistics/statistics.json.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import combinations, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from benchmarks.common import run
from tasks.comparison.onset_order import onset_order_p
from tasks.evaluation.statistics import ALPHA, agreement, estimate, holm, mcnemar_p, retraining
from tasks.files import write_json
from tasks.results.enums import OnsetStatus
from tasks.results.training import Onset

IMAGES = 10_000
SHARED_DIFFICULTY = 0.8
STEEPNESS = 1.0  # the loss is the exponential of minus so many margins: a few images have most of it
Right = NDArray[np.bool_]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Network:
    """Accuracy, the share of images on which two seeds differ, and the standard deviation over seeds.

    An image is recognised where its margin is positive: a normal variable of images, trainings and luck.
    """

    accuracy: float
    differing: float
    seed_deviation: float

    @property
    def threshold(self) -> float:
        return float(stats.norm.ppf(self.accuracy))

    @property
    def skill(self) -> float:
        """Standard deviation of the margin over trainings; images and luck together have 1."""
        return self.seed_deviation / float(stats.norm.pdf(self.threshold))

    @property
    def level(self) -> float:
        """Mean margin."""
        return self.threshold * math.sqrt(1 + self.skill**2)

    @property
    def loss(self) -> float:
        """The expected loss, of a lognormal variable."""
        return math.exp(-STEEPNESS * self.level + STEEPNESS**2 * (1 + self.skill**2) / 2)

    def margins(self, seeds: int, difficulty: Values, generator: np.random.Generator) -> Values:
        """Return the margins of each seed, shape (seeds, n); `difficulty` is standard normal (n,)."""
        share = image_share(self)
        skills = self.skill * generator.standard_normal((seeds, 1))
        luck = generator.standard_normal((seeds, IMAGES))
        return self.level + skills + math.sqrt(share) * difficulty + math.sqrt(1 - share) * luck

    def answers(self, seeds: int, difficulty: Values, generator: np.random.Generator) -> Right:
        """Return which images each seed recognises, shape (seeds, n)."""
        return self.margins(seeds, difficulty, generator) > 0


@cache
def image_share(network: Network) -> float:
    """Return the images' share of the margin's variance that makes two seeds differ as often as they do."""
    both_wrong = 1 - network.accuracy - network.differing / 2

    def excess(correlation: float) -> float:
        normal = stats.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]])
        return float(normal.cdf([-network.threshold, -network.threshold])) - both_wrong

    return float(optimize.brentq(excess, 0.01, 0.9999))


def worse(network: Network, points: float) -> Network:
    """Return the network with so many points of accuracy less."""
    return replace(network, accuracy=network.accuracy - points / 100)


DENSE, CNN = Network(0.974, 0.0221, 0.0016), Network(0.9875, 0.011, 0.0006)
REGULARIZED, UNSTEADY = Network(0.947, 0.026, 0.0010), Network(0.96, 0.03, 0.01)
NETWORKS = {"dense": DENSE, "cnn": CNN, "regularized_cnn": REGULARIZED}
PAIRS = {
    "dense, dense": (DENSE, DENSE),
    "cnn, dense": (CNN, DENSE),
    "regularized_cnn, cnn": (REGULARIZED, CNN),
    "unsteady, unsteady": (UNSTEADY, UNSTEADY),
    "unsteady, cnn": (UNSTEADY, CNN),
}


def difficulties(generator: np.random.Generator, networks: int) -> Values:
    """Return each network's difficulties of the same images, standard normal (networks, n)."""
    common, own = generator.standard_normal(IMAGES), generator.standard_normal((networks, IMAGES))
    return math.sqrt(SHARED_DIFFICULTY) * common + math.sqrt(1 - SHARED_DIFFICULTY) * own


def two_sides(
    pair: tuple[Network, Network], seeds: int, generator: np.random.Generator
) -> tuple[Values, Values]:
    """Return the margins of two networks on the same images, each of shape (seeds, n)."""
    hard = difficulties(generator, 2)
    return pair[0].margins(seeds, hard[0], generator), pair[1].margins(seeds, hard[1], generator)


def interval_misses(pair: tuple[Network, Network], seeds: int, generator: np.random.Generator) -> bool:
    """Whether the 95 % interval of a difference of accuracies leaves the true one out."""
    first, second = two_sides(pair, seeds, generator)
    low, high = estimate(first > 0, second > 0).interval()
    return not low <= pair[0].accuracy - pair[1].accuracy <= high


def loss_interval_misses(pair: tuple[Network, Network], seeds: int, generator: np.random.Generator) -> bool:
    """Whether the 95 % interval of a difference of losses leaves the true one out."""
    first, second = (np.exp(-STEEPNESS * side) for side in two_sides(pair, seeds, generator))
    low, high = estimate(first, second).interval()
    return not low <= pair[0].loss - pair[1].loss <= high


def told_apart(pair: tuple[Network, Network], seeds: int, generator: np.random.Generator) -> bool:
    """Whether a pair by itself is called different: with one seed by McNemar's test."""
    first, second = (side > 0 for side in two_sides(pair, seeds, generator))
    if seeds == 1:
        _, only_first, only_second, _ = agreement(first[0], second[0])
        return mcnemar_p(only_first, only_second) <= ALPHA
    return estimate(first, second).p_value() <= ALPHA


def some_epoch_matters(generator: np.random.Generator) -> bool:
    """Whether the accuracy of one of nine trainings is wrongly said to have changed after the best epoch."""
    same = replace(DENSE, seed_deviation=0.0)
    pairs = [same.answers(2, generator.standard_normal(IMAGES), generator) for _ in range(9)]
    p_values = [mcnemar_p(*agreement(best, final)[1:3]) for best, final in pairs]
    return min(holm(p_values)) <= ALPHA


def some_run_changed(generator: np.random.Generator) -> bool:
    """Whether one of nine trainings of dense made anew is called better or worse than in the previous run."""
    pairs = [DENSE.answers(2, generator.standard_normal(IMAGES), generator) for _ in range(9)]
    p_values = [retraining(both[:1], both[1:]).p_value() for both in pairs]
    return min(holm(p_values)) <= ALPHA


def some_pair_differs(seeds: int, generator: np.random.Generator) -> bool:
    """Whether Holm over the three pairs of three equal networks calls any different."""
    sides = [DENSE.answers(seeds, hard, generator) for hard in difficulties(generator, 3)]
    p_values = [estimate(first, second).p_value() for first, second in combinations(sides, 2)]
    return min(holm(p_values)) <= ALPHA


def gate_fails(
    network: Network, seeds: int, generator: np.random.Generator, drop: float = 0.0, limit: float = 0.0
) -> bool:
    """Whether the gate fails for a network trained anew that is truly worse by `drop` (both in points)."""
    images = generator.standard_normal(IMAGES)
    before, now = (each.answers(seeds, images, generator) for each in (network, worse(network, drop)))
    return retraining(before, now).at_least() > limit / 100


def order_is_told(seeds: int, seen: float, generator: np.random.Generator, later: float = 0.0) -> bool:
    """Whether onsets so many epochs apart, of which a share is seen, are told apart at 2.5 %."""
    means = 11 + later * (np.arange(2 * seeds) >= seeds)
    epochs = np.clip(np.round(generator.normal(means, 3)), 2, 49).astype(int)
    onsets = [
        Onset(status=OnsetStatus.OVERFITS, epoch=int(epoch), lowest_at=int(epoch) - 1, epochs=50)
        if generator.random() < seen
        else Onset(status=OnsetStatus.UNDECIDED, lowest_at=int(epoch) - 1, epochs=50)
        for epoch in epochs
    ]
    return onset_order_p(onsets[:seeds], onsets[seeds:]) <= ALPHA / 2


Errs = Callable[[np.random.Generator], bool]


def errors() -> dict[str, tuple[float, Errs]]:
    """Return what may err, with the share of runs in which it may."""
    rows: dict[str, tuple[float, Errs]] = {}
    for seeds, (name, pair) in product((2, 3, 5), PAIRS.items()):
        title = f"{name}, {seeds} seeds: outside of its interval"
        rows[f"difference of accuracy, {title}"] = ALPHA, partial(interval_misses, pair, seeds)
        rows[f"difference of NLL, {title}"] = ALPHA, partial(loss_interval_misses, pair, seeds)
    alike = (replace(DENSE, seed_deviation=0.0),) * 2
    rows["two trainings of equal accuracy: called different (McNemar)"] = ALPHA, partial(told_apart, alike, 1)
    rows["nine trainings: accuracy said to change after the best epoch (Holm)"] = ALPHA, some_epoch_matters
    rows["nine trainings of dense anew: one called better or worse (Holm)"] = ALPHA, some_run_changed
    for seeds in (2, 3, 5):
        title = f"three equal networks, {seeds} seeds: a pair called different (Holm)"
        rows[title] = ALPHA, partial(some_pair_differs, seeds)
        title = f"equal onsets, 80 % seen, {seeds} seeds: one called sooner"
        rows[title] = ALPHA / 2, partial(order_is_told, seeds, 0.8)
    for seeds, (name, network) in product((1, 5), NETWORKS.items()):
        for points in (0.0, 0.5):
            title = (
                f"{name} anew, truly {points:g} points lower, {seeds} seeds: gate of limit {points:g} fails"
            )
            rows[title] = ALPHA, partial(gate_fails, network, seeds, drop=points, limit=points)
    return rows


def powers() -> dict[str, Errs]:
    """Return what ought to be seen."""
    rows: dict[str, Errs] = {}
    for seeds, points in product((1, 2, 3, 5), (0.3, 1.0)):
        title = f"cnn, truly {points:g} points lower, {seeds} seeds: pair called different"
        rows[title] = partial(told_apart, (CNN, worse(CNN, points)), seeds)
    for seeds, points in product((1, 5), (0.5, 1.0)):
        title = f"dense anew, truly {points:g} points lower, {seeds} seeds: gate of limit 0 fails"
        rows[title] = partial(gate_fails, DENSE, seeds, drop=points)
    for later in (4, 8):
        title = f"onsets {later} epochs apart (deviation 3), all seen, 5 seeds: one called sooner"
        rows[title] = partial(order_is_told, 5, 1.0, later=later)
    return rows


def command(*, runs: int = 1000, seed: int = 7) -> None:
    """Simulate so many runs for each row; the seed and a row's name make its random numbers."""
    rows: list[tuple[str, float | None, Errs]] = [(name, *row) for name, row in errors().items()]
    rows += [(name, None, sees) for name, sees in powers().items()]
    table = {}
    for name, nominal, happens in rows:
        generator = np.random.default_rng([seed, *name.encode()])
        count = sum(happens(generator) for _ in range(runs))
        low, high = stats.binomtest(count, runs).proportion_ci(method="exact")
        table[name] = {"nominal": nominal, "measured": count / runs, "limits_95": [low, high], "n": runs}
        wanted = "power" if nominal is None else f"{nominal:.1%}"
        print(f"| {name} | {wanted} | {count / runs:.1%} ({low:.1%} to {high:.1%}) | {runs:,} |", flush=True)
    write_json(Path(__file__).with_name("statistics.json"), {"seed": seed, "rows": table})


if __name__ == "__main__":
    run(command)
