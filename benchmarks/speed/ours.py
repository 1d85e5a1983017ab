"""Train networks by the pipeline's own loop, and print their epochs' seconds.

    python -m benchmarks.speed.ours --models cnn --epochs 2 [--precision mixed_bfloat16]

The same flags and the same last line, JSON, as naive_keras.py and pytorch_networks.py.
"""

import time
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.speed.peer import run_peer
from benchmarks.training import new_network, splits
from tasks.training import loop
from tasks.training.networks import MODELS


def train(name: str, epochs: int, train_samples: int, precision: str) -> dict[str, Any]:
    """Train one network, without the checkpoints that the pipeline writes."""
    recipe, data, progress = MODELS[name], splits(np.arange(train_samples)), loop.Progress()
    xla = recipe.compile_with_xla
    network = new_network(recipe.build, train_samples, epochs=epochs, precision=precision, xla=xla)
    moments = [time.monotonic()]
    for _ in loop.fit(network, progress, data, lambda fraction: None):
        moments.append(time.monotonic())
    return {
        "epoch_seconds": np.diff(moments).tolist(),
        "validation_accuracy": progress.history["val_accuracy"][-1],
        "version": tf.__version__,
    }


if __name__ == "__main__":
    run_peer(train)
