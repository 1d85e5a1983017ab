"""A network that can be trained and asked for predictions. TensorFlow: for the training process only."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.training.networks import MODELS, scale

Array = npt.NDArray[Any]
STEPS_PER_CALL = 32  # often enough to show progress, seldom enough to cost nothing
IMAGES_PER_PREDICTION = 1000


class Network:
    """A model with its optimizer, and the two things one does with them: train on batches, predict."""

    def __init__(self, spec: dict[str, Any], image_count: int) -> None:
        """Build the network that `spec` describes, to be trained on `image_count` images an epoch."""
        import keras
        import tensorflow as tf

        keras.utils.set_random_seed(spec["seed"])
        keras.config.set_dtype_policy(spec["precision"])
        self.model: keras.Model = MODELS[spec["model"]].build()
        self.optimizer = keras.optimizers.Adam(learning_rate(spec, image_count))
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

        self.train = self._train_function(logits, xla=spec["xla"])
        self.predict = self._predict_function(logits, spec["pixel_scaling"])

    def _train_function(self, logits: Callable[..., Any], xla: bool) -> Callable[..., tuple[Any, Any]]:
        """Return a function that takes many steps in one call: a call costs more than a step of dense."""
        import tensorflow as tf

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
        import tensorflow as tf

        log_probabilities = tf.function(
            lambda images: tf.nn.log_softmax(logits(images, training=False)), reduce_retracing=True
        )

        def predict(images: Array) -> Array:
            """Return float32 log-probabilities (n, 10) of uint8 images (n, 28, 28, 1); dropout is off."""
            starts = range(0, len(images), IMAGES_PER_PREDICTION)
            parts = [images[start : start + IMAGES_PER_PREDICTION] for start in starts]
            return np.concatenate([log_probabilities(scale(part, pixel_scaling)).numpy() for part in parts])

        return predict

    def penalty(self) -> float:
        """Return the L2 penalty at the present weights, 0 if the network has none."""
        return float(sum(self.model.losses))

    def seed_layers(self, seed: int, epoch: int) -> None:
        """Set the state of each layer's random numbers from (seed, epoch, layer)."""
        for number, layer in enumerate(self.model.layers):
            # Dropout has the one attribute, the layers that change images have the other.
            source = getattr(layer, "seed_generator", None) or getattr(layer, "generator", None)
            if source:
                generator = np.random.default_rng([seed, epoch, number])
                source.state.assign(generator.integers(2**32, size=2, dtype=np.uint32))


def learning_rate(spec: dict[str, Any], image_count: int) -> Any:
    """Return what Adam is given: a number, or Keras's schedule of one for each step of the training.

    The step's number is one of the optimizer's variables, so a training that goes on goes on in its schedule.
    """
    import keras

    if spec["learning_rate_schedule"] == "constant":
        return spec["learning_rate"]
    steps = spec["epochs"] * math.ceil(image_count / spec["batch_size"])
    return keras.optimizers.schedules.CosineDecay(spec["learning_rate"], steps)


def drop_half(values: Any, seed: Any) -> Any:
    """Set half of the values to 0, chosen at random, and double the others: what Keras's Dropout(0.5) does.

    Keras draws 32 random bits for each value and compares; for one half, one bit is enough. `seed` is a pair
    of integers, as a Keras seed generator gives it.
    """
    import tensorflow as tf

    count = tf.size(values)
    words = tf.random.stateless_uniform(
        [(count + 31) // 32, 1], seed, minval=None, maxval=None, dtype=tf.int32
    )
    bits = tf.bitwise.bitwise_and(tf.bitwise.right_shift(words, tf.range(32)), 1)
    twice_or_not = tf.cast(2 * tf.reshape(bits, [-1])[:count], values.dtype)
    return values * tf.reshape(twice_or_not, tf.shape(values))


def nll_and_accuracy(log_probabilities: Array, labels: Array) -> tuple[float, float]:
    """Return the mean negative log-likelihood in nats and the share of right answers; NaN is no right one."""
    chosen = log_probabilities[np.arange(len(labels)), labels]
    right = (log_probabilities.argmax(1) == labels) & np.isfinite(log_probabilities.max(1))
    return -float(np.mean(chosen, dtype=np.float64)), float(np.mean(right))


def batches_of_epoch(count: int, batch_size: int, seed: int, epoch: int) -> Iterator[Array]:
    """Yield all image numbers in the order of (seed, epoch), as arrays (steps, batch size) int32."""
    order = np.random.default_rng([seed, epoch]).permutation(count).astype(np.int32)
    full = count // batch_size * batch_size
    if full:
        yield order[:full].reshape(-1, batch_size)
    if full < count:
        yield order[full:].reshape(1, -1)


def train_epoch(
    network: Network,
    images: Any,
    labels: Any,
    spec: dict[str, Any],
    epoch: int,
    report: Callable[[float], None],
) -> tuple[float, float]:
    """Train one epoch; return Keras's `loss` (with penalty) and `accuracy`, means while the weights move."""
    count = len(labels)
    network.seed_layers(spec["seed"], epoch)
    loss_sum = correct = seen = 0.0
    for batches in batches_of_epoch(count, spec["batch_size"], spec["seed"], epoch):
        # XLA compiles anew for each shape, so it gets the whole epoch at once.
        steps = len(batches) if spec["xla"] else STEPS_PER_CALL
        for start in range(0, len(batches), steps):
            part = batches[start : start + steps]
            sums = network.train(images, labels, part)
            loss_sum, correct, seen = loss_sum + float(sums[0]), correct + float(sums[1]), seen + part.size
            report(seen / count)
    return loss_sum / count, correct / count
