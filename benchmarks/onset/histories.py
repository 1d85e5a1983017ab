"""Make the real histories on which the onset rule is tuned and tested: the dense network, seeds, settings.

    python -m benchmarks.onset.histories [SETTING ...]

Trains by the pipeline's own loop and writes artifacts/onset_histories/SETTING.npz: the NLL of validation, of a
training sample of the same size and of other images that were not fitted, each (seeds, epochs), and the loss of
each validation image, float16 (seeds, epochs, images). TUNING: the settings of onset_histories.npz in
tests/evaluation/histories, of which eight seeds were trained at a time by a function of their own. FRESH: settings
that chose nothing, on which the frozen rule was measured, by default. Half an hour on two cores.
"""

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers, regularizers

from benchmarks.common import FITTED, PROJECT, run
from benchmarks.training import new_network, splits
from tasks.training import loop


@dataclass(frozen=True)
class Setting:
    """What differs from the tutorial's dense network on scaled pixels."""

    seeds: int = 24
    epochs: int = 50
    images: int = FITTED
    pixel_scaling: str = "unit"
    learning_rate: float = 1e-3
    learning_rate_schedule: str = "constant"
    l2: float = 0.0
    dropout: float = 0.0


TUNING = {
    "images_2000": Setting(seeds=40, epochs=60, images=2_000),
    "images_10000": Setting(epochs=40, images=10_000),
    "learning_rate_high_images_10000": Setting(epochs=40, images=10_000, learning_rate=2e-2),
    "learning_rate_low": Setting(epochs=40, images=10_000, learning_rate=3e-5),
    "l2_plateau_images_10000": Setting(seeds=40, epochs=40, images=10_000, learning_rate=5e-3, l2=1e-2),
    "l2_images_2000": Setting(seeds=40, epochs=60, images=2_000, l2=1e-2),
    "normal": Setting(),
    "raw_pixels": Setting(pixel_scaling="none"),
    "dropout_images_10000": Setting(seeds=40, images=10_000, dropout=0.4),
    "l2_plateau": Setting(epochs=40, learning_rate=3e-3, l2=3e-3),
    "l2": Setting(epochs=40, l2=1e-3),
    "learning_rate_high": Setting(epochs=40, learning_rate=2e-2),
}
FRESH = {
    "images_5000": Setting(seeds=10, epochs=50, images=5_000),
    "learning_rate_0.005": Setting(seeds=10, epochs=40, images=10_000, learning_rate=5e-3),
    "l2_small": Setting(seeds=10, epochs=50, images=5_000, l2=3e-3),
    "dropout_0.2": Setting(seeds=10, epochs=60, images=5_000, dropout=0.2),
    "cosine": Setting(seeds=10, epochs=50, images=10_000, learning_rate_schedule="cosine"),
    "l2_large": Setting(seeds=10, epochs=50, images=10_000, learning_rate=3e-3, l2=2e-2),
    "cosine_l2": Setting(seeds=10, epochs=40, images=10_000, l2=5e-3, learning_rate_schedule="cosine"),
    "dropout_0.5": Setting(seeds=10, epochs=40, images=10_000, learning_rate=3e-4, dropout=0.5),
    "images_20000": Setting(seeds=10, epochs=40, images=20_000),
    "raw_pixels_images_10000": Setting(seeds=10, epochs=40, images=10_000, pixel_scaling="none"),
}
OTHERS = 18_000  # images that are neither fitted nor validation: what would the loss be on other images?


def build(setting: Setting, input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Return the dense network with a penalty on its kernels, and dropout after its hidden layers."""
    dense = partial(layers.Dense, kernel_regularizer=regularizers.L2(setting.l2) if setting.l2 else None)
    hidden = [part for n in (64, 16) for part in (dense(n, "relu"), layers.Dropout(setting.dropout))]
    return keras.Sequential([keras.Input(input_shape), layers.Flatten(), *hidden, dense(classes, "softmax")])


def train(setting: Setting, seed: int, data: dict[str, Any]) -> loop.Progress:
    """Return the curves of one training, and each image's losses: first validation, then the others."""
    names = ("epochs", "pixel_scaling", "learning_rate", "learning_rate_schedule")
    settings = {name: getattr(setting, name) for name in names}
    xla = not setting.dropout  # whose random numbers XLA makes slowly
    network = new_network(partial(build, setting), setting.images, seed=seed, xla=xla, **settings)
    progress = loop.Progress()
    for _ in loop.fit(network, progress, data, lambda fraction: None):
        pass
    keras.backend.clear_session()
    return progress


def main(*names: str) -> None:
    """Train these settings, by default those of FRESH."""
    folder = PROJECT / "artifacts" / "onset_histories"
    folder.mkdir(exist_ok=True)
    for name in names or FRESH:
        setting, started = (TUNING | FRESH)[name], time.monotonic()
        order = np.random.default_rng(0).permutation(FITTED)
        data, others = splits(order[: setting.images]), splits(order[setting.images :][:OTHERS])
        for part in ("x", "y"):
            data[f"{part}_validation"] = np.concatenate([data[f"{part}_validation"], others[f"{part}_train"]])
        validation = len(data["y_validation"]) - len(others["y_train"])
        trainings = [train(setting, seed, data) for seed in range(setting.seeds)]
        losses = np.array([training.validation_losses for training in trainings])  # (seeds, epochs, images)
        np.savez_compressed(
            folder / f"{name}.npz",
            validation=losses[:, :, :validation].mean(axis=2, dtype=np.float64),
            train=np.array([training.history["train_nll"] for training in trainings]),
            others=losses[:, :, validation:].mean(axis=2, dtype=np.float64),
            image_losses=losses[:, :, :validation],
        )
        print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    run(main)
