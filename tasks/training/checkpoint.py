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

from tasks import files
from tasks.store import sealed
from tasks.store.layout import Artifacts


@dataclass
class Checkpoint:
    """All that the next epoch follows from, as arrays, and how the epochs before came about."""

    arrays: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    epoch_seconds: list[float] = field(default_factory=list)
    resumed_after: list[int] = field(default_factory=list)  # epochs done at each later start


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint to a file whose name carries its digest; remove older ones."""
    record = {
        "training": folder.name,
        "epoch_seconds": checkpoint.epoch_seconds,
        "resumed_after": checkpoint.resumed_after,
    }
    buffer = io.BytesIO()
    np.savez(buffer, record=np.array(json.dumps(record)), **checkpoint.arrays)  # type: ignore[arg-type]
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()[:16]
    target = folder / f"checkpoint-{len(checkpoint.epoch_seconds):04}-{digest}.npz"
    with files.atomic_write(target) as temporary:
        temporary.write_bytes(buffer.getvalue())
    for older in set(folder.glob("checkpoint-*.npz")) - {target}:
        older.unlink()
    return target


def load_checkpoint(folder: Path, say: Callable[..., None]) -> Checkpoint | None:
    """Return the newest checkpoint whose file agrees with its digest, None if there is none."""
    for path in sorted(folder.glob("checkpoint-*.npz"), reverse=True):
        if files.sha256_of(path)[:16] != path.stem.rsplit("-", 1)[-1]:
            set_aside(path, "does not agree with the digest in its name", say)
            continue
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        record = json.loads(str(arrays.pop("record")))
        if record["training"] != folder.name:
            set_aside(path, "belongs to another training", say)
            continue
        return Checkpoint(arrays, record["epoch_seconds"], record["resumed_after"])
    return None


def set_aside(path: Path, reason: str, say: Callable[..., None]) -> None:
    """Move a damaged file, if it is not just missing, out of the store, and say so."""
    kept = ""
    if path.exists():
        kept = f"; it is kept as {sealed.set_aside(path, Artifacts.of(path.parent).damaged)}"
    say("warning", message=f"{path.parent.name}/{path.name} {reason}{kept}. It is made again.")
