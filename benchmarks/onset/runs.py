"""Runs of which it is known without the rule where they start to overfit, if they do: real and simulated."""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import PROJECT

Curve = NDArray[np.float64]
HISTORIES = PROJECT / "tests" / "evaluation" / "histories" / "onset_histories.npz"
FRESH = PROJECT / "artifacts" / "onset_histories"


class Run(NamedTuple):
    """One training; `truth` is the curve it would have without noise, `onset` None if that never overfits."""

    validation: Curve
    train: Curve | None
    truth: Curve
    onset: int | None
    image_losses: NDArray[Any] | None = None  # (epochs, images)


def median_of_3(curve: Curve) -> Curve:
    """The running median; the two ends stay as they are."""
    smooth = curve.copy()
    smooth[1:-1] = np.median([curve[:-2], curve[1:-1], curve[2:]], axis=0)
    return smooth


def overfits(curves: Curve) -> bool:
    """Do these runs, (seeds, epochs), rise after their minimum by more than two standard errors?"""
    scores = []
    for located, measured in ((curves[::2], curves[1::2]), (curves[1::2], curves[::2])):
        best = int(np.argmin(median_of_3(located.mean(axis=0))))
        around = measured[:, max(0, best - 1) : best + 2].mean(axis=1)
        rise = measured[:, -3:].mean(axis=1) - around
        error = rise.std(ddof=1) / math.sqrt(len(rise))
        scores.append(float(rise.mean() / error) if best < curves.shape[1] - 3 else 0.0)
    return sum(scores) / 2 > 2


def runs_of(validation: Curve, train: Curve, truth: Curve, images: Any, seeds: Iterable[int]) -> list[Run]:
    """The runs of these seeds; the truth of each is the mean of the other seeds' `truth`, (all seeds, epochs)."""
    rising, runs = overfits(truth), []
    for seed in seeds:
        others = median_of_3(np.delete(truth, seed, axis=0).mean(axis=0))
        onset = int(np.argmin(others)) + 2 if rising else None
        losses = None if images is None else images[seed]
        runs.append(Run(validation[seed], train[seed], others, onset, losses))
    return runs


def stored_runs(first_seed: int) -> dict[str, list[Run]]:
    """Every second seed of the settings whose curves are kept with the tests, from `first_seed` on."""
    with np.load(HISTORIES) as data:
        curves = {key: data[key].astype(np.float64) for key in data.files}
    names = [key.removesuffix("_train") for key in curves if key.endswith("_train")]
    return {
        name: runs_of(
            curves[f"{name}_validation"],
            curves[f"{name}_train"],
            curves[f"{name}_validation"],
            None,
            range(first_seed, len(curves[f"{name}_train"]), 2),
        )
        for name in names
    }


def fresh_runs(with_images: bool) -> dict[str, list[Run]]:
    """All seeds of the settings of histories.FRESH; the truth is that of images which are not validation."""
    settings = {}
    for path in sorted(FRESH.glob("*.npz")):
        with np.load(path) as data:
            images = data["image_losses"] if with_images else None
            validation, train, others = data["validation"], data["train"], data["others"]
        settings[path.stem] = runs_of(validation, train, others, images, range(len(validation)))
    return settings


def autocorrelated(generator: np.random.Generator, length: int, correlation: float) -> Curve:
    """AR(1) noise of standard deviation 1."""
    noise = generator.standard_normal(length)
    for index in range(1, length):
        noise[index] = correlation * noise[index - 1] + math.sqrt(1 - correlation**2) * noise[index]
    return noise


def shapes(epochs: int) -> dict[str, Curve]:
    """Curves without noise, lowest at 1; one epoch's noise is to be 0.03."""
    time = np.arange(1.0, epochs + 1)
    fall, half = 2 * np.exp(-12 * time / epochs), epochs / 2
    drop = np.where(time < half, 1.3 + fall + 0.0005 * time, 1 + 0.3 * np.exp(-(time - half)))
    return {
        "plateau": np.ones(epochs),
        "fall to a plateau": 1 + fall,
        "jump of 4 noises": 1 + fall + 0.12 * (time > 0.6 * epochs),
        "jump of 6 %": 1 + fall + 0.06 * (time > 0.6 * epochs),
        "steady rise to 10 %": 1 + fall + 0.1 * np.maximum(time - 0.4 * epochs, 0) / (0.6 * epochs),
        "steady rise to 30 %": 1 + fall + 0.3 * np.maximum(time - 0.4 * epochs, 0) / (0.6 * epochs),
        "passing rise, ends at 0 %": 1 + fall + np.exp(-(((time - half) / (epochs / 10)) ** 2)),
        "passing rise, ends at 20 %": 1
        + fall
        + np.exp(-(((time - half) / (epochs / 10)) ** 2))
        + 0.2 * (time > half),
        "drop, then a rise to 30 %": drop + 0.3 * np.maximum(time - half - 4, 0) / (half - 4),
    }


def simulated_runs(name: str, epochs: int, correlation: float, count: int) -> list[Run]:
    """So many runs of one of the shapes with AR(1) noise; the random numbers are this benchmark's own."""
    truth = shapes(epochs)[name]
    best = int(np.argmin(truth))
    onset = best + 2 if truth[-1] > 1.02 * truth[best] else None
    generator = np.random.default_rng([2028, epochs, round(10 * correlation), *name.encode()])
    noise = (autocorrelated(generator, epochs, correlation) for _ in range(count))
    return [Run(truth + 0.03 * each, None, truth, onset) for each in noise]
