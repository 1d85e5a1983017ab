"""Make the real histories on which the onset rule is tuned and tested: the dense network, seeds, settings.

    python -m benchmarks.onset.histories [SETTING ...]

Trains by the pipeline's own loop and keeps the NLL of validation and of a training sample of the same size after
each epoch, in artifacts/onset_histories.npz. The file of this name in tests/evaluation/histories has the same
settings, but eight seeds were trained at a time, by a function of their own. About an hour on two cores.
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
    l2: float = 0.0
    dropout: float = 0.0


SETTINGS = {
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


def build(setting: Setting, input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Return the dense network with a penalty on its kernels, and dropout after its hidden layers."""
    dense = partial(layers.Dense, kernel_regularizer=regularizers.L2(setting.l2) if setting.l2 else None)
    hidden = [part for n in (64, 16) for part in (dense(n, "relu"), layers.Dropout(setting.dropout))]
    return keras.Sequential([keras.Input(input_shape), layers.Flatten(), *hidden, dense(classes, "softmax")])


def train(setting: Setting, seed: int, data: dict[str, Any]) -> dict[str, list[float]]:
    """Return the curves of one training."""
    settings = {name: getattr(setting, name) for name in ("epochs", "pixel_scaling", "learning_rate")}
    xla = not setting.dropout  # whose random numbers XLA makes slowly
    network = new_network(partial(build, setting), setting.images, seed=seed, xla=xla, **settings)
    progress = loop.Progress()
    for _ in loop.fit(network, progress, data, lambda fraction: None):
        pass
    keras.backend.clear_session()
    return progress.history


def main(*names: str) -> None:
    """Train these settings, by default all."""
    curves = {}  # (seeds, epochs)
    for name in names or SETTINGS:
        setting, started = SETTINGS[name], time.monotonic()
        data = splits(np.random.default_rng(0).permutation(FITTED)[: setting.images])
        histories = [train(setting, seed, data) for seed in range(setting.seeds)]
        for kept, curve in (("validation", "val_nll"), ("train", "train_nll")):
            curves[f"{name}_{kept}"] = np.array([history[curve] for history in histories], np.float32)
        print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)
        np.savez_compressed(PROJECT / "artifacts" / "onset_histories.npz", **curves)


if __name__ == "__main__":
    run(main)
