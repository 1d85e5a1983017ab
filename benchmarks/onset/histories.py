"""Make the real histories on which the onset rule is tuned and tested: the dense network, seeds, settings.

    python -m benchmarks.onset.histories [SETTING ...]

Reads artifacts/data/mnist.npz, trains eight seeds at a time in one compiled TensorFlow function (each seed has its
own initial weights, order of images and dropout; the arithmetic is that of Keras's Adam), and keeps the NLL of
validation and of a training sample of the same size, in inference mode and without penalty, after each epoch.
Each setting goes to artifacts/onset_histories/SETTING.npz; tests/evaluation/histories/onset_histories.npz gathers
them all. About 40 minutes on one core.
"""

import os
import time
from dataclasses import dataclass

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from benchmarks.common import FITTED, PROJECT, mnist, run

FOLDER = PROJECT / "artifacts" / "onset_histories"
GATHERED = PROJECT / "tests" / "evaluation" / "histories" / "onset_histories.npz"
SAMPLE = 6_000  # training images whose NLL is measured; as many as for validation, the last tenth
BATCH = 128
TOGETHER = 8  # networks in one function; more do not fit the processor's cache; divides every number of seeds
SHAPES = [(784, 64), (64,), (64, 16), (16,), (16, 10), (10,)]


@dataclass(frozen=True)
class Setting:
    """What differs from the tutorial's dense network on scaled pixels."""

    seeds: int = 24
    epochs: int = 50
    images: int = FITTED
    pixel_scale: float = 255.0
    learning_rate: float = 1e-3
    l2: float = 0.0
    dropout: float = 0.0


SETTINGS = {
    "images_2000": Setting(seeds=40, epochs=60, images=2_000),
    "images_10000": Setting(epochs=40, images=10_000),
    "learning_rate_high_images_10000": Setting(epochs=40, images=10_000, learning_rate=2e-2),
    "learning_rate_low": Setting(epochs=40, images=10_000, learning_rate=3e-5),
    "l2_plateau_images_10000": Setting(seeds=40, epochs=40, images=10_000, learning_rate=5e-3, l2=1e-2),
    "l2_images_2000": Setting(seeds=40, epochs=60, images=2_000, l2=1e-2),
    "normal": Setting(),
    "raw_pixels": Setting(pixel_scale=1.0),
    "dropout_images_10000": Setting(seeds=40, images=10_000, dropout=0.4),
    "l2_plateau": Setting(epochs=40, learning_rate=3e-3, l2=3e-3),
    "l2": Setting(epochs=40, l2=1e-3),
    "learning_rate_high": Setting(epochs=40, learning_rate=2e-2),
}


def load(setting: Setting) -> tuple[tf.Tensor, ...]:
    """Training images and labels, then those of validation, then those of the training sample."""
    with np.load(mnist()) as data:
        images = data["x_train"].reshape(60_000, 784).astype(np.float32) / np.float32(setting.pixel_scale)
        labels = data["y_train"].astype(np.int32)
    chosen = np.random.default_rng(0).permutation(FITTED)[: setting.images]
    parts = (chosen, slice(FITTED, None), chosen[:SAMPLE])
    return tuple(tf.constant(values[rows]) for rows in parts for values in (images, labels))


def forward(weights: list, activations: tf.Tensor, dropout: float, seed: tf.Tensor | None) -> tf.Tensor:
    """Logits (seeds, images, 10) for images (seeds or 1, images, 784); dropout follows the hidden layers."""
    for layer in range(3):
        activations = activations @ weights[2 * layer] + weights[2 * layer + 1][:, None]
        if layer < 2:
            activations = tf.nn.relu(activations)
            if dropout and seed is not None:
                uniform = tf.random.stateless_uniform(tf.shape(activations), seed + layer)
                activations = tf.where(uniform < dropout, 0.0, activations / (1 - dropout))
    return activations


