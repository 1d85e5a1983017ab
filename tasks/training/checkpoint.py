"""What a training has reached, kept in one file per training that is replaced after each epoch."""

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks import files, sealed
from tasks.training.loop import Network

Array = npt.NDArray[Any]
CURVES = ("loss", "accuracy", "val_loss", "val_accuracy", "train_nll", "val_nll", "train_accuracy_inference")


@dataclass
class Progress:
    """What a training has reached; with weights and optimizer state, all that the next epoch needs."""

    history: dict[str, list[float]] = field(default_factory=lambda: {curve: [] for curve in CURVES})
    epoch_seconds: list[float] = field(default_factory=list)
    resumed_after: list[int] = field(default_factory=list)  # epochs done at each later start
    best_weights: list[Array] = field(default_factory=list)

    @property
    def epochs_done(self) -> int:
        return len(self.epoch_seconds)

    @property
    def diverged(self) -> bool:
        last = (self.history[curve][-1] for curve in ("loss", "val_nll") if self.history[curve])
        return not all(np.isfinite(value) for value in last)


def save_checkpoint(folder: Path, network: Network, progress: Progress) -> Path:
    """Write weights, optimizer and history to one file whose name carries its digest; remove older ones."""
    arrays = {f"weight_{i:03}": value for i, value in enumerate(network.model.get_weights())}
    arrays |= {f"optimizer_{i:03}": value.numpy() for i, value in enumerate(network.optimizer.variables)}
    arrays |= {f"best_{i:03}": value for i, value in enumerate(progress.best_weights)}
    record = {
        "training": folder.name,
        "history": progress.history,
        "epoch_seconds": progress.epoch_seconds,
        "resumed_after": progress.resumed_after,
    }
    buffer = io.BytesIO()
    np.savez(buffer, record=np.array(json.dumps(record)), **arrays)
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()[:16]
    target = folder / f"checkpoint-{progress.epochs_done:04}-{digest}.npz"
    with files.atomic_write(target) as temporary:
        temporary.write_bytes(buffer.getvalue())
    for older in set(folder.glob("checkpoint-*.npz")) - {target}:
        older.unlink()
    return target


def load_checkpoint(folder: Path, network: Network, say: Callable[..., None]) -> Progress:
    """Return the newest progress whose file agrees with its digest, an empty one if there is none."""
    for path in sorted(folder.glob("checkpoint-*.npz"), reverse=True):
        if files.sha256_of(path)[:16] != path.stem.rsplit("-", 1)[-1]:
            set_aside(path, "does not agree with the digest in its name", say)
            continue
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        record = json.loads(str(arrays["record"]))
        if record.get("training") != folder.name:
            set_aside(path, "belongs to another training", say)
            continue

        def group(prefix: str, arrays: dict[str, Array] = arrays) -> list[Array]:
            return [arrays[name] for name in sorted(arrays) if name.startswith(prefix)]

        network.model.set_weights(group("weight_"))
        for variable, value in zip(network.optimizer.variables, group("optimizer_"), strict=True):
            variable.assign(value)
        return Progress(record["history"], record["epoch_seconds"], record["resumed_after"], group("best_"))
    return Progress()


def set_aside(path: Path, reason: str, say: Callable[..., None]) -> None:
    """Move a damaged file, if it is not just missing, out of the store, and say so."""
    kept = ""
    if path.exists():
        kept = f"; it is kept as {sealed.set_aside(path, path.parent.parent.parent / 'damaged')}"
    say("warning", message=f"{path.parent.name}/{path.name} {reason}{kept}. It is made again.")
