"""What a training computes, checked by hand and against Keras."""

from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from specified import specified

from tasks.training.averaging import specified_network
from tasks.training.loop import (
    CURVES,
    Network,
    Progress,
    batches_of_epoch,
    drop_half,
    fit,
    learning_rate,
    nll_and_accuracy,
    restore,
    state,
    train_epoch,
)
from tasks.training.networks import MODELS, scale
from tasks.training.specification import Specification


def small(model: str = "dense", **changed: Any) -> Specification:
    """What to train: a network in two epochs of three batches."""
    settings = {"batch_size": 16, "epochs": 2, "xla": False, **changed}
    return replace(specified(model, seed=3), **settings)


def network_of(specification: Specification) -> Network:
    """The network that is specified, to be trained on 40 images."""
    build = partial(MODELS[specification.model].build, (28, 28, 1), 10)
    return specified_network(build, specification, 40)


def test_nll_and_accuracy() -> None:
    """By hand: probabilities 1/2 and 1/4 of the true class are ln 2 and ln 4; one of two answers is right."""
    probabilities = np.array([[0.5, 0.3, 0.2], [0.25, 0.7, 0.05]])
    nll, accuracy = nll_and_accuracy(np.log(probabilities), np.array([0, 0]))
    assert nll == pytest.approx((np.log(2) + np.log(4)) / 2)
    assert accuracy == 0.5


def test_an_answer_that_is_no_number_is_wrong() -> None:
    """A network whose loss broke recognises nothing, not even the class that `argmax` names."""
    nll, accuracy = nll_and_accuracy(np.full((4, 10), np.nan), np.array([0, 0, 1, 2]))
    assert np.isnan(nll)
    assert accuracy == 0.0


def test_batches_of_epoch() -> None:
    """Each image comes once; order depends on seed and epoch alone; the last batch has what is left."""
    batches = list(batches_of_epoch(10, 4, seed=1, epoch=2))
    assert [part.shape for part in batches] == [(2, 4), (1, 2)]
    order = np.concatenate([part.ravel() for part in batches])
    assert sorted(order.tolist()) == list(range(10))
    again = np.concatenate([part.ravel() for part in batches_of_epoch(10, 5, seed=1, epoch=2)])
    np.testing.assert_array_equal(order, again)
    for seed, epoch in ((1, 3), (2, 2)):
        other = np.concatenate([part.ravel() for part in batches_of_epoch(10, 4, seed, epoch)])
        assert order.tolist() != other.tolist()


def test_fewer_images_than_a_batch() -> None:
    """A training set smaller than a batch is one batch."""
    assert [part.shape for part in batches_of_epoch(3, 128, 0, 1)] == [(1, 3)]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_drop_half(dtype: str) -> None:
    """Each value becomes 0 or twice itself, half of them each; neighbours, channels and seeds are independent."""
    values = tf.ones((50, 14, 14, 32), dtype)
    first, again, second = (
        tf.cast(drop_half(values, seed), "float32").numpy() for seed in ((1, 2), (1, 2), (1, 3))
    )
    np.testing.assert_array_equal(first, again)
    assert set(np.unique(first)) == {0, 2}
    assert first.mean() == pytest.approx(1, abs=0.01)  # 6 standard errors
    np.testing.assert_allclose(first.mean(axis=(0, 1, 2)), 1, atol=0.06)  # each channel
    for other in (second, np.roll(first, 1, axis=-1), np.roll(first, 1, axis=0)):
        assert (first == other).mean() == pytest.approx(0.5, abs=0.006)


def test_drop_half_of_few_values() -> None:
    """The number of values need not be a multiple of the bits in a word."""
    assert set(drop_half(tf.ones((3, 5)), (0, 0)).numpy().ravel()) <= {0, 2}


def test_augmentation_follows_seed_and_epoch() -> None:
    """The challenger's images are changed in training: alike for the same (seed, epoch), else differently."""
    network = network_of(small("challenger"))
    [augmenting] = [layer for layer in network.model.layers if hasattr(layer, "generator")]
    images = scale(np.random.default_rng(0).integers(0, 256, (8, 28, 28, 1), np.uint8), "unit")

    def augmented(seed: int, epoch: int) -> Any:
        network.specification = small("challenger", seed=seed)
        network.seed_layers(epoch)
        return np.asarray(augmenting(images, training=True))

    first, again, other_epoch, other_seed = (augmented(*pair) for pair in ((1, 2), (1, 2), (1, 3), (2, 2)))
    np.testing.assert_array_equal(first, again)
    for other in (other_epoch, other_seed, images):
        assert np.abs(first - other).max() > 0.1


def test_learning_rate() -> None:
    """A constant rate is a number; "cosine" starts at it, is at half of it half-way, and 0 at the last step."""
    assert learning_rate(small(), 40) == 0.001
    schedule = learning_rate(small(learning_rate_schedule="cosine", epochs=4), 40)
    # 40 images in batches of 16 are 3 steps an epoch, 12 in all
    rates = [float(schedule(step)) for step in (0, 3, 6, 12)]
    assert rates == pytest.approx([0.001, 0.001 * (1 + 0.5**0.5) / 2, 0.0005, 0], abs=1e-9)


