"""Runs beside each other: the same network in several of them."""

import numpy as np
import pytest
from hand_made import DATASET, PROVENANCE, network, run, training

from tasks.comparison.across import across_runs, what_differs
from tasks.comparison.previous import Earlier
from tasks.evaluation.statistics import estimate, retraining

N = 1000  # test images


def answers(*wrong: int) -> dict[int, np.ndarray]:
    """By seed, which of the test images are recognised: all but the first so many."""
    return {seed: np.arange(N) >= count for seed, count in enumerate(wrong)}


def earlier(name: str, key: str, *wrong: int, digest: str = "same") -> Earlier:
    """A run of cnn whose trainings make so many mistakes."""
    trainings = [training(seed, key=key) for seed in range(len(wrong))]
    results = run(
        {"cnn": network(*trainings)},
        provenance=PROVENANCE.model_copy(update={"run": name}),
        dataset=DATASET.model_copy(update={"digest": digest}),
    )
    return Earlier(results, {"cnn": answers(*wrong)})


def test_one_seed_allows_for_a_retraining() -> None:
    """With one seed in common the luck of a training is the factor measured on MNIST."""
    (line,) = across_runs([earlier("a", "1", 100), earlier("b", "2", 20)])
    expected = retraining(answers(20)[0][None], answers(100)[0][None])
    assert (line.base, line.run, line.seeds) == (0, 1, [0])
    assert line.difference == pytest.approx(0.08)
    assert (line.interval, line.p_value) == (expected.interval(-1.0, 1.0), expected.p_value())
    assert line.told_apart


def test_several_seeds_measure_it() -> None:
    """With several seeds in common the difference is that of other images and other trainings."""
    (line,) = across_runs([earlier("a", "1", 100, 110, 90), earlier("b", "2", 20, 25)])
    expected = estimate(np.array([*answers(20, 25).values()]), np.array([*answers(100, 110).values()]))
    assert line.seeds == [0, 1]
    assert line.interval == expected.interval(-1.0, 1.0)


def test_holm_over_all() -> None:
    """Two differences are looked at, so the smaller p-value counts twice; the same trainings are none."""
    lines = across_runs(
        [earlier("a", "1", 100), earlier("b", "2", 60), earlier("c", "1", 100), earlier("d", "3", 95)]
    )
    assert [(line.base, line.run, line.same_trainings) for line in lines] == [
        (0, 1, False),
        (0, 2, True),
        (0, 3, False),
    ]
    smaller = min(lines[0].p_value, lines[2].p_value)
    assert min(line.p_adjusted for line in lines) == pytest.approx(2 * smaller)
    assert not lines[1].told_apart


def test_other_data_are_not_compared() -> None:
    """A run is held against the first that answered the same test images, never against one of other data."""
    runs = [
        earlier("a", "1", 100),
        earlier("b", "2", 60, digest="other"),
        earlier("c", "3", 60, digest="other"),
    ]
    assert [(line.base, line.run) for line in across_runs(runs)] == [(1, 2)]


def test_what_differs() -> None:
    """A parameter, a plan and the images are named with each run's value; what a run lacks has none."""
    first = run(
        {"cnn": network(epochs=20), "dense": network()}, parameters={"batch_size": 128, "epochs": None}
    )
    second = run(
        {"cnn": network(epochs=5)},
        parameters={"batch_size": 64, "epochs": 5},
        dataset=DATASET.model_copy(update={"counts": {"train": 7, "validation": 1, "test": 1}}),
    )
    train = str(DATASET.counts["train"])
    assert what_differs([first, second]) == {
        "batch_size": ["128", "64"],
        "cnn epochs": ["20", "5"],
        "train images": [train, "7"],
    }
