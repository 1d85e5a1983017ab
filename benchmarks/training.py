"""Trainings outside the store, by the pipeline's own loop: for benchmarks that need nothing but what it yields."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.common import FITTED, mnist
from tasks.training import loop
from tasks.training.averaging import specified_network
from tasks.training.networks import Shape
from tasks.training.specification import Specification

USUAL = Specification(
    model="",
    seed=0,
    epochs=1,
    batch_size=128,
    learning_rate=0.001,
    learning_rate_schedule="constant",
    pixel_scaling="unit",
    precision="float32",
    threads=min(4, os.cpu_count() or 1),
    xla=False,
    data="",
    versions={},
    code={},
)


def new_network(build: Callable[[Shape, int], Any], images: int, **settings: Any) -> loop.Network:
    """Return a network for MNIST, to be trained on so many images, as usual but for some of a Specification."""
    specification = replace(USUAL, **settings)
    loop.configure_tensorflow(specification.threads)
    return specified_network(partial(build, (28, 28, 1), 10), specification, images)


def splits(chosen: npt.NDArray[np.int_]) -> dict[str, npt.NDArray[Any]]:
    """Return these of MNIST's training images and the usual validation images, as `loop.fit` takes them."""
    with np.load(mnist(), allow_pickle=False) as stored:
        x, y = stored["x_train"][..., np.newaxis], stored["y_train"]
    return {
        "x_train": x[chosen],
        "y_train": y[chosen],
        "x_validation": x[FITTED:],
        "y_validation": y[FITTED:],
        "train_sample": np.arange(min(len(chosen), len(x) - FITTED)),
    }