@pytest.fixture
def data() -> tuple[Any, Any]:
    """40 random images and labels."""
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (40, 28, 28, 1), np.uint8), generator.integers(0, 10, 40)


@pytest.mark.parametrize("model", ["dense", "regularized_cnn", "challenger"])
def test_predictions_are_the_models(model: str, data: tuple[Any, Any]) -> None:
    """Log-probabilities are the logarithm of what the model itself gives, with dropout off."""
    network = network_of(small(model))
    images, _ = data
    expected = network.model(scale(images, "unit"), training=False).numpy()
    predicted = network.predict(images)
    assert predicted.dtype == np.float32
    assert predicted.shape == (40, 10)
    np.testing.assert_allclose(np.exp(predicted), expected, rtol=1e-4, atol=1e-6)


def test_log_probabilities_stay_finite(data: tuple[Any, Any]) -> None:
    """A probability too small for float32 still has a finite logarithm."""
    network = network_of(small(pixel_scaling="none"))
    network.model.set_weights([100 * weights for weights in network.model.get_weights()])
    predicted = network.predict(data[0])
    assert predicted.min() < -200  # exp of it is 0 in float32
    assert np.isfinite(predicted).all()


def train_an_epoch(
    specification: Specification, data: tuple[Any, Any]
) -> tuple[Network, tuple[float, float]]:
    """Train a new network for one epoch; return it with the epoch's loss and accuracy."""
    network = network_of(specification)
    images, labels = data
    inputs = tf.constant(scale(images, "unit")), tf.constant(labels.astype(np.int32))
    return network, train_epoch(network, *inputs, 1, lambda fraction: None)


def keras_epoch(specification: Specification, data: tuple[Any, Any]) -> tuple[Any, tuple[float, float]]:
    """The same epoch by Keras's own `fit`, on the same batches."""
    model = network_of(specification).model
    model.compile(
        keras.optimizers.Adam(specification.learning_rate),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    images, labels = data
    parts = list(batches_of_epoch(len(labels), specification.batch_size, specification.seed, 1))
    order = np.concatenate([part.ravel() for part in parts])
    history = model.fit(
        scale(images[order], "unit"), labels[order], specification.batch_size, 1, verbose=0, shuffle=False
    ).history
    return model, (history["loss"][0], history["accuracy"][0])


@pytest.mark.parametrize("specification", [small(), small("cnn"), small(xla=True)])
def test_an_epoch_is_kerass(specification: Specification, data: tuple[Any, Any]) -> None:
    """Our loop reaches the weights, loss and accuracy that Keras's `fit` reaches on the same batches."""
    network, (loss, accuracy) = train_an_epoch(specification, data)
    model, (expected_loss, expected_accuracy) = keras_epoch(specification, data)
    assert loss == pytest.approx(expected_loss, rel=1e-4)
    assert accuracy == pytest.approx(expected_accuracy)
    for ours, kerass in zip(network.model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, kerass, atol=1e-4)


def test_loss_contains_the_penalty(data: tuple[Any, Any]) -> None:
    """Keras's `loss` is the mean NLL plus the L2 penalty; the penalty is 0.01 times the squared kernels."""
    network = network_of(small("regularized_cnn"))
    kernels = [weights for weights in network.model.get_weights() if weights.ndim > 1]
    expected = 0.01 * sum(float((kernel.astype(np.float64) ** 2).sum()) for kernel in kernels)
    assert network.penalty() == pytest.approx(expected, rel=1e-5)
    assert network_of(small()).penalty() == 0


@pytest.mark.parametrize("model", ["regularized_cnn", "challenger"])
def test_the_same_epoch_twice(model: str, data: tuple[Any, Any]) -> None:
    """Dropout, augmentation and order come from (seed, epoch): the same epoch gives the same weights."""
    first, second = (train_an_epoch(small(model), data)[0].model.get_weights() for _ in range(2))
    other = train_an_epoch(small(model, seed=4), data)[0].model.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("model", ["regularized_cnn", "challenger"])
def test_a_restored_training_goes_on_with_the_same_bits(model: str, data: tuple[Any, Any]) -> None:
    """Another network that is put into the state after one epoch does the second one as the first network does."""
    images, labels = data
    arrays = {"train_sample": np.arange(8), "x_train": images, "y_train": labels}
    arrays |= {"x_validation": images, "y_validation": labels}
    specification = small(model)
    network, progress = network_of(specification), Progress()
    epochs = fit(network, progress, arrays, lambda fraction: None)
    assert next(epochs) == 1
    after_one = state(network, progress)
    assert list(epochs) == [2]

    other = network_of(specification)
    restored = restore(other, after_one)
    assert restored.epochs_done == 1
    assert list(fit(other, restored, arrays, lambda fraction: None)) == [2]
    expected, found = state(network, progress), state(other, restored)
    assert expected.keys() == found.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


@pytest.mark.parametrize("curve", ["loss", "val_nll"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_diverged(curve: str, value: float) -> None:
    """A training whose last loss is not finite has diverged, and is trained no further."""
    progress = Progress({name: [1.0] for name in CURVES})
    assert not progress.diverged
    progress.history[curve][-1] = value
    assert progress.diverged
