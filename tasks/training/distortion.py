"""An augmentation that Keras lacks: images turned, moved, stretched and bent at once.

Its statements are part of the key of the trainings whose network has this layer.
"""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf


@keras.saving.register_keras_serializable("mnist_pipeline")
class RandomDistortion(keras.layers.Layer):  # type: ignore[misc]
    """Distorts each image of a batch in another way in training, and leaves it as it is in prediction.

    Each pixel of the result is looked up at its place in the image, bilinearly and once: layers that turn, move
    and stretch one after the other blur an image each time. What lies outside is 0. Bending moves the places by a
    random field that a Gaussian smooths (Simard, Steinkraus & Platt 2003, "Best practices for convolutional neural
    networks applied to visual document analysis", section 2).

    Args:
        rotation: the largest angle, in turns.
        translation: the largest move, as a share of the image's side, down or up and to a side.
        stretching: the largest change of height and of width, each for itself, as a share.
        bending: the standard deviation of how far a place is moved to either side, as a share of the side.
        bends: the field has so many random numbers to a side; more of them bend shorter parts of a stroke.
    """

    def __init__(
        self,
        rotation: float,
        translation: float,
        stretching: float,
        bending: float,
        bends: int,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.limits = {
            "rotation": rotation,
            "translation": translation,
            "stretching": stretching,
            "bending": bending,
            "bends": bends,
        }
        self.generator = keras.random.SeedGenerator()

    def get_config(self) -> dict[str, Any]:
        """Return what makes the layer again."""
        return {**super().get_config(), **self.limits}

    def call(self, images: Any, training: bool | None = None) -> Any:
        """Return images (n, height, width, channels), in training distorted."""
        return self.distorted(images) if training else images

    def distorted(self, images: Any) -> Any:
        """Return the images, each looked up at places of its own."""
        count, (height, width) = tf.shape(images)[0], images.shape[1:3]
        names = ("rotation", "translation", "translation", "stretching", "stretching")
        limits = np.array([self.limits[name] for name in names], np.float32)
        random = keras.random.uniform((count, 5), -1, 1, seed=self.generator) * limits
        turns, down, across, taller, wider = tf.unstack(random[..., tf.newaxis, tf.newaxis], axis=1)
        y, x = np.ogrid[:height, :width]
        middle_y, middle_x = (height - 1) / 2, (width - 1) / 2
        y, x = (
            (1 + taller) * (y - middle_y).astype(np.float32),
            (1 + wider) * (x - middle_x).astype(np.float32),
        )
        cosine, sine = tf.cos(2 * np.pi * turns), tf.sin(2 * np.pi * turns)
        bends = int(self.limits["bends"])
        field = keras.random.normal(
            (count, 2, bends, bends), stddev=self.limits["bending"], seed=self.generator
        )
        bent = tf.einsum("yi,nkij,xj->knyx", smoothing(height, bends), field, smoothing(width, bends))
        rows = cosine * y - sine * x + height * (down + bent[0]) + middle_y
        columns = sine * y + cosine * x + width * (across + bent[1]) + middle_x
        return looked_up(images, rows, columns)


def smoothing(side: int, numbers: int) -> npt.NDArray[np.float32]:
    """Return a matrix (side, numbers) that makes a smooth line of random numbers and keeps their variance."""
    places = np.linspace(0, side - 1, numbers)
    distances = (np.arange(side)[:, np.newaxis] - places) / (places[1] - places[0])
    gaussian = np.exp(-0.5 * distances**2)
    matrix: npt.NDArray[np.float32] = gaussian / np.sqrt(np.sum(gaussian**2, axis=1, keepdims=True))
    return matrix.astype(np.float32)


def looked_up(images: Any, rows: Any, columns: Any) -> Any:
    """Return the values at fractional places (n, height, width) of images, bilinearly; 0 outside."""
    count, (height, width, channels) = tf.shape(images)[0], images.shape[1:]
    pixels = tf.reshape(tf.pad(images, [[0, 0], [1, 2], [1, 2], [0, 0]]), (-1, channels))
    rows, columns = tf.clip_by_value(rows + 1, 0, height + 1), tf.clip_by_value(columns + 1, 0, width + 1)
    top, left = tf.floor(rows), tf.floor(columns)
    below = width + 3  # so many pixels on lies the next row
    first = tf.range(count)[:, tf.newaxis, tf.newaxis] * (height + 3) * below
    corner = first + tf.cast(top, tf.int32) * below + tf.cast(left, tf.int32)
    one, two, three, four = (tf.gather(pixels, corner + step) for step in (0, 1, below, below + 1))
    down, across = (rows - top)[..., tf.newaxis], (columns - left)[..., tf.newaxis]
    upper, lower = one + across * (two - one), three + across * (four - three)
    return upper + down * (lower - upper)
