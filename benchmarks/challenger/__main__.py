"""What distorting its images is worth to the challenger: the network without it, on validation images.

    python -m benchmarks.challenger [--seeds 0 1 2 3 4] [--epochs 20]

Trains on the first half of MNIST's training images and validates on the other: five times the usual validation
images show smaller differences. Test images are not read. A training that is in parts.json is not done again; two
commands with different seeds may run at the same time. Prints the table of docs/challenger.md.
"""

import gc
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from scipy import stats

from benchmarks.common import circumstances, difference, mnist, run, signed
from benchmarks.training import new_network
from tasks.errors import UserError
from tasks.evaluation.statistics import holm
from tasks.files import digest_of, lock, read_json, write_json
from tasks.markdown import table
from tasks.training import loop
from tasks.training.networks import MODELS, Recipe, Shape, build_challenger, scale
from tasks.training.specification import AVERAGING, code_digests
from tasks.wording import p_value

RESULTS = Path(__file__).with_name("parts.json")
HALF = 30_000  # images
DESIGN = MODELS["challenger"]
PRECISION = "mixed_bfloat16"
Layers = list[keras.layers.Layer]
Change = Callable[[Layers], Layers]


def changed(change: Change) -> Recipe:
    """Return the design with other layers."""

    def build(input_shape: Shape, classes: int) -> keras.Model:
        return keras.Sequential(
            [keras.Input(input_shape), *change(build_challenger(input_shape, classes).layers)]
        )

    return replace(DESIGN, build=build)


def not_distorted(layers: Layers) -> Layers:
    """Return the layers without the augmentation, which is the first."""
    return layers[1:]


def not_bent(layers: Layers) -> Layers:
    """Return the layers with images that are turned, moved and stretched alone."""
    distortion = layers[0]
    return [type(distortion).from_config({**distortion.get_config(), "bending": 0.0}), *layers[1:]]


FULL = "the challenger"
VARIANTS: dict[str, Recipe] = {
    FULL: DESIGN,
    "images not bent": changed(not_bent),
    "images not distorted at all": changed(not_distorted),
}


def train(recipe: Recipe, seed: int, epochs: int, data: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """Train one variant; return accuracy and NLL on the validation half."""
    settings = {
        "learning_rate": recipe.learning_rate,
        "learning_rate_schedule": recipe.learning_rate_schedule,
        "code": {AVERAGING: ""} if recipe.averages_weights else {},
        "threads": 1,  # two trainings at a time are sooner done than one after the other
    }
    count = len(data["y_train"])
    network = new_network(recipe.build, count, seed=seed, epochs=epochs, precision=PRECISION, **settings)
    images = tf.constant(scale(data["x_train"], "unit"))
    labels = tf.constant(data["y_train"].astype(np.int32))
    started = time.monotonic()
    for epoch in range(1, epochs + 1):
        loop.train_epoch(network, images, labels, epoch, lambda fraction: None)
    seconds = time.monotonic() - started
    nll, accuracy = loop.nll_and_accuracy(network.predict(data["x_validation"]), data["y_validation"])
    parameters = network.model.count_params()
    keras.backend.clear_session()
    gc.collect()
    return {"accuracy": accuracy, "nll": nll, "seconds": seconds, "parameter_count": parameters}


def results_table(kept: dict[str, dict[str, Any]], seeds: list[int]) -> str:
    """Return the means over the seeds, and the paired differences to the design with p by Holm over the rows."""

    def measured(measure: str) -> dict[str, npt.NDArray[np.float64]]:
        factor = 100 if measure == "accuracy" else 1
        return {
            name: factor * np.array([kept[f"{name}, seed {seed}"][measure] for seed in seeds])
            for name in VARIANTS
        }

    columns, headers = [], ["network"]
    for measure, decimals, unit in (("accuracy", 3, " %"), ("nll", 4, "")):
        values = measured(measure)
        full = values[FULL]
        others = [name for name in VARIANTS if name != FULL]
        adjusted = holm([float(stats.ttest_rel(values[name], full).pvalue) for name in others])
        columns += [
            [f"{mean(values[name]):.{decimals}f}{unit}" for name in VARIANTS],
            ["", *(signed(difference(full, values[name]), decimals) for name in others)],
            ["", *map(p_value, adjusted)],
        ]
        title = {"accuracy": "accuracy", "nll": "NLL"}[measure]
        headers += [title, f"{title}, difference", "p by Holm"]
    return table(headers, [list(row) for row in zip(VARIANTS, *columns, strict=True)])


def main(*, seeds: tuple[int, ...] = (0, 1, 2, 3, 4), epochs: int = 20) -> None:
    """Train what is missing, keep each result at once, print the table when all seeds are there."""
    with np.load(mnist(), allow_pickle=False) as stored:
        x, y = stored["x_train"][..., np.newaxis], stored["y_train"]
    data = {"x_train": x[:HALF], "y_train": y[:HALF], "x_validation": x[HALF:], "y_validation": y[HALF:]}
    settings = {"epochs": epochs, "code": digest_of(code_digests(DESIGN.build, DESIGN.averages_weights))[:12]}

    def kept(**new: Any) -> dict[str, Any]:
        """Return the trainings of parts.json, with a new one if there is one."""
        with lock(RESULTS.parent):
            found = read_json(RESULTS) if RESULTS.exists() else {"settings": settings, "trainings": {}}
            if found["settings"] != settings:
                raise UserError(
                    f"{RESULTS} was made with other settings or code: {found['settings']}. Move it away first."
                )
            if new:
                found["trainings"] |= new
                write_json(RESULTS, found | circumstances())
        return found["trainings"]  # type: ignore[no-any-return]

    for seed in seeds:
        for name, recipe in VARIANTS.items():
            key = f"{name}, seed {seed}"
            if key not in kept():
                made = kept(**{key: train(recipe, seed, epochs, data)})[key]
                print(key, made, file=sys.stderr, flush=True)
    print(results_table(kept(), list(seeds)))


if __name__ == "__main__":
    run(main)
