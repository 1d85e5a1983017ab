"""Specifications of trainings, with settings that tests change one by one."""

from typing import Any

from tasks.training.networks import MODELS
from tasks.training.specification import Specification, specifications

SETTINGS = {
    "epochs": None,
    "batch_size": 128,
    "learning_rate": 0.001,
    "pixel_scaling": "unit",
    "precision": "float32",
    "threads": 2,
}


def specified(
    model: str = "dense", seed: int = 0, data_digest: str = "digest", **changed: Any
) -> Specification:
    """What to train: a network, a seed, and the settings above but for those that are changed."""
    (specification,) = specifications({model: MODELS[model]}, [seed], data_digest, **SETTINGS | changed)
    return specification
