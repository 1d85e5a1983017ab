"""Two networks of one's own, to start from: see docs/networks.md.

python flows/mnist_pipeline.py --models dense networks/example.py:wide networks/example.py:residual
"""

import keras
from keras import layers

DEFAULTS = {"wide": {"epochs": 30}, "residual": {"epochs": 15, "learning_rate": 0.0005}}


def wide(input_shape, classes):
    """One wide hidden layer, half of it dropped."""
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Flatten(),
            layers.Dense(512, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(classes, activation="softmax", dtype="float32"),
        ]
    )


class Residual(layers.Layer):
    """A layer of one's own: what comes in, plus what two convolutions make of it."""

    def __init__(self, filters, **settings):
        super().__init__(**settings)
        self.filters = filters
        self.first = layers.Conv2D(filters, 3, padding="same", activation="relu")
        self.second = layers.Conv2D(filters, 3, padding="same")

    def build(self, input_shape):
        self.first.build(input_shape)
        self.second.build(input_shape)

    def call(self, images):
        return keras.ops.relu(images + self.second(self.first(images)))


def residual(input_shape, classes):
    """Two residual blocks."""
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(16, 3, padding="same"),
            Residual(16),
            layers.MaxPooling2D(2),
            Residual(16),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(classes, activation="softmax", dtype="float32"),
        ]
    )
