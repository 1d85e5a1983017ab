"""Train networks as the pipeline does, in the pipeline's own training process, and print their epochs' seconds.

    python -m benchmarks.speed.ours --models cnn --epochs 2 [--precision mixed_bfloat16]

The same flags and the same last line, JSON, as naive_keras.py and pytorch_networks.py.
"""

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common import mnist
from benchmarks.speed.peer import run_peer
from tasks import files
from tasks.data.arrays import content_digest, read_npz
from tasks.data.download import VerifiedDataset
from tasks.data.prepare import prepare
from tasks.training.process import start
from tasks.training.specification import specifications
from tasks.training.train import THREADS


def train(name: str, epochs: int, train_samples: int, precision: str) -> dict[str, Any]:
    """Prepare the data in a folder of its own, train the network there, remove the folder."""
    path = mnist()
    with tempfile.TemporaryDirectory(prefix="mnist-pipeline-benchmark-") as kept:
        dataset = VerifiedDataset(
            "mnist", str(path), content_digest(read_npz(path, str(path))), "benchmark", True
        )
        prepared = prepare(dataset, 0.1, train_samples, Path(kept), lambda text: None)
        [specification] = specifications(
            [name],
            [0],
            prepared.digest,
            epochs=epochs,
            batch_size=128,
            learning_rate=None,
            pixel_scaling="unit",
            precision=precision,
            threads=THREADS,
        )
        folder = specification.folder(Path(kept))
        folder.mkdir(parents=True)
        files.write_json(folder / "spec.json", specification.to_json())
        process = start(folder, prepared.path, refresh=False)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        process.stdout.read()  # until the end; the other pipe stays open, its end would end the training
        process.wait()
        record = files.read_json(folder / "training.json")
    return {
        "epoch_seconds": record["epoch_seconds"],
        "validation_accuracy": record["history"]["val_accuracy"][-1],
    }


if __name__ == "__main__":
    run_peer(train)
