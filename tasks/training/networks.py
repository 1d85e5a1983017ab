"""The networks, one literal each, and the scaling of the pixels they are given.

The first three are the tutorial's, layer for layer; their parameters are counted for MNIST: 28 x 28 x 1, ten
classes. Two notes on how they are written:

* ReLU stands after the pooling. The maximum of a window and ReLU may change places (both only ever keep the
  larger value), so function and parameters are the same, and ReLU touches a quarter of the values.
* The output layer is float32 at every precision: probabilities rounded to bfloat16 corrupt the loss.

A builder calls nothing but Keras and what it imports from here, so these texts say all about its network: a
training is reused only while they are unchanged. Keras is imported inside the builders because the flow must not
load TensorFlow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import keras

Shape = tuple[int, ...]  # of an image: height, width, channels
Builder = Callable[[Shape, int], Any]  # from the shape of an image and the number of classes to a Keras model
Schedule = Literal["constant", "cosine"]


def scale(images: npt.NDArray[np.uint8], pixel_scaling: str) -> npt.NDArray[np.float32]:
    """Return the images as float32: divided by 255 for "unit", unchanged for "none"; others are a KeyError."""
    divisor = {"unit": 255, "none": 1}[pixel_scaling]
    return np.divide(images, divisor, dtype=np.float32)


def build_dense(input_shape: Shape, classes: int) -> "keras.Model":
    """Two hidden layers on the flattened image: 51,450 parameters."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(16, activation="relu"),
            layers.Dense(classes, activation="softmax", dtype="float32"),
        ],
        name="dense",
    )


def build_cnn(input_shape: Shape, classes: int) -> "keras.Model":
    """Two convolutions, not regularised: 95,946 parameters."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(64, 2, padding="same", kernel_initializer="glorot_normal"),
            layers.MaxPooling2D(2),
            layers.ReLU(),
            layers.Conv2D(128, 2, padding="same", kernel_initializer="glorot_normal"),
            layers.MaxPooling2D(2),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(classes, activation="softmax", dtype="float32"),
        ],
        name="cnn",
    )


def build_regularized_cnn(input_shape: Shape, classes: int) -> "keras.Model":
    """Four convolutions, each with an L2 penalty and dropout: 175,210 parameters."""
    import keras
    from keras import layers, regularizers

    l2 = regularizers.L2(0.01)
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(32, 2, padding="same", kernel_initializer="glorot_normal", kernel_regularizer=l2),
            layers.MaxPooling2D(2),
            layers.ReLU(),
            layers.Dropout(0.5),
            layers.Conv2D(64, 2, padding="same", kernel_initializer="glorot_normal", kernel_regularizer=l2),
            layers.MaxPooling2D(2),
            layers.ReLU(),
            layers.Dropout(0.5),
            layers.Conv2D(128, 2, padding="same", kernel_initializer="glorot_normal", kernel_regularizer=l2),
            layers.MaxPooling2D(2),
            layers.ReLU(),
            layers.Dropout(0.5),
            layers.Conv2D(256, 2, padding="same", kernel_initializer="glorot_normal", kernel_regularizer=l2),
            layers.MaxPooling2D(2),
            layers.ReLU(),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(classes, activation="softmax", kernel_regularizer=l2, dtype="float32"),
        ],
        name="regularized_cnn",
    )


def build_deep_cnn(input_shape: Shape, classes: int) -> "keras.Model":
    """The layers of regularized_cnn without dropout and L2: 175,210 parameters."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(32, 2, padding="same", kernel_initializer="glorot_normal"),
            layers.MaxPooling2D(2),
            layers.ReLU(),
            layers.Conv2D(64, 2, padding="same", kernel_initializer="glorot_normal"),
            layers.MaxPooling2D(2),
            layers.ReLU(),
            layers.Conv2D(128, 2, padding="same", kernel_initializer="glorot_normal"),
            layers.MaxPooling2D(2),
            layers.ReLU(),
            layers.Conv2D(256, 2, padding="same", kernel_initializer="glorot_normal"),
            layers.MaxPooling2D(2),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(classes, activation="softmax", dtype="float32"),
        ],
        name="deep_cnn",
    )


def build_challenger(input_shape: Shape, classes: int) -> "keras.Model":
    """The tutorial's closing challenge, 99 %: augmentation and batch normalisation, 136,106 parameters.

    The first layer distorts each training image a little, anew in each epoch; images stay as they are when the
    network predicts. What each part is worth is measured in docs/challenger.md.
    """
    import keras
    from keras import layers

    from tasks.training.distortion import RandomDistortion

    return keras.Sequential(
        [
            keras.Input(input_shape),
            RandomDistortion(
                rotation=0.03, translation=0.08, stretching=0.1, bending=0.053, bends=5, dtype="float32"
            ),
            layers.Conv2D(32, 5, use_bias=False),
            layers.MaxPooling2D(2),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(64, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(64, 3, use_bias=False),
            layers.MaxPooling2D(2),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(128, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(classes, activation="softmax", dtype="float32"),
        ],
        name="challenger",
    )


def build_sprinter(input_shape: Shape, classes: int) -> "keras.Model":
    """What one epoch takes to 99 % soonest: two convolutions on images without their rim, 119,274 parameters.

    MNIST's rim is empty. One epoch gains from moving the images, not from turning and stretching them as well.
    """
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Cropping2D(2),
            layers.RandomTranslation(0.08, 0.08, fill_mode="constant", dtype="float32"),
            layers.Conv2D(32, 5, use_bias=False),
            layers.MaxPooling2D(2),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(64, 3, use_bias=False),
            layers.MaxPooling2D(2),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(96, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dense(classes, activation="softmax", dtype="float32"),
        ],
        name="sprinter",
    )


@dataclass(frozen=True)
class Recipe:
    """One entry of the catalogue: how to build a network, how long to train it, and how.

    With the schedule "cosine" the learning rate falls along half a cosine from its value to 0 at the last step.
    If it averages weights, what is kept is the running mean of the weights (`tasks.training.averaging`).
    """

    build: Builder
    epochs: int
    compile_with_xla: bool = False
    learning_rate: float = 0.001
    learning_rate_schedule: Schedule = "constant"
    averages_weights: bool = False


# XLA turns the dense network's many small operations into few. It refuses the others under op determinism, because
# it has no deterministic gradient of max-pooling.
MODELS = {
    "dense": Recipe(build_dense, epochs=50, compile_with_xla=True),
    "sprinter": Recipe(build_sprinter, epochs=1, learning_rate=0.003, averages_weights=True),
    "cnn": Recipe(build_cnn, epochs=20),
    "regularized_cnn": Recipe(build_regularized_cnn, epochs=30),
    "deep_cnn": Recipe(build_deep_cnn, epochs=30),
    "challenger": Recipe(build_challenger, epochs=28, learning_rate=0.003, averages_weights=True),
}
