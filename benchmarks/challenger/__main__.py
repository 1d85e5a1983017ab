"""What each part of a candidate for the challenger is worth: the network without it, on validation images.

    python benchmarks/challenger.py [--seeds 0 1 2] [--epochs 10] [--precision float32]

Trains on the first half of MNIST's training images and validates on the other: five times the usual validation
images show smaller differences. Test images are not read. A training that is in benchmarks/results/challenger.json
is not done again. Prints the table of docs/challenger.md.
"""

import argparse
import ast
import gc
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from tasks import files
from tasks.markdown import table
from tasks.training.loop import Network, learning_rate, nll_and_accuracy, train_epoch
from tasks.training.networks import MODELS, build_challenger, scale
from tasks.training.specification import meaning

ROOT = Path(__file__).resolve().parents[1]
DATASET, RESULTS = (
    ROOT / "artifacts" / "data" / "mnist.npz",
    ROOT / "benchmarks" / "results" / "challenger.json",
)
HALF = 30_000  # images
FULL, CONSTANT = "candidate", "constant learning rate of 0.003"
EMA_MOMENTUM = 0.995  # of Keras's optimizers: the average reaches back about 200 steps, nearly one epoch


def candidate() -> Any:
    """Return the network whose parts were weighed: the challenger with dropout, which was then left out."""
    import keras

    *layers, output = build_challenger().layers
    return keras.Sequential([keras.Input((28, 28, 1)), *layers, keras.layers.Dropout(0.5), output])


def without(*names: str) -> Callable[[], Any]:
    """Return a builder of the candidate without the layers of these classes.

    Convolutions get a bias if nothing is left that would add one to them, as batch normalisation does.
    """

    def build() -> Any:
        import keras

        kept = [layer for layer in candidate().layers if type(layer).__name__ not in names]
        if "BatchNormalization" in names:
            kept = [
                layer
                if not isinstance(layer, keras.layers.Conv2D)
                else keras.layers.Conv2D.from_config({**layer.get_config(), "use_bias": True})
                for layer in kept
            ]
        return keras.Sequential([keras.Input((28, 28, 1)), *kept])

    return build


CANDIDATE = replace(MODELS["challenger"], build=candidate)
VARIANTS = {
    FULL: CANDIDATE,
    "without augmentation": replace(
        CANDIDATE, build=without("RandomRotation", "RandomTranslation", "RandomZoom")
    ),
    "without batch normalisation": replace(CANDIDATE, build=without("BatchNormalization")),
    CONSTANT: replace(CANDIDATE, learning_rate_schedule="constant"),
    "constant learning rate of 0.001": replace(
        CANDIDATE, learning_rate=0.001, learning_rate_schedule="constant"
    ),
    "without dropout": replace(CANDIDATE, build=without("Dropout")),
}


def train(
    name: str, seed: int, data: dict[str, npt.NDArray[Any]], settings: dict[str, Any]
) -> dict[str, Any]:
    """Train one variant; return accuracy and NLL on the validation half, of the last and of averaged weights."""
    import keras
    import tensorflow as tf

    MODELS["variant"] = VARIANTS[name]
    spec = {
        "model": "variant",
        "seed": seed,
        "batch_size": 128,
        "learning_rate": VARIANTS[name].learning_rate,
        "learning_rate_schedule": VARIANTS[name].learning_rate_schedule,
        "pixel_scaling": "unit",
        "xla": False,
        **settings,
    }
    count = len(data["y_train"])
    network = Network(spec, count)
    network.optimizer = keras.optimizers.Adam(
        learning_rate(spec, count), use_ema=True, ema_momentum=EMA_MOMENTUM
    )
    network.optimizer.build(network.model.trainable_variables)
    images, labels = (
        tf.constant(scale(data["x_train"], "unit")),
        tf.constant(data["y_train"].astype(np.int32)),
    )
    started = time.monotonic()
    for epoch in range(1, spec["epochs"] + 1):
        train_epoch(network, images, labels, spec, epoch, lambda fraction: None)
    seconds = time.monotonic() - started
    found = {"seconds": seconds, "parameter_count": network.model.count_params()}
    for prefix in ("", "averaged_"):
        if prefix:
            network.optimizer.finalize_variable_values(network.model.trainable_variables)
        nll, accuracy = nll_and_accuracy(network.predict(data["x_validation"]), data["y_validation"])
        found |= {f"{prefix}accuracy": accuracy, f"{prefix}nll": nll}
    keras.backend.clear_session()
    gc.collect()
    return found


def paired(full: list[float], other: list[float], digits: int, factor: float = 1) -> str:
    """Return the mean of the differences over the seeds, with Student's 95 % interval if there are two or more."""
    differences = factor * (np.array(other) - np.array(full))
    if len(differences) < 2:
        return f"{differences.mean():+.{digits}f}"
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    reach = stats.t.ppf(0.975, len(differences) - 1) * error
    low, high = differences.mean() - reach, differences.mean() + reach
    return f"{differences.mean():+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})"


def results_table(kept: dict[str, dict[str, Any]], seeds: list[int]) -> str:
    """Return the means over the seeds, and the paired differences to the whole design."""
    rows = []
    full = [kept[f"{FULL}, seed {seed}"] for seed in seeds]
    last = [(name, name, "") for name in VARIANTS]
    averaged = [(f"{name}, the weights averaged", name, "averaged_") for name in (FULL, CONSTANT)]
    for title, name, prefix in last + averaged:
        found = [kept[f"{name}, seed {seed}"] for seed in seeds]
        accuracy, nll = ([one[f"{prefix}{measure}"] for one in found] for measure in ("accuracy", "nll"))
        cells = [title, f"{100 * mean(accuracy):.3f} %", f"{mean(nll):.4f}"]
        if title == FULL:
            cells += ["", ""]
        else:
            cells.append(paired([one["accuracy"] for one in full], accuracy, 3, 100))
            cells.append(paired([one["nll"] for one in full], nll, 4))
        rows.append(cells)
    headers = ["network", "accuracy", "NLL", "accuracy, difference in points", "NLL, difference"]
    return table(headers, rows)


def main() -> None:
    """Train what is missing, keep each result at once, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--precision", default="float32")
    arguments = parser.parse_args()
    import tensorflow as tf

    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    with np.load(DATASET, allow_pickle=False) as stored:
        x, y = stored["x_train"][..., np.newaxis], stored["y_train"]
    data = {"x_train": x[:HALF], "y_train": y[:HALF], "x_validation": x[HALF:], "y_validation": y[HALF:]}
    settings = {"epochs": arguments.epochs, "precision": arguments.precision}
    texts = [path.read_text() for path in (ROOT / "tasks" / "models.py", ROOT / "tasks" / "network.py")]
    described = {**settings, "code": files.digest_of([meaning(ast.parse(text)) for text in texts])[:12]}
    kept = files.read_json(RESULTS) if RESULTS.exists() else {"settings": described, "trainings": {}}
    if kept["settings"] != described:
        raise SystemExit(
            f"{RESULTS} was made with other settings or code: {kept['settings']}. Move it away first."
        )
    for seed in arguments.seeds:
        for name in VARIANTS:
            key = f"{name}, seed {seed}"
            if key not in kept["trainings"]:
                kept["trainings"][key] = train(name, seed, data, settings)
                files.write_json(RESULTS, kept)
                print(key, kept["trainings"][key], file=sys.stderr, flush=True)
    print(results_table(kept["trainings"], arguments.seeds))


if __name__ == "__main__":
    main()
