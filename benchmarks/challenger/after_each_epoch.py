"""Train a network of the catalogue, by our loop or by plain Keras; say the accuracy on test after each epoch.

    python -m benchmarks.challenger.after_each_epoch --program ours --model sprinter --epochs 1 --seed 0

Ours counts what the pipeline does after each epoch among the seconds, Keras its own validation; building the
network and testing it are not counted. The last line on stdout is JSON.
"""

import json
import time
from typing import Literal

import keras
import numpy as np

from benchmarks.common import FITTED, mnist, run
from benchmarks.speed import naive_keras
from benchmarks.training import new_network, splits
from tasks.training import loop
from tasks.training.networks import MODELS
from tasks.training.precision import resolve_precision
from tasks.training.specification import AVERAGING

Points = list[tuple[float, float]]  # seconds of fitting, accuracy on the test images


def ours(model: str, epochs: int, seed: int) -> Points:
    """Return what the pipeline's loop reaches, at its own precision."""
    recipe, data, progress = MODELS[model], splits(np.arange(FITTED)), loop.Progress()
    network = new_network(
        recipe.build,
        FITTED,
        seed=seed,
        epochs=epochs,
        precision=resolve_precision("auto", model),
        learning_rate=recipe.learning_rate,
        learning_rate_schedule=recipe.learning_rate_schedule,
        code={AVERAGING: ""} if recipe.averages_weights else {},
    )
    with np.load(mnist()) as stored:
        images, labels = stored["x_test"][..., np.newaxis], stored["y_test"]
    points, seconds, started = [], 0.0, time.monotonic()
    for _ in loop.fit(network, progress, data, lambda fraction: None):
        seconds += time.monotonic() - started
        points.append((seconds, loop.nll_and_accuracy(network.predict(images), labels)[1]))
        started = time.monotonic()
    return points


def keras_as_in_the_tutorial(model: str, epochs: int, seed: int) -> Points:
    """Return what the tutorial's calls reach."""
    keras.utils.set_random_seed(seed)
    with np.load(mnist()) as stored:
        images, x_test = (stored[name][..., np.newaxis] / np.float32(255) for name in ("x_train", "x_test"))
        labels, y_test = stored["y_train"], stored["y_test"]
    network, points, seconds = naive_keras.build(model), [], 0.0
    for _ in range(epochs):
        started = time.monotonic()
        network.fit(images, labels, batch_size=128, epochs=1, validation_split=0.1, verbose=2)
        seconds += time.monotonic() - started
        points.append((seconds, float(network.evaluate(x_test, y_test, verbose=2)[1])))
    return points


def main(*, program: Literal["ours", "keras"], model: str, epochs: int, seed: int = 0) -> None:
    """Train once; print the points."""
    train = ours if program == "ours" else keras_as_in_the_tutorial
    print(json.dumps(train(model, epochs, seed)))


if __name__ == "__main__":
    run(main)
