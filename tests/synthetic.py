"""Believable runs without TensorFlow: invented trainings, evaluated and gathered by the real code."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from hand_made import PROVENANCE
from numpy.typing import NDArray

from tasks.comparison.compare import Header, Limits, compare
from tasks.comparison.provenance import dataset_section
from tasks.data.download import DIGITS, VerifiedDataset
from tasks.data.prepare import PreparedData
from tasks.evaluation.evaluate import evaluate
from tasks.files import write_json
from tasks.results.enums import Origin, Step
from tasks.results.run import Failure, Plan
from tasks.training.train import Training

Array = NDArray[Any]

# epochs, parameters, test accuracy, best epoch (None: the loss falls to the end), lowest validation NLL
NETWORKS: dict[str, tuple[int, int, float, int | None, float]] = defaultdict(
    lambda: (20, 123_456, 0.96, 8, 0.12),
    {
        "dense": (50, 51_450, 0.974, 10, 0.090),
        "cnn": (20, 95_946, 0.986, 6, 0.045),
        "regularized_cnn": (30, 175_210, 0.945, None, 0.170),
        "deep_cnn": (30, 175_210, 0.988, 5, 0.040),
        "challenger": (20, 300_000, 0.994, None, 0.020),
    },
)
GLYPHS = (
    *("111101101101111", "010110010010111", "111001111100111", "111001111001111", "101101111001001"),
    *("111100111001111", "111100111101111", "111001001001001", "111101111101111", "111101111001111"),
)  # the ten digits as 5 rows of 3 blocks


def make_run(
    folder: Path,
    *,
    models: Sequence[str] = ("dense", "cnn", "regularized_cnn"),
    seeds: Sequence[int] = (0,),
    epochs: int | None = None,
    diverged: Collection[str] = (),
    missing: Collection[str] = (),
    limits: Limits = Limits(),  # noqa: B008  # frozen
    name: str = "20260102T030405Z-brave-otter",
    test_images: int = 2000,
    shift: float = 0.0,
) -> Path:
    """Write a run into the artifacts folder `folder` and return its run folder.

    Trainings of the models in `diverged` lose their numbers half-way, those in `missing` failed. `epochs`
    stands for every model's own number, `shift` is added to every accuracy. An earlier run in the same folder is
    the previous one.
    """
    run_folder = folder / "runs" / name
    prepared = make_data(folder, test_images)
    trainings = [
        make_training(folder, prepared, model, seed, epochs, model in diverged, shift)
        for model in models
        for seed in seeds
        if model not in missing
    ]
    with np.load(prepared.images_path) as images:
        run_folder.mkdir(parents=True)
        np.savez(run_folder / "images.npz", **images)
    evaluations = [evaluate.fn(training, prepared, str(run_folder)) for training in trainings]
    failures = [
        Failure(task=Step.TRAIN, model=model, seed=seed, error="The training process was killed.")
        for model in missing
        for seed in seeds
    ]
    header = make_header(name, prepared, models, seeds, epochs)
    compare.fn(str(run_folder), header, evaluations, failures, limits)
    return run_folder


def make_header(
    name: str, prepared: PreparedData, models: Sequence[str], seeds: Sequence[int], epochs: int | None
) -> Header:
    """What the flow knows of a run beside its trainings."""
    parameters = {"models": list(models), "seeds": list(seeds), "epochs": epochs, "batch_size": 128}
    parameters |= {"validation_split": 0.1, "learning_rate": None, "train_samples": None}
    of_this_run = {"run": name, "flow_run_name": name.split("-", 1)[1]}
    provenance = PROVENANCE.model_copy(update=of_this_run | {"precision": dict.fromkeys(models, "float32")})
    usual = {"learning_rate": 0.001, "learning_rate_schedule": "constant"}
    plans = {model: Plan(epochs=epochs or NETWORKS[model][0], **usual) for model in models}
    run_folder = Path(prepared.dataset.path).parent.parent / "runs" / name
    return Header(parameters, provenance, dataset_section(run_folder, prepared, "unit"), plans)


def make_data(folder: Path, test_images: int) -> PreparedData:
    """Blocky digits with noise: as many training as test images, and half as many for validation."""
    generator = np.random.default_rng(7)
    counts = {"train": test_images, "validation": test_images // 2, "test": test_images}
    labels = {split: generator.integers(0, 10, n).astype(np.uint8) for split, n in counts.items()}
    labels["test"][:3] = 7, 2, 1
    labels["train"][1] = 0
    images = {split: _pictures(labels[split], generator) for split in counts}
    path = folder / "data" / "prepared.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        **{f"x_{split}": images[split][..., None] for split in counts},
        **{f"y_{split}": labels[split] for split in counts},
        train_sample=np.arange(counts["validation"]),
    )
    first = [int(np.flatnonzero(labels["train"] == digit)[0]) for digit in range(10)]
    images_path = folder / "data" / "images.npz"
    np.savez(images_path, preview=images["train"][first], first_zero=images["train"][1])
    stored = folder / "data" / "mnist.npz"
    dataset = VerifiedDataset("mnist", str(stored), "ab" * 32, "invented for tests", True, DIGITS)
    return PreparedData(
        dataset,
        str(path),
        "cd" * 32,
        0.1,
        None,
        counts,
        {split: np.bincount(labels[split], minlength=10).tolist() for split in counts},
        {"x_train": [3 * test_images // 2, 28, 28], "y_train": [3 * test_images // 2],
         "x_test": [test_images, 28, 28], "y_test": [test_images]},
        labels["test"][:3].tolist(),
        labels["test"][-3:].tolist(),
        0,
        0,
        str(images_path),
    )  # fmt: skip


def make_training(
    folder: Path,
    prepared: PreparedData,
    model: str,
    seed: int,
    epochs: int | None = None,
    diverged: bool = False,
    shift: float = 0.0,
) -> Training:
    """Write the folder of one invented training as the training process leaves it."""
    own_epochs, parameters, accuracy, *_ = NETWORKS[model]
    epochs = epochs or own_epochs
    generator = np.random.default_rng([seed, *model.encode()])
    accuracy += shift + 0.1 * (1 - accuracy) * generator.normal()
    history = make_history(model, epochs, generator)
    with np.load(prepared.path) as data:
        predictions = {
            f"{weights}_{split}": make_log_probabilities(data[f"y_{split}"], accuracy, generator)
            for weights, split in product(("final", "best"), ("validation", "test"))
        }
    count = prepared.counts["train"]
    predictions["final_train_nll"] = np.float64(count * history["train_nll"][-1])
    predictions["final_train_correct"] = np.int64(round(count * min(1.0, accuracy + 0.01)))
    spread = generator.exponential(size=(epochs, prepared.counts["validation"]))
    curve = np.array(history["val_nll"])[:, None]
    predictions["validation_losses"] = (curve * spread / spread.mean(axis=1, keepdims=True)).astype(
        np.float16
    )
    if diverged:
        history = {
            curve: [*v[: epochs // 2], *[None] * (epochs - epochs // 2)] for curve, v in history.items()
        }
        for name, values in predictions.items():
            if name.startswith("final") and values.ndim:
                predictions[name] = np.full_like(values, np.nan)
        predictions["final_train_nll"], predictions["final_train_correct"] = np.float64(np.nan), np.int64(0)
    training_folder = folder / "trainings" / f"{model}-{seed}-0123456789ab"
    training_folder.mkdir(parents=True, exist_ok=True)
    np.savez(training_folder / "predictions.npz", **predictions)
    summary = f'Model: "{model}"\n  (layers of an invented network)\n Total params: {parameters:,}\n'
    epoch_seconds = generator.normal(5, 0.2, epochs).round(3).tolist()
    record = {
        "epochs": epochs,
        "parameter_count": parameters,
        "summary": summary,
        "history": history,
        "epoch_seconds": epoch_seconds,
        "seconds": sum(epoch_seconds),
        "resumed_after": [],
        "diverged": diverged,
    }
    write_json(training_folder / "training.json", record)
    key, why = "0123456789ab" * 5, "nothing to reuse"
    return Training(model, seed, Origin.TRAINED, why, key, str(training_folder), "float32", 2)


def make_history(model: str, epochs: int, generator: np.random.Generator) -> dict[str, list[Any]]:
    """Curves that fall towards a floor and, where the network overfits, rise after its best epoch."""
    *_, accuracy, best, floor = NETWORKS[model]
    epoch = np.arange(1, epochs + 1)
    speed = (best or epochs / 2) / 2.5
    fall = np.exp(-(epoch - 1) / speed)
    rise = np.zeros(epochs) if best is None else 0.035 * floor * np.clip(epoch - best, 0, None)
    noise = generator.normal(1, 0.015, (4, epochs))
    val_nll = (floor * (0.85 + 1.8 * fall) + rise) * noise[0]
    train_nll = (floor * (0.9 + 1.8 * fall) if best is None else floor * (0.05 + 2.6 * fall)) * noise[1]
    val_accuracy = np.clip(accuracy - 0.05 * fall + 0.002 * (noise[2] - 1), 0, 1)
    train_accuracy = np.clip(1 - (1 - accuracy) * (0.05 + fall), 0, 1)
    penalty = 0.1 + 0.5 * fall if model == "regularized_cnn" else np.zeros(epochs)
    curves = {
        "loss": train_nll * 1.05 + penalty,
        "accuracy": train_accuracy - 0.002,
        "val_loss": val_nll + penalty,
        "val_accuracy": val_accuracy,
        "train_nll": train_nll,
        "val_nll": val_nll,
        "train_accuracy_inference": train_accuracy,
    }
    return {curve: values.tolist() for curve, values in curves.items()}


def make_log_probabilities(labels: Array, accuracy: float, generator: np.random.Generator) -> Array:
    """Log-probabilities (n, 10) with about that accuracy; some images are hard for every network."""
    n = len(labels)
    hardness = np.random.default_rng(n).normal(size=n)  # depends on the images alone
    score = 0.8 * hardness + 0.6 * generator.normal(size=n)
    right = score > np.quantile(score, 1 - accuracy)
    confidence = np.where(right, generator.beta(30, 0.4, n), generator.beta(3, 1.2, n)).clip(0.3, 0.999999)
    predicted = np.where(right, labels, (labels + generator.integers(1, 10, n)) % 10)
    probabilities = np.repeat((1 - confidence)[:, None] / 9, 10, axis=1)
    probabilities[np.arange(n), predicted] = confidence
    return np.log(probabilities).astype(np.float32)


def _pictures(labels: Array, generator: np.random.Generator) -> Array:
    """Digits of 3 x 5 blocks, five pixels each, with noisy ink: shape (n, 28, 28)."""
    glyphs = np.array([[int(bit) for bit in glyph] for glyph in GLYPHS], dtype=np.uint8).reshape(10, 5, 3)
    blocks = glyphs.repeat(5, axis=1).repeat(5, axis=2)
    pictures = np.zeros((len(labels), 28, 28), dtype=np.uint8)
    ink = generator.integers(120, 256, (len(labels), 25, 15), dtype=np.uint8)
    pictures[:, 1:26, 6:21] = blocks[labels] * ink
    return pictures
