"""The networks: the tutorial's, layer for layer, and able to learn."""

import ast
import inspect
from functools import partial

import numpy as np
import pytest

from tasks.training import networks
from tasks.training.networks import MODELS, scale

PARAMETERS = {
    "dense": 51_450,
    "cnn": 95_946,
    "regularized_cnn": 175_210,
    "deep_cnn": 175_210,
    "challenger": 136_106,
    "sprinter": 119_274,
}


@pytest.mark.parametrize("name", MODELS)
def test_parameters_and_output(name: str) -> None:
    """Each network has its number of parameters, and gives ten float32 probabilities for each image."""
    model = MODELS[name].build((28, 28, 1), 10)
    assert model.count_params() == PARAMETERS[name]
    probabilities = model(np.zeros((3, 28, 28, 1), np.float32)).numpy()
    assert probabilities.shape == (3, 10)
    assert probabilities.dtype == np.float32
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_other_images_and_classes(name: str) -> None:
    """Each network takes the images and classes of another data set, such as small colour pictures of 17."""
    assert MODELS[name].build((32, 32, 3), 17).output_shape == (None, 17)


@pytest.mark.parametrize("name", MODELS)
def test_builders_call_nothing_but_keras(name: str) -> None:
    """A builder's text says all about its network: it names nothing but Keras, its arguments, its own variables
    and what it imports from here, whose text is in the key, too."""
    (function,) = ast.parse(inspect.getsource(MODELS[name].build)).body
    assert isinstance(function, ast.FunctionDef)
    names = [node for line in function.body for node in ast.walk(line) if isinstance(node, ast.Name)]
    own = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    imports = [node for node in function.body if isinstance(node, ast.ImportFrom)]
    own |= {
        alias.name for node in imports if (node.module or "").startswith("tasks.") for alias in node.names
    }
    assert {node.id for node in names} - own <= {"keras", "layers", "regularizers", "input_shape", "classes"}


def test_relu_may_follow_pooling() -> None:
    """Pooling before ReLU is the same function as ReLU before pooling, and has the same gradients."""
    import tensorflow as tf

    values = tf.Variable(np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype(np.float32))
    pool = partial(tf.nn.max_pool2d, ksize=2, strides=2, padding="VALID")
    results = []
    for first, second in ((tf.nn.relu, pool), (pool, tf.nn.relu)):
        with tf.GradientTape() as tape:
            output = second(first(values))
            total = tf.reduce_sum(output**2)
        results.append((output.numpy(), tape.gradient(total, values).numpy()))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


def fit_few_images(name: str, epochs: int) -> dict[str, list[float]]:
    """Train on 64 random images with random labels; return Keras's history."""
    import keras

    keras.utils.set_random_seed(0)
    generator = np.random.default_rng(0)
    images = generator.random((64, 28, 28, 1), dtype=np.float32)
    labels = generator.integers(0, 10, 64)
    model = MODELS[name].build((28, 28, 1), 10)
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return dict(model.fit(images, labels, batch_size=64, epochs=epochs, verbose=0).history)


@pytest.mark.long
@pytest.mark.parametrize("name", ["dense", "cnn", "deep_cnn"])
def test_can_memorise(name: str) -> None:
    """A network that is free to memorise learns 64 random labels by heart."""
    assert fit_few_images(name, 300)["accuracy"][-1] > 0.95


@pytest.mark.parametrize("name", ["regularized_cnn", "challenger", "sprinter"])
def test_can_learn(name: str) -> None:
    """A network that is held back from memorising still lowers its loss on 64 images."""
    losses = fit_few_images(name, 40)["loss"]
    assert losses[-1] < 0.8 * losses[0]


def test_scale() -> None:
    """Pixels become float32: divided by 255 for "unit", unchanged for "none"; anything else is an error."""
    images = np.array([0, 51, 255], np.uint8).reshape(3, 1, 1, 1)
    assert scale(images, "unit").ravel().tolist() == np.float32([0, 0.2, 1]).tolist()
    assert scale(images, "none").ravel().tolist() == [0, 51, 255]
    assert scale(images, "unit").dtype == scale(images, "none").dtype == np.float32
    with pytest.raises(KeyError, match="half"):
        scale(images, "half")


def test_models_module_does_not_load_keras() -> None:
    """Keras is imported inside the builders, not with the module."""
    tree = ast.parse(inspect.getsource(networks))
    at_top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not any("keras" in ast.dump(node) for node in at_top)
