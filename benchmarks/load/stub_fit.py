"""The training process without TensorFlow: all that surrounds the computation, at its real cost.

Started by sweep.py in its place. Lock, messages, checkpoints, record and files are its own, as large as the dense
network's; the numbers in them are noise.
"""

import sys
import zipfile
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

sys.modules["keras"] = SimpleNamespace(Model=object)  # type: ignore[assignment]
sys.modules["tensorflow"] = SimpleNamespace(constant=np.asarray)  # type: ignore[assignment]

from tasks.training import fit, loop  # noqa: E402
from tasks.training.specification import Specification  # noqa: E402

SHAPES = [(784, 64), (64,), (64, 16), (16,), (16, 10), (10,)]  # the dense network
WEIGHTS = [np.zeros(shape, np.float32) for shape in SHAPES]


class StubNetwork:
    """As much of a network as the training process asks for; predictions are noise from the seed."""

    def __init__(self, build: Callable[[], Any], specification: Specification, image_count: int) -> None:
        self.specification = specification
        self.random = np.random.default_rng(specification.seed)
        variables = [SimpleNamespace(numpy=lambda array=array: array) for array in 2 * WEIGHTS]
        self.optimizer = SimpleNamespace(variables=variables)
        self.model = SimpleNamespace(
            get_weights=lambda: WEIGHTS,
            set_weights=lambda weights: None,
            count_params=lambda: sum(array.size for array in WEIGHTS),
            summary=lambda print_fn, line_length: print_fn("stub"),
            save=save,
            save_weights=lambda path, overwrite: save(path),
        )

    def predict(self, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return log-probabilities of shape (n, 10)."""
        scores = self.random.normal(size=(len(images), 10)).astype(np.float32)
        return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))

    def penalty(self) -> float:
        """Return the L2 penalty."""
        return 0.0


def save(path: Any) -> None:
    """Write as many bytes as the weights have, and that they are of no network that draw.html could compute."""
    with open(path, "wb") as file:
        np.savez(file, *WEIGHTS)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("config.json", '{"class_name": "Stub"}')


def train_epoch(*arguments: Any) -> tuple[float, float]:
    """Train nothing; return a loss and an accuracy."""
    *_, report = arguments
    report(1.0)
    return 2.3, 0.1


if __name__ == "__main__":
    loop.Network = StubNetwork  # type: ignore[assignment, misc]
    loop.train_epoch = train_epoch
    loop.configure_tensorflow = lambda threads: None
    fit.main()
