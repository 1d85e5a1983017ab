"""What decides the numbers of a training, all of it: steps, order of the images, random numbers, curves, resuming.

Its statements are part of every training's key. So what changes no number is elsewhere: messages, files, clocks.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tasks.training.networks import scale
from tasks.training.specification import Specification

Array = npt.NDArray[Any]
Report = Callable[[float], None]  # is told how much of an epoch is done, from 0 to 1
CURVES = ("loss", "accuracy", "val_loss", "val_accuracy", "train_nll", "val_nll", "train_accuracy_inference")
STEPS_PER_CALL = 32  # often enough to show progress, seldom enough to cost nothing
IMAGES_PER_PREDICTION = 1000


def configure_tensorflow(threads: int) -> None:
    """Give TensorFlow so many threads, and operations that repeat their results to the bit."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()


class Network:
    """A model with its optimizer, and the two things one does with them: train on batches, predict."""

    def __init__(
        self, build: Callable[[], keras.Model], specification: Specification, image_count: int
    ) -> None:
        """Build the network, to be trained as `specification` says on `image_count` images an epoch."""
        self.specification = specification
        keras.utils.set_random_seed(specification.seed)
        keras.config.set_dtype_policy(specification.precision)
        self.model = build()
        self.optimizer = keras.optimizers.Adam(learning_rate(specification, image_count))
        self.optimizer.build(self.model.trainable_variables)
        *hidden, output = self.model.layers

        def logits(images: Any, training: bool) -> Any:
            """Return the values before softmax: a float32 probability that has become 0 has no logarithm."""
            values = images
            for layer in hidden:
                if training and isinstance(layer, keras.layers.Dropout) and layer.rate == 0.5:
                    values = drop_half(values, layer.seed_generator.next())
                else:
                    values = layer(values, training=training)
            return tf.matmul(tf.cast(values, tf.float32), output.kernel) + output.bias

        self.train = self._train_function(logits, specification.xla)
        self.predict = self._predict_function(logits, specification.pixel_scaling)

    def _train_function(self, logits: Callable[..., Any], xla: bool) -> Callable[..., tuple[Any, Any]]:
        """Return a function that takes many steps in one call: a call costs more than a step of dense."""

        @tf.function(jit_compile=xla)  # type: ignore[untyped-decorator]
        def train(images: Any, labels: Any, batches: Any) -> tuple[Any, Any]:
            """Take one step for each row of image numbers; return sums over images: loss, correct answers."""
            loss_sum, correct = tf.constant(0.0), tf.constant(0.0)
            size = tf.cast(tf.shape(batches)[1], tf.float32)
            for step in tf.range(tf.shape(batches)[0]):
                x, y = tf.gather(images, batches[step]), tf.gather(labels, batches[step])
                with tf.GradientTape() as tape:
                    z = logits(x, training=True)
                    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, z))
                    loss += sum(self.model.losses)
                variables = self.model.trainable_variables
                self.optimizer.apply(tape.gradient(loss, variables), variables)
                loss_sum += loss * size
                hits = tf.argmax(z, axis=-1, output_type=tf.int32) == y
                correct += tf.reduce_sum(tf.cast(hits, tf.float32))
            return loss_sum, correct

        return train  # type: ignore[no-any-return]

    def _predict_function(self, logits: Callable[..., Any], pixel_scaling: str) -> Callable[[Array], Array]:
        log_probabilities = tf.function(
            lambda images: tf.nn.log_softmax(logits(images, training=False)), reduce_retracing=True
        )

        def predict(images: Array) -> Array:
            """Return float32 log-probabilities (n, classes) of uint8 images; dropout is off."""
            starts = range(0, len(images), IMAGES_PER_PREDICTION)
            parts = [images[start : start + IMAGES_PER_PREDICTION] for start in starts]
            return np.concatenate([log_probabilities(scale(part, pixel_scaling)).numpy() for part in parts])

        return predict

    def penalty(self) -> float:
        """Return the L2 penalty at the present weights, 0 if the network has none."""
        return float(sum(self.model.losses))

    def seed_layers(self, epoch: int) -> None:
        """Set the state of each layer's random numbers from (seed, epoch, layer)."""
        for number, layer in enumerate(self.model.layers):
            # Dropout has the one attribute, the layers that change images have the other.
            source = getattr(layer, "seed_generator", None) or getattr(layer, "generator", None)
            if source:
                generator = np.random.default_rng([self.specification.seed, epoch, number])
                source.state.assign(generator.integers(2**32, size=2, dtype=np.uint32))


