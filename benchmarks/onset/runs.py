"""Runs of which it is known without any rule where they start to overfit, if they do: real and simulated."""

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import PROJECT
from tasks.files import read_json

Curve = NDArray[np.float64]
HISTORIES = PROJECT / "tests" / "evaluation" / "histories" / "onset_histories.npz"
REFERENCE = PROJECT / "artifacts" / "reference" / "results.json"
SIMULATED = 100  # curves for each kind
EPOCHS, AUTOCORRELATIONS, NOISES, RISES = (20, 30, 50), (0.0, 0.4, 0.7), (0.01, 0.04), (0.3, 1.0)


class Run(NamedTuple):
    """One training; `onset` is the true one, None in a setting that never overfits."""

    validation: Curve
    train: Curve | None
    onset: int | None


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


def runs_of(validation: Curve, train: Curve, seeds: Iterable[int]) -> list[Run]:
    """The runs of these seeds, with their true onset; both curves are (all seeds, epochs)."""
    rising, runs = overfits(validation), []
    for seed in seeds:
        others = np.delete(validation, seed, axis=0).mean(axis=0)
        onset = int(np.argmin(median_of_3(others))) + 2 if rising else None
        runs.append(Run(validation[seed], train[seed], onset))
    return runs


def real_runs(first_seed: int) -> dict[str, list[Run]]:
    """Every second seed of each setting, from `first_seed` on, with its true onset."""
    with np.load(HISTORIES) as data:
        curves = {key: data[key].astype(np.float64) for key in data.files}
    return {
        name: runs_of(validation, curves[f"{name}_train"], range(first_seed, len(validation), 2))
        for key, validation in curves.items()
        if (name := key.removesuffix("_validation")) != key
    }


def pipeline_runs() -> dict[str, list[Run]]:
    """All seeds of each network of the reference run."""
    networks = {}
    for name, model in read_json(REFERENCE)["models"].items():  # a file of an earlier version may stand there
        histories = [training["history"] for training in model["trainings"]]
        validation, train = (np.array([h[key] for h in histories]) for key in ("val_nll", "train_nll"))
        networks[name] = runs_of(validation, train, range(len(validation)))
    return networks


def simulated_runs(first_seed: int) -> dict[str, list[Run]]:
    """A falling exponential to a floor of 0.1, perhaps a straight rise from 40 % of the epochs on, AR(1) noise."""
    generator = np.random.default_rng(1000 + first_seed)
    kinds: dict[str, list[Run]] = defaultdict(list)
    for epochs, correlation in ((e, c) for e in EPOCHS for c in AUTOCORRELATIONS):
        time, turn = np.arange(1, epochs + 1), 0.4 * epochs
        for deviation, rise in ((d, r) for d in NOISES for r in (0.0, *RISES)):
            for fall in (12, 5):  # the floor is reached sooner, later
                curve = 0.1 + 0.5 * np.exp(-fall * time / epochs)
                curve += 0.1 * rise * np.maximum(time - turn, 0) / (epochs - turn)
                onset = int(np.argmin(curve)) + 2 if rise else None
                for _ in range(SIMULATED):
                    noise = autocorrelated(generator, epochs, correlation)
                    run = Run(curve + 0.1 * deviation * noise, None, onset)
                    kinds[f"{epochs} epochs, autocorrelation {correlation}"].append(run)
    return dict(kinds)


def autocorrelated(generator: np.random.Generator, length: int, correlation: float) -> Curve:
    """AR(1) noise of standard deviation 1."""
    noise = generator.standard_normal(length)
    for index in range(1, length):
        noise[index] = correlation * noise[index - 1] + math.sqrt(1 - correlation**2) * noise[index]
    return noise
