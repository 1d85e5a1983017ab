"""What each part of a candidate for the challenger is worth: the network without it, on validation images.

    python -m benchmarks.challenger [--seeds 0 1 2] [--epochs 10] [--precision float32]

Trains on the first half of MNIST's training images and validates on the other: five times the usual validation
images show smaller differences. Test images are not read. A training that is in challenger.json is not done again.
Prints the table of docs/challenger.md.
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

from benchmarks.common import difference, mnist, run, signed
from benchmarks.training import new_network
from tasks.errors import UserError
from tasks.files import digest_of, read_json, write_json
from tasks.markdown import table
from tasks.training import loop
from tasks.training.networks import MODELS, Recipe, Shape, build_challenger, scale
from tasks.training.specification import code_digests

RESULTS = Path(__file__).with_name("challenger.json")
HALF = 30_000  # images
FULL, CONSTANT = "candidate", "constant learning rate of 0.003"
EMA_MOMENTUM = 0.995  # of Keras's optimizers: the average reaches back about 200 steps, nearly one epoch


def candidate(input_shape: Shape, classes: int) -> keras.Model:
    """Return the network whose parts were weighed: the challenger with dropout, which was then left out."""
    *layers, output = build_challenger(input_shape, classes).layers
    return keras.Sequential([keras.Input(input_shape), *layers, keras.layers.Dropout(0.5), output])


def without(*names: str) -> Callable[[Shape, int], keras.Model]:
    """Return a builder of the candidate without the layers of these classes.

    Convolutions get a bias if nothing is left that would add one to them, as batch normalisation does.
    """

    def build(input_shape: Shape, classes: int) -> keras.Model:
        kept = [
            layer for layer in candidate(input_shape, classes).layers if type(layer).__name__ not in names
        ]
        if "BatchNormalization" in names:
            for place, layer in enumerate(kept):
                if isinstance(layer, keras.layers.Conv2D):
                    kept[place] = type(layer).from_config({**layer.get_config(), "use_bias": True})
        return keras.Sequential([keras.Input(input_shape), *kept])

    return build


CANDIDATE = replace(MODELS["challenger"], build=candidate)
AUGMENTATION = ("RandomRotation", "RandomTranslation", "RandomZoom")
STEADY = replace(CANDIDATE, learning_rate_schedule="constant")
VARIANTS = {
    FULL: CANDIDATE,
    "without augmentation": replace(CANDIDATE, build=without(*AUGMENTATION)),
    "without batch normalisation": replace(CANDIDATE, build=without("BatchNormalization")),
    CONSTANT: STEADY,
    "constant learning rate of 0.001": replace(STEADY, learning_rate=0.001),
    "without dropout": replace(CANDIDATE, build=without("Dropout")),
}


def train(
    recipe: Recipe, seed: int, epochs: int, precision: str, data: dict[str, npt.NDArray[Any]]
) -> dict[str, Any]:
    """Train one variant; return accuracy and NLL on the validation half, of the last and of averaged weights."""
    count = len(data["y_train"])
    rates = {name: getattr(recipe, name) for name in ("learning_rate", "learning_rate_schedule")}
    network = new_network(recipe.build, count, seed=seed, epochs=epochs, precision=precision, **rates)
    rate = loop.learning_rate(network.specification, count)
    network.optimizer = keras.optimizers.Adam(rate, use_ema=True, ema_momentum=EMA_MOMENTUM)
    network.optimizer.build(network.model.trainable_variables)
    images = tf.constant(scale(data["x_train"], "unit"))
    labels = tf.constant(data["y_train"].astype(np.int32))
    started = time.monotonic()
    for epoch in range(1, epochs + 1):
        loop.train_epoch(network, images, labels, epoch, lambda fraction: None)
    seconds = time.monotonic() - started
    found = {"seconds": seconds, "parameter_count": network.model.count_params()}
    for prefix in ("", "averaged_"):
        if prefix:
            network.optimizer.finalize_variable_values(network.model.trainable_variables)
        nll, accuracy = loop.nll_and_accuracy(network.predict(data["x_validation"]), data["y_validation"])
        found |= {f"{prefix}accuracy": accuracy, f"{prefix}nll": nll}
    keras.backend.clear_session()
    gc.collect()
    return found


def results_table(kept: dict[str, dict[str, Any]], seeds: list[int]) -> str:
    """Return the means over the seeds, and the paired differences to the whole design."""

    def measured(name: str, prefix: str) -> tuple[list[float], list[float]]:
        found = [kept[f"{name}, seed {seed}"] for seed in seeds]
        return [100 * one[f"{prefix}accuracy"] for one in found], [one[f"{prefix}nll"] for one in found]

    full_accuracy, full_nll = measured(FULL, "")
    rows = []
    for name, prefix in [*((name, "") for name in VARIANTS), (FULL, "averaged_"), (CONSTANT, "averaged_")]:
        accuracy, nll = measured(name, prefix)
        title = f"{name}, the weights averaged" if prefix else name
        differences = [signed(difference(full_accuracy, accuracy), 3), signed(difference(full_nll, nll), 4)]
        rows.append([title, f"{mean(accuracy):.3f} %", f"{mean(nll):.4f}", *differences])
    rows[0][3:] = ["", ""]  # the candidate itself
    headers = ["network", "accuracy", "NLL", "accuracy, difference in points", "NLL, difference"]
    return table(headers, rows)


def main(*, seeds: tuple[int, ...] = (0, 1, 2), epochs: int = 10, precision: str = "float32") -> None:
    """Train what is missing, keep each result at once, print the table."""
    with np.load(mnist(), allow_pickle=False) as stored:
        x, y = stored["x_train"][..., np.newaxis], stored["y_train"]
    data = {"x_train": x[:HALF], "y_train": y[:HALF], "x_validation": x[HALF:], "y_validation": y[HALF:]}
    code = digest_of(code_digests(MODELS["challenger"].build))[:12]
    settings = {"epochs": epochs, "precision": precision, "code": code}
    kept = read_json(RESULTS) if RESULTS.exists() else {"settings": settings, "trainings": {}}
    if kept["settings"] != settings:
        raise UserError(
            f"{RESULTS} was made with other settings or code: {kept['settings']}. Move it away first."
        )
    for seed in seeds:
        for name, recipe in VARIANTS.items():
            key = f"{name}, seed {seed}"
            if key not in kept["trainings"]:
                kept["trainings"][key] = train(recipe, seed, epochs, precision, data)
                write_json(RESULTS, kept)
                print(key, kept["trainings"][key], file=sys.stderr, flush=True)
    print(results_table(kept["trainings"], list(seeds)))


if __name__ == "__main__":
    run(main)
