"""The command line of the programs whose speed is compared; each trains networks and says in JSON how it went."""

import json
from collections.abc import Callable
from typing import Annotated, Any

import cyclopts

from benchmarks.common import FITTED, run

EPOCHS = {"dense": 50, "cnn": 20, "regularized_cnn": 30}  # the tutorial's
Train = Callable[..., dict[str, Any]]


def run_peer(train: Train) -> None:
    """Call `train(network, epochs, train_samples, precision)` for each network; print what it returns."""

    def command(
        *,
        models: tuple[str, ...] = tuple(EPOCHS),
        epochs: int | None = None,
        train_samples: int = FITTED,
        precision: str = "float32",
        compiled: Annotated[bool, cyclopts.Parameter("--compile")] = False,
    ) -> None:
        more = {"compiled": True} if compiled else {}  # only pytorch_networks.py knows it
        found = {
            name: train(name, epochs or EPOCHS[name], train_samples, precision, **more) for name in models
        }
        print(json.dumps(found))

    run(command)
