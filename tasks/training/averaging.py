"""A network whose weights are the running mean of those that training moves.

Its statements are part of the key of the trainings that use it, as those of the loop are of all.
"""

import math
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tasks.training.loop import Array, Network, drop_half
from tasks.training.specification import Specification

MOMENTUM = 0.999  # the mean reaches back about 1,000 steps
POINTS = 50  # at least so many go into a mean: at the end of a short training it reaches back five of them
IMAGES_FOR_STATISTICS = 2000
# AutoGraph takes seconds to rewrite loops and conditions for tensors; those of the layers need none of that.
as_it_stands = tf.autograph.experimental.do_not_convert


def specified_network(
    build: Callable[[], keras.Model], specification: Specification, image_count: int
) -> Network:
    """Return the network, to be trained as `specification` says on `image_count` images an epoch."""
    kind = AveragingNetwork if specification.averages_weights else Network
    return kind(build, specification, image_count)


class AveragingNetwork(Network):
    """A network that learns with moving weights and answers with their exponential moving average.

    Between two calls of `train` the model holds the averages, so whatever is predicted, kept or drawn is theirs;
    the moving weights wait among the optimizer's variables, so a training that goes on finds both. Statistics of
    batch normalisation belong to the weights they were measured with, so those of the averages are measured when
    a prediction needs them (Izmailov et al. 2018, "Averaging weights leads to wider optima", section 3.2).
    """

    def __init__(
        self, build: Callable[[], keras.Model], specification: Specification, image_count: int
    ) -> None:
        """Build the network, to be trained as `specification` says on `image_count` images an epoch."""
        self._images: Any = None  # those of the last steps, until the statistics are the averages'
        steps = specification.epochs * math.ceil(image_count / specification.batch_size)
        self._steps_per_point = max(1, steps // POINTS)
        super().__init__(build, specification, image_count)

    def _train_function(self, logits: Callable[..., Any], xla: bool) -> Callable[..., tuple[Any, Any]]:
        """Return a function that takes steps with the moving weights and then brings the averages up to date."""
        take_steps = super()._train_function(as_it_stands(self._training_logits), xla)
        averages = self.model.trainable_variables
        moving = [self.optimizer.add_variable_from_reference(average, "moving") for average in averages]
        for weight, average in zip(moving, averages, strict=True):
            weight.assign(average)
        signature = (
            tf.TensorSpec((None, *self.model.input_shape[1:]), tf.float32),
            tf.TensorSpec((None,), tf.int32),
            tf.TensorSpec((None, None), tf.int32),
        )

        # One graph for all shapes: TensorFlow takes seconds for each one that it makes.
        @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
        def train(images: Any, labels: Any, batches: Any) -> tuple[Any, Any]:
            """Take one step for each row of image numbers; return sums over images: loss, correct answers."""
            before = [tf.identity(average) for average in averages]
            for weight, average in zip(moving, averages, strict=True):
                average.assign(weight)
            sums = take_steps(images, labels, batches)
            steps = tf.cast(self.optimizer.iterations, tf.float32)
            # The first steps count for less and less from the start, as in TensorFlow's ExponentialMovingAverage.
            momentum = tf.minimum(MOMENTUM, (1 + steps) / (10 + steps))
            share = momentum ** tf.cast(tf.shape(batches)[0], tf.float32)
            for weight, average, old in zip(moving, averages, before, strict=True):
                weight.assign(average)
                average.assign(share * old + (1 - share) * average)
            return sums

        def train_from_point_to_point(images: Any, labels: Any, batches: Any) -> tuple[Any, Any]:
            self._images = images[:IMAGES_FOR_STATISTICS]
            starts = range(0, len(batches), self._steps_per_point)
            sums = [train(images, labels, batches[start : start + self._steps_per_point]) for start in starts]
            loss_sums, correct = zip(*sums, strict=True)
            return sum(loss_sums), sum(correct)

        return train_from_point_to_point

    def _predict_function(self, logits: Callable[..., Any], pixel_scaling: str) -> Callable[[Array], Array]:
        predict_as_is = super()._predict_function(as_it_stands(logits), pixel_scaling)
        measure = tf.function(self._measure_statistics, autograph=False)

        def predict(images: Array) -> Array:
            """Return float32 log-probabilities (n, classes) of uint8 images; dropout is off."""
            if self._images is not None:
                measure(self._images)
                self._images = None
            return predict_as_is(images)

        return predict

    def _training_logits(self, images: Any, training: bool) -> Any:
        """Return the values before softmax in training: what the layers give, with quicker kernels for some."""
        *hidden, output = self.model.layers
        values = images
        for layer in hidden:
            if isinstance(layer, keras.layers.BatchNormalization):
                values, _, _ = normalized(values, layer)
            elif isinstance(layer, keras.layers.Dropout) and layer.rate == 0.5:
                values = drop_half(values, layer.seed_generator.next())
            else:
                values = layer(values, training=training)
        return tf.matmul(tf.cast(values, tf.float32), output.kernel) + output.bias

    def _measure_statistics(self, images: Any) -> None:
        """Give batch normalisation the means and variances of these images, which are not augmented."""
        values = images
        for layer in self.model.layers[:-1]:
            if isinstance(layer, keras.layers.BatchNormalization):
                values, mean, variance = normalized(values, layer)
                layer.moving_mean.assign(mean)
                layer.moving_variance.assign(variance)
            else:
                values = layer(values, training=False)


def normalized(values: Any, layer: keras.layers.BatchNormalization) -> tuple[Any, Any, Any]:
    """Return what the layer gives in training, and the mean and variance of each channel.

    TensorFlow's fused operation does in one pass what Keras puts together from many; it takes images alone.
    """
    if len(values.shape) == 4 and layer.center and layer.scale:
        gamma, beta = tf.convert_to_tensor(layer.gamma), tf.convert_to_tensor(layer.beta)
        return tf.compat.v1.nn.fused_batch_norm(values, gamma, beta, epsilon=layer.epsilon)  # type: ignore[no-any-return]
    exact = tf.cast(values, tf.float32)
    mean, variance = tf.nn.moments(exact, list(range(len(values.shape) - 1)))
    offset, scale = layer.beta if layer.center else None, layer.gamma if layer.scale else None
    result = tf.nn.batch_normalization(exact, mean, variance, offset, scale, layer.epsilon)
    return tf.cast(result, values.dtype), mean, variance
