"""The training process of `training.fit` without TensorFlow: all that surrounds the computation, at its real cost.

Started by sweep.py in its place. Lock, messages, checkpoints, record and files are its own, as large as the dense
network's; the numbers in them are noise.
"""

import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from tasks.training import fit

SHAPES = [(784, 64), (64,), (64, 16), (16,), (16, 10), (10,)]  # the dense network


def nothing(*values: object) -> None:
    """Stand in for TensorFlow's settings."""


class StubNetwork:
    """What `tasks.training.fit` asks of a network; predictions are noise from the seed."""

    def __init__(self, spec: dict[str, Any], image_count: int) -> None:
        self.seed, self.predictions = spec["seed"], 0
        self.weights = [np.zeros(shape, np.float32) for shape in SHAPES]
        zeros = [SimpleNamespace(numpy=lambda array=array: array) for array in self.weights]
        self.optimizer = SimpleNamespace(variables=[*zeros, *zeros])
        self.model = SimpleNamespace(
            get_weights=lambda: self.weights,
            set_weights=nothing,
            count_params=lambda: sum(array.size for array in self.weights),
            summary=lambda print_fn, line_length: print_fn("stub"),
            save=self.save,
            save_weights=lambda path, overwrite: self.save(path),
        )

    def save(self, path: Any) -> None:
        """Write as many bytes as the weights have."""
        with open(path, "wb") as file:
            np.savez(file, *self.weights)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Log-probabilities of shape (n, 10)."""
        self.predictions += 1  # so that curves are not flat
        scores = (
            np.random.default_rng([self.seed, self.predictions])
            .normal(size=(len(images), 10))
            .astype(np.float32)
        )
        return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))

    def penalty(self) -> float:
        """The L2 penalty."""
        return 0.0


def train_epoch(*arguments: Any) -> tuple[float, float]:
    """Train nothing; return a loss and an accuracy."""
    report: Callable[[float], None] = arguments[-1]
    report(1.0)
    return 2.3, 0.1


tensorflow: Any = ModuleType("tensorflow")
tensorflow.constant = np.asarray
tensorflow.config = SimpleNamespace(
    threading=SimpleNamespace(
        set_intra_op_parallelism_threads=nothing, set_inter_op_parallelism_threads=nothing
    ),
    experimental=SimpleNamespace(enable_op_determinism=nothing),
)
sys.modules["tensorflow"] = tensorflow
fit.Network = StubNetwork  # type: ignore[misc, assignment]
fit.train_epoch = train_epoch

if __name__ == "__main__":
    fit.main()
