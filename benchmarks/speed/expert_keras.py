"""The pipeline's networks through Keras's own `compile` and `fit`, set up for speed.

python -m benchmarks.speed.expert_keras --models cnn --epochs 2 [--precision mixed_bfloat16]

What was tried, in CPU seconds, since other programs used the two cores as well: the last of three epochs of 4,096
training images (dense: 16,000) with the prediction of 6,000 validation images.

                                               dense   cnn   regularized_cnn
    float32, one step per call                  0.30   3.57    2.88
    float32, 32 steps per call: chosen          0.25   3.60    2.67
    float32, 128 steps per call                 0.22
    float32, XLA, one step per call             0.37   8.10   22.13
    float32, XLA, 32 steps per call             0.24   7.77
    float32, 32 steps, tf.data with prefetch    0.26   3.61
    mixed_bfloat16, 32 steps: chosen            0.26   1.75    1.60
"""

import time
from typing import Any

import keras
import numpy as np

from benchmarks.speed.peer import run_peer
from benchmarks.training import splits
from tasks.training.networks import MODELS, scale


def train(name: str, epochs: int, train_samples: int, precision: str) -> dict[str, Any]:
    """Train one network; its output layer is float32 at every precision."""
    keras.mixed_precision.set_dtype_policy(precision)
    model, data = MODELS[name].build((28, 28, 1), 10), splits(np.arange(train_samples))
    model.compile(
        "adam",
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
        steps_per_execution=32,
    )
    moments = [time.monotonic()]
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: moments.append(time.monotonic()))
    history = model.fit(
        scale(data["x_train"], "unit"),
        data["y_train"],
        batch_size=128,
        epochs=epochs,
        validation_data=(scale(data["x_validation"], "unit"), data["y_validation"]),
        validation_batch_size=1000,
        verbose=0,
        callbacks=[clock],
    )
    return {
        "epoch_seconds": np.diff(moments).tolist(),
        "validation_accuracy": history.history["val_accuracy"][-1],
        "version": keras.__version__,
    }


if __name__ == "__main__":
    run_peer(train)
