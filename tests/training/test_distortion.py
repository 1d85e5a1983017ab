"""The augmentation of the challenger: places are looked up rightly, and each limit changes the images."""

from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from tasks.training.distortion import RandomDistortion, looked_up, smoothing

Array = npt.NDArray[np.float32]
LIMITS = {"rotation": 0.03, "translation": 0.08, "stretching": 0.1, "bending": 0.053}
BENDS = 5


def images(count: int = 3, height: int = 12, width: int = 9, channels: int = 2) -> Array:
    """Return images of noise, not square and with colours."""
    return np.random.default_rng(0).random((count, height, width, channels), np.float32)


def only(**limits: float) -> RandomDistortion:
    """Return the layer that does but what is named."""
    return RandomDistortion(**{name: limits.get(name, 0.0) for name in LIMITS}, bends=BENDS)


def test_places_are_looked_up_as_scipy_does() -> None:
    """Values between pixels are bilinear, and 0 outside, image by image and channel by channel."""
    given = images()
    rows, columns = np.random.default_rng(1).uniform(-4, 16, (2, *given.shape[:3])).astype(np.float32)
    found = looked_up(given, rows, columns).numpy()
    for image in range(3):
        for channel in range(2):
            places = [rows[image], columns[image]]
            expected = ndimage.map_coordinates(
                given[image, ..., channel], places, order=1, mode="grid-constant"
            )
            np.testing.assert_allclose(found[image, ..., channel], expected, atol=1e-5)


def test_nothing_happens_in_prediction_or_without_limits() -> None:
    """A prediction sees the images as they are; so does training where all limits are 0."""
    given = images()
    np.testing.assert_array_equal(RandomDistortion(**LIMITS, bends=BENDS)(given), given)
    np.testing.assert_allclose(only()(given, training=True), given, atol=1e-5)


@pytest.mark.parametrize("name", LIMITS)
def test_each_limit_changes_each_image_in_another_way(name: str) -> None:
    """With one limit alone the images change, no two alike, and in the next step in another way."""
    layer, given = only(**{name: 0.1}), np.repeat(images(1), 3, axis=0)
    first, second = (layer(given, training=True).numpy() for _ in range(2))
    for one, other in (
        (first[0], given[0]),
        (first[0], first[1]),
        (first[1], first[2]),
        (first[0], second[0]),
    ):
        assert np.abs(one - other).max() > 0.01


def test_translation_stays_within_its_limit() -> None:
    """A dot in the middle comes out not farther off than the limit says, and nearly as far in some image."""
    given = np.zeros((400, 41, 41, 1), np.float32)
    given[:, 20, 20] = 1
    moved = only(translation=0.25)(given, training=True).numpy()[..., 0]
    centres = np.array([ndimage.center_of_mass(image) for image in moved]) - 20
    assert 9 < np.abs(centres).max() < 0.25 * 41 + 0.01


def test_smoothing_keeps_the_variance() -> None:
    """Each place of a line through random numbers has their variance, whatever the side."""
    for side, numbers in ((28, 4), (9, 7)):
        np.testing.assert_allclose(np.sum(smoothing(side, numbers) ** 2, axis=1), 1, rtol=1e-5)


def test_the_state_says_all() -> None:
    """The same state of the random numbers gives the same images, so a training that goes on meets the same."""
    layer, given = RandomDistortion(**LIMITS, bends=BENDS), images()
    results = []
    for _ in range(2):
        layer.generator.state.assign(np.array([3, 4], np.uint32))
        results.append(layer(given, training=True).numpy())
    np.testing.assert_array_equal(*results)


def test_kept_and_loaded(tmp_path: Path) -> None:
    """A model with the layer is loaded with all that it was made with."""
    model = keras.Sequential(
        [keras.Input((12, 9, 2)), RandomDistortion(**LIMITS, bends=BENDS, dtype="float32")]
    )
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True).layers[0]
    assert loaded.get_config() == model.layers[0].get_config()
