"""The training process without TensorFlow: all that surrounds the computation of `tasks.training.fit`, at real cost.

Started by sweep.py in its place. Lock, messages, checkpoints, record and files are its own, as large as the dense
network's; the numbers in them are noise. This file stands for `tasks.training.loop`, whose names it has.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.training import fit as process
from tasks.training.specification import Specification

Array = npt.NDArray[Any]
CURVES = ("loss", "accuracy", "val_loss", "val_accuracy", "train_nll", "val_nll", "train_accuracy_inference")
SHAPES = [(784, 64), (64,), (64, 16), (16,), (16, 10), (10,)]  # the dense network
WEIGHTS = [np.zeros(shape, np.float32) for shape in SHAPES]


def configure_tensorflow(threads: int) -> None:
    """There is none."""


class Network:
    """As much of a network as is written to files."""

    def __init__(self, build: Callable[[], Any], specification: Specification, image_count: int) -> None:
        self.specification = specification
        self.model = SimpleNamespace(
            count_params=lambda: sum(array.size for array in WEIGHTS),
            summary=lambda print_fn, line_length: print_fn("stub"),
            save=save,
            save_weights=lambda path, overwrite: save(path),
        )


def save(path: Any) -> None:
    """Write as many bytes as the weights have."""
    with open(path, "wb") as file:
        np.savez(file, *WEIGHTS)


@dataclass
class Progress:
    """The curves so far."""

    history: dict[str, list[float]] = field(default_factory=lambda: {curve: [] for curve in CURVES})
    diverged = False

    @property
    def epochs_done(self) -> int:
        return len(self.history["loss"])


def fit(network: Network, progress: Progress, data: Any, report: Callable[[float], None]) -> Iterator[int]:
    """Train nothing."""
    random = np.random.default_rng(network.specification.seed)
    while progress.epochs_done < network.specification.epochs:
        report(1.0)
        for curve in CURVES:
            progress.history[curve].append(random.uniform(0.1, 0.2))
        yield progress.epochs_done


def state(network: Network, progress: Progress) -> dict[str, Array]:
    """Return the weights, the optimizer's two arrays for each, and the best weights."""
    return {f"array_{number:02}": array for number, array in enumerate(4 * WEIGHTS)}


def predictions(network: Network, progress: Progress, data: Mapping[str, Array]) -> dict[str, Any]:
    """Return noise instead of log-probabilities."""
    random = np.random.default_rng(network.specification.seed)

    def noise(part: str) -> Array:
        scores = random.normal(size=(len(data[f"x_{part}"]), 10)).astype(np.float32)
        return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))

    return {
        "final_train_nll": np.float64(0.1),
        "final_train_correct": np.int64(1),
        "final_validation": noise("validation"),
        "final_test": noise("test"),
        "best_validation": noise("validation"),
    }


if __name__ == "__main__":
    sys.modules["tasks.training.loop"] = sys.modules["__main__"]
    process.main()