def learning_rate(specification: Specification, image_count: int) -> Any:
    """Return what Adam is given: a number, or Keras's schedule of one for each step of the training.

    The step's number is one of the optimizer's variables, so a training that goes on goes on in its schedule.
    """
    if specification.learning_rate_schedule == "constant":
        return specification.learning_rate
    steps = specification.epochs * math.ceil(image_count / specification.batch_size)
    return keras.optimizers.schedules.CosineDecay(specification.learning_rate, steps)


def drop_half(values: Any, seed: Any) -> Any:
    """Set half of the values to 0, chosen at random, and double the others: what Keras's Dropout(0.5) does.

    Keras draws 32 random bits for each value and compares; for one half, one bit is enough. `seed`: two integers.
    """
    count = tf.size(values)
    shape = [(count + 31) // 32, 1]
    words = tf.random.stateless_uniform(shape, seed, minval=None, maxval=None, dtype=tf.int32)
    bits = tf.bitwise.bitwise_and(tf.bitwise.right_shift(words, tf.range(32)), 1)
    twice_or_not = tf.cast(2 * tf.reshape(bits, [-1])[:count], values.dtype)
    return values * tf.reshape(twice_or_not, tf.shape(values))


def image_losses(log_probabilities: Array, labels: Array) -> Array:
    """Return each image's negative log-likelihood in nats, float32 (n,)."""
    return -log_probabilities[np.arange(len(labels)), labels]


def nll_and_accuracy(log_probabilities: Array, labels: Array) -> tuple[float, float]:
    """Return the mean negative log-likelihood in nats and the share of right answers; NaN is no right one."""
    right = (log_probabilities.argmax(1) == labels) & np.isfinite(log_probabilities.max(1))
    return float(np.mean(image_losses(log_probabilities, labels), dtype=np.float64)), float(np.mean(right))


def batches_of_epoch(count: int, batch_size: int, seed: int, epoch: int) -> Iterator[Array]:
    """Yield all image numbers in the order of (seed, epoch), as arrays (steps, batch size) int32."""
    order = np.random.default_rng([seed, epoch]).permutation(count).astype(np.int32)
    full = count // batch_size * batch_size
    if full:
        yield order[:full].reshape(-1, batch_size)
    if full < count:
        yield order[full:].reshape(1, -1)


def train_epoch(
    network: Network, images: Any, labels: Any, epoch: int, report: Report
) -> tuple[float, float]:
    """Train one epoch; return Keras's `loss` (with penalty) and `accuracy`, means while the weights move."""
    specification, count = network.specification, len(labels)
    network.seed_layers(epoch)
    loss_sum = correct = seen = 0.0
    for batches in batches_of_epoch(count, specification.batch_size, specification.seed, epoch):
        # XLA compiles anew for each shape, so it gets the whole epoch at once.
        steps = len(batches) if specification.xla else STEPS_PER_CALL
        for start in range(0, len(batches), steps):
            part = batches[start : start + steps]
            sums = network.train(images, labels, part)
            loss_sum, correct, seen = loss_sum + float(sums[0]), correct + float(sums[1]), seen + part.size
            report(seen / count)
    return loss_sum / count, correct / count


@dataclass
class Progress:
    """What a training has reached; with weights and optimizer, all that the next epoch follows from."""

    history: dict[str, list[float]] = field(default_factory=lambda: {curve: [] for curve in CURVES})
    best_weights: list[Array] = field(default_factory=list)  # of the epoch with the lowest validation NLL
    # For each epoch, each validation image's loss, float16 (n,): how uncertain the curve is, and so the onset.
    validation_losses: list[Array] = field(default_factory=list)

    @property
    def epochs_done(self) -> int:
        return len(self.history["loss"])

    @property
    def diverged(self) -> bool:
        """Whether the last epoch's loss is no longer finite."""
        return not all(np.isfinite(self.history[curve][-1:]).all() for curve in ("loss", "val_nll"))


def fit(network: Network, progress: Progress, data: Mapping[str, Array], report: Report) -> Iterator[int]:
    """Train the epochs that are missing, but none after a divergence; yield each one's number when it is done."""
    specification = network.specification
    images = tf.constant(scale(data["x_train"], specification.pixel_scaling))
    labels = tf.constant(data["y_train"].astype(np.int32))
    sample_images, sample_labels = (data[name][data["train_sample"]] for name in ("x_train", "y_train"))
    while progress.epochs_done < specification.epochs and not progress.diverged:
        epoch = progress.epochs_done + 1
        loss, accuracy = train_epoch(network, images, labels, epoch, report)
        train_nll, train_accuracy = nll_and_accuracy(network.predict(sample_images), sample_labels)
        validation = network.predict(data["x_validation"])
        val_nll, val_accuracy = nll_and_accuracy(validation, data["y_validation"])
        losses = np.minimum(image_losses(validation, data["y_validation"]), np.finfo(np.float16).max)
        progress.validation_losses.append(losses.astype(np.float16))
        if val_nll < min(filter(np.isfinite, progress.history["val_nll"]), default=np.inf):
            progress.best_weights = network.model.get_weights()
        val_loss = val_nll + network.penalty()
        values = (loss, accuracy, val_loss, val_accuracy, train_nll, val_nll, train_accuracy)
        for curve, value in zip(CURVES, values, strict=True):
            progress.history[curve].append(value)
        yield epoch


def state(network: Network, progress: Progress) -> dict[str, Array]:
    """Return all that the next epoch follows from; no random numbers are in it: they follow from (seed, epoch)."""
    groups = {
        "weight": network.model.get_weights(),
        "optimizer": [variable.numpy() for variable in network.optimizer.variables],
        "best": progress.best_weights,
    }
    curves = {f"curve_{curve}": np.array(values, np.float64) for curve, values in progress.history.items()}
    curves["validation_losses"] = np.array(progress.validation_losses, np.float16)
    return curves | {
        f"{group}_{number:03}": value
        for group, values in groups.items()
        for number, value in enumerate(values)
    }


def restore(network: Network, arrays: Mapping[str, Array]) -> Progress:
    """Put the network into a `state`; return the progress that belongs to it."""

    def group(prefix: str) -> list[Array]:
        return [arrays[name] for name in sorted(arrays) if name.startswith(prefix)]

    network.model.set_weights(group("weight_"))
    for variable, value in zip(network.optimizer.variables, group("optimizer_"), strict=True):
        variable.assign(value)
    curves = {curve: arrays[f"curve_{curve}"].tolist() for curve in CURVES}
    return Progress(curves, group("best_"), list(arrays["validation_losses"]))


def predictions(network: Network, progress: Progress, data: Mapping[str, Array]) -> dict[str, Any]:
    """Predict with the final weights, and validation and test with the best ones, which stay in the network.

    Of the training images only the sums are kept: they are many, and no single one is looked at.
    """
    nll, accuracy = nll_and_accuracy(network.predict(data["x_train"]), data["y_train"])
    count = len(data["y_train"])
    final = {
        "final_train_nll": np.float64(nll * count),
        "final_train_correct": np.int64(round(accuracy * count)),
        "final_validation": network.predict(data["x_validation"]),
        "final_test": network.predict(data["x_test"]),
        "validation_losses": np.array(progress.validation_losses, np.float16),
    }
    if progress.best_weights:
        network.model.set_weights(progress.best_weights)
    best = {f"best_{split}": network.predict(data[f"x_{split}"]) for split in ("validation", "test")}
    return final | best