def train(setting: Setting) -> tuple[np.ndarray, np.ndarray]:
    """Validation and training-sample NLL, each (seeds, epochs); `TOGETHER` networks side by side."""
    x, y, x_validation, y_validation, x_sample, y_sample = load(setting)
    weights = [tf.Variable(tf.zeros((TOGETHER, *shape))) for shape in SHAPES]
    moments = [[tf.Variable(tf.zeros_like(w)) for w in weights] for _ in range(2)]
    step, dropout_seed = tf.Variable(0), tf.Variable(0)
    batches = -(-setting.images // BATCH)

    @tf.function(jit_compile=True)
    def fit_epoch(order: tf.Tensor) -> None:
        for k in tf.range(batches):
            rows = tf.slice(order, [0, k * BATCH], [TOGETHER, BATCH])
            present = tf.cast(rows >= 0, tf.float32)  # the last batch may be short
            update(tf.gather(x, tf.maximum(rows, 0)), tf.gather(y, tf.maximum(rows, 0)), present)

    def update(images: tf.Tensor, truth: tf.Tensor, present: tf.Tensor) -> None:
        step.assign_add(1)
        with tf.GradientTape() as tape:
            logits = forward(weights, images, setting.dropout, tf.stack([dropout_seed, 2 * step]))
            nll = tf.nn.sparse_softmax_cross_entropy_with_logits(truth, logits) * present
            # a sum over the networks, which do not interact
            loss = tf.reduce_sum(nll) / tf.reduce_sum(present[0])
            loss += setting.l2 * sum(tf.reduce_sum(w * w) for w in weights[::2])
        t = tf.cast(step, tf.float32)
        rate = setting.learning_rate * tf.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        for w, mean, square, gradient in zip(weights, *moments, tape.gradient(loss, weights), strict=True):
            mean.assign(0.9 * mean + 0.1 * gradient)
            square.assign(0.999 * square + 0.001 * gradient * gradient)
            w.assign_sub(rate * mean / (tf.sqrt(square) + 1e-7))

    @tf.function(jit_compile=True)
    def mean_nll(images: tf.Tensor, truth: tf.Tensor) -> tf.Tensor:
        logits = forward(weights, images[None], 0.0, None)
        truth = tf.broadcast_to(truth, tf.shape(logits)[:2])
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(truth, logits), axis=1)

    curves = []
    for first in range(0, setting.seeds, TOGETHER):
        generators = [np.random.default_rng(first + i) for i in range(TOGETHER)]
        for w, shape in zip(weights, SHAPES, strict=True):
            w.assign(np.stack([initial(generator, shape) for generator in generators]))
        for variable in (*moments[0], *moments[1], step):
            variable.assign(tf.zeros_like(variable))
        dropout_seed.assign(first)
        for _ in range(setting.epochs):
            order = np.full((TOGETHER, batches * BATCH), -1, np.int32)
            order[:, : setting.images] = [generator.permutation(setting.images) for generator in generators]
            fit_epoch(tf.constant(order))
            curves.append([mean_nll(x_validation, y_validation), mean_nll(x_sample, y_sample)])
    # (groups * epochs, 2, together) -> (2, seeds, epochs)
    stacked = np.array(curves, np.float32).reshape(-1, setting.epochs, 2, TOGETHER)
    validation, sample = stacked.transpose(2, 0, 3, 1).reshape(2, setting.seeds, setting.epochs)
    return validation, sample


def initial(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Keras's defaults: Glorot uniform kernels, zero biases."""
    if len(shape) == 1:
        return np.zeros(shape, np.float32)
    limit = np.sqrt(6 / sum(shape))
    return generator.uniform(-limit, limit, shape).astype(np.float32)


def main(*names: str) -> None:
    """Train these settings, by default all; gather what there is."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in names or SETTINGS:
        setting, started = SETTINGS[name], time.process_time()
        validation, sample = train(setting)
        np.savez_compressed(FOLDER / f"{name}.npz", validation=validation, train=sample)
        seconds = time.process_time() - started
        print(f"{name}: {validation.shape}, {seconds:.0f} s of processor time", flush=True)
    made = [name for name in SETTINGS if (FOLDER / f"{name}.npz").exists()]
    curves = {name: np.load(FOLDER / f"{name}.npz") for name in made}
    np.savez_compressed(
        GATHERED, **{f"{name}_{of}": curves[name][of] for name in made for of in curves[name]}
    )


if __name__ == "__main__":
    run(main)
