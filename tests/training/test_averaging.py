"""A training that averages its weights, checked against the plain one and against Keras."""

from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from specified import specified

from tasks.training.averaging import MOMENTUM, AveragingNetwork, normalized, specified_network
from tasks.training.loop import Network, Progress, state
from tasks.training.networks import MODELS, scale
from tasks.training.specification import AVERAGING

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 28, 28, 1), np.uint8)
LABELS = np.random.default_rng(1).integers(0, 10, 40).astype(np.int32)
BATCHES = np.arange(40, dtype=np.int32).reshape(5, 8)


def network_of(model: str, averages_weights: bool, epochs: int = 50) -> Network:
    """The network, whose weights are averaged or not, to be trained on 40 images, a step an epoch."""
    specification = replace(specified(model, seed=3, epochs=epochs), xla=False)
    code = {AVERAGING: "digest"} if averages_weights else {}
    build = partial(MODELS[model].build, (28, 28, 1), 10)
    return specified_network(build, replace(specification, code=code), len(LABELS))


def take_steps(network: Network, batches: Any) -> None:
    """Train on these batches of the images."""
    network.seed_layers(epoch=1)
    network.train(tf.constant(scale(IMAGES, "unit")), tf.constant(LABELS), batches)


@pytest.mark.parametrize(("epochs", "steps_per_point"), [(50, 1), (150, 3), (2000, 4)])
def test_the_model_holds_the_moving_average(epochs: int, steps_per_point: int) -> None:
    """The weights that training moves are the plain training's; the model holds their mean, by the formula.

    A training of few steps takes the mean of at least 50 points; at the latest each call ends with a point.
    """
    plain, averaging = network_of("dense", False), network_of("dense", True, epochs)
    assert not isinstance(plain, AveragingNetwork)
    take_steps(averaging, BATCHES[:4])
    take_steps(averaging, BATCHES[4:])
    expected, steps = plain.model.get_weights(), 0
    for call in (BATCHES[:4], BATCHES[4:]):
        for start in range(0, len(call), steps_per_point):
            batches = call[start : start + steps_per_point]
            take_steps(plain, batches)
            steps += len(batches)
            share = min(MOMENTUM, (1 + steps) / (10 + steps)) ** len(batches)
            moved = plain.model.get_weights()
            expected = [share * old + (1 - share) * new for old, new in zip(expected, moved, strict=True)]
    moving = [variable.numpy() for variable in averaging.optimizer.variables if "moving" in variable.path]
    for found, wanted in ((averaging.model.get_weights(), expected), (moving, moved)):
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)


def test_what_is_kept_and_predicted_is_the_average() -> None:
    """The state's weights, from which page and recognition answer, are those that predict, not the moving ones."""
    network = network_of("challenger", True)
    take_steps(network, BATCHES)
    predicted = network.predict(IMAGES)
    kept = [values for name, values in state(network, Progress()).items() if name.startswith("weight_")]
    other = MODELS["challenger"].build((28, 28, 1), 10)
    other.set_weights(kept)
    np.testing.assert_allclose(
        np.exp(predicted), other(scale(IMAGES, "unit"), training=False), rtol=1e-3, atol=1e-5
    )


def test_statistics_are_those_of_the_averages() -> None:
    """Batch normalisation gets mean and variance of what the averaged weights before it give for the images."""
    network = network_of("challenger", True)
    take_steps(network, BATCHES)
    network.predict(IMAGES[:1])
    values = scale(IMAGES, "unit")
    for layer in network.model.layers[:-1]:
        if isinstance(layer, keras.layers.BatchNormalization):
            mean, variance = tf.nn.moments(values, axes=[0, 1, 2])
            # The operation divides by n - 1, where n is 160 in the last layer; the differences add up.
            np.testing.assert_allclose(layer.moving_mean, mean, rtol=0.02, atol=2e-3)
            np.testing.assert_allclose(layer.moving_variance, variance, rtol=0.02, atol=2e-3)
        values = layer(values, training=False)


def test_predicting_changes_nothing() -> None:
    """A second prediction, and one after which training goes on, leave weights and statistics as they are."""
    network = network_of("challenger", True)
    take_steps(network, BATCHES)
    first = network.predict(IMAGES)
    before = state(network, Progress())
    np.testing.assert_array_equal(network.predict(IMAGES), first)
    after = state(network, Progress())
    for name, values in before.items():
        np.testing.assert_array_equal(after[name], values, err_msg=name)


@pytest.mark.parametrize("settings", [{}, {"center": False}, {"scale": False}])
def test_normalized_vectors(settings: dict[str, bool]) -> None:
    """What is no image, or has no scale or offset, is normalised as Keras does it, too."""
    values = tf.constant(np.random.default_rng(0).normal(3, 2, (16, 4)), tf.float32)
    layer = keras.layers.BatchNormalization(**settings)
    expected = layer(values, training=True)
    result, mean, variance = normalized(values, layer)
    np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(mean, np.mean(values, axis=0), rtol=1e-4)
    np.testing.assert_allclose(variance, np.var(values, axis=0), rtol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_normalized_is_kerass(dtype: str) -> None:
    """The fused operation gives what Keras's layer gives in training, and the same gradients."""
    layer = keras.layers.BatchNormalization(dtype=dtype)
    exact = dtype == "float32"
    values = tf.constant(np.random.default_rng(0).normal(3, 2, (16, 5, 5, 4)), tf.float32)
    if not exact:
        values = tf.cast(values, tf.bfloat16)
    layer.build(values.shape)
    layer.gamma.assign([1.0, 2.0, 0.5, 1.5])
    layer.beta.assign([0.0, 1.0, -1.0, 0.5])
    towards = tf.cast(np.random.default_rng(1).normal(size=values.shape), values.dtype)
    found = []
    for function in (lambda x: layer(x, training=True), lambda x: normalized(x, layer)[0]):
        with tf.GradientTape() as tape:
            tape.watch(values)
            result = function(values)
        gradients = tape.gradient(result, [values, layer.gamma.value, layer.beta.value], towards)
        found.append([np.asarray(tf.cast(each, tf.float32)) for each in (result, *gradients)])
    for kerass, ours in zip(*found, strict=True):
        np.testing.assert_allclose(ours, kerass, rtol=1e-3 if exact else 0.05, atol=1e-4 if exact else 0.2)
