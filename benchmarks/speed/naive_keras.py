"""The tutorial's script, call for call: what the pipeline's speed is compared with.

    python -m benchmarks.speed.naive_keras [--models cnn] [--epochs 2] [--train-samples N]

Without flags it is the whole programme: 50 epochs of the dense network, 20 of the convolutional one, 30 of the
regularised one. Only a clock is added, and the last line on stdout, which says in JSON what it read.
"""

import time
from typing import Any

import keras
import numpy as np
from keras import layers, regularizers

from benchmarks.common import FITTED, mnist
from benchmarks.speed.peer import run_peer


def build(name: str) -> keras.Model:
    """Return the tutorial's network of this name, compiled as there."""
    model = keras.Sequential([keras.Input((28, 28, 1))])
    if name == "dense":
        model.add(layers.Flatten())
        model.add(layers.Dense(64, activation="relu"))
        model.add(layers.Dense(16, activation="relu"))
    usual = {"padding": "same", "activation": "relu", "kernel_initializer": "glorot_normal"}
    l2 = regularizers.L2(0.01) if name == "regularized_cnn" else None
    for filters in {"dense": (), "cnn": (64, 128), "regularized_cnn": (32, 64, 128, 256)}[name]:
        model.add(layers.Conv2D(filters, 2, kernel_regularizer=l2, **usual))
        model.add(layers.MaxPooling2D(2))
        if l2:
            model.add(layers.Dropout(0.5))
    if name != "dense":
        model.add(layers.Flatten())
    model.add(layers.Dense(10, activation="softmax", kernel_regularizer=l2))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def floating_point_operations(model: keras.Model) -> int:
    """Return the multiplications and additions of one training step for one image.

    Twice the weights at each output position, forward and for both gradients; the images need no gradient.
    """
    operations = []
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            positions = int(np.prod(layer.output.shape[1:-1])) if layer.kernel.ndim == 4 else 1
            operations.append(2 * int(np.prod(layer.kernel.shape)) * positions)
    return 3 * sum(operations) - operations[0]


def train(name: str, epochs: int, train_samples: int, precision: str) -> dict[str, Any]:
    """Train and evaluate one network, in float32 whatever `precision` says."""
    with np.load(mnist()) as data:
        x_train, y_train, x_test, y_test = (data[k] for k in ("x_train", "y_train", "x_test", "y_test"))
    chosen = np.r_[:train_samples, FITTED : len(x_train)]  # the validation images stay the last ones
    x_train = x_train[chosen].reshape(-1, 28, 28, 1) / np.float32(255)
    x_test = x_test.reshape(-1, 28, 28, 1) / np.float32(255)
    model, moments = build(name), [time.monotonic()]
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: moments.append(time.monotonic()))
    model.fit(
        x_train,
        y_train[chosen],
        batch_size=128,
        epochs=epochs,
        validation_split=6000 / len(x_train),
        verbose=2,
        callbacks=[clock],
    )
    _, accuracy = model.evaluate(x_test, y_test, verbose=2)
    return {
        "epoch_seconds": np.diff(moments).tolist(),
        "test_accuracy": accuracy,
        "floating_point_operations_per_image": floating_point_operations(model),
        "version": keras.__version__,
    }


if __name__ == "__main__":
    run_peer(train)
