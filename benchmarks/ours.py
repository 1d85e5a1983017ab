"""Train one network as the pipeline does, in the pipeline's own training process, and print its epochs' seconds.

    python benchmarks/ours.py artifacts/data/mnist.npz --models cnn --epochs 2 [--precision mixed_bfloat16]

The same flags and the same last line, JSON, as naive_keras.py and pytorch_networks.py.
"""

import argparse
import json
import tempfile
from pathlib import Path

from tasks import files
from tasks.data.arrays import content_digest, read_npz
from tasks.data.download import VerifiedDataset
from tasks.data.prepare import prepare
from tasks.training import specification, train
from tasks.training.networks import MODELS
from tasks.training.process import start


def main() -> None:
    """Prepare the data in a folder of its own, train each network there, remove the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--models", nargs="+", choices=MODELS, required=True)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--train-samples", type=int, default=54_000)
    parser.add_argument("--precision", default="float32")
    arguments = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory(prefix="mnist-pipeline-benchmark-") as kept:
        artifacts = Path(kept)
        digest = content_digest(read_npz(arguments.dataset, str(arguments.dataset)))
        dataset = VerifiedDataset("mnist", str(arguments.dataset), digest, "benchmark", True)
        prepared = prepare(dataset, 0.1, arguments.train_samples, artifacts, lambda text: None)
        for name in arguments.models:
            spec = specification.specification(
                name,
                0,
                prepared.digest,
                epochs=arguments.epochs,
                batch_size=128,
                learning_rate=0.001,
                pixel_scaling="unit",
                precision=arguments.precision,
                threads=train.THREADS,
            )
            folder = specification.training_folder(artifacts, spec)
            folder.mkdir(parents=True)
            files.write_json(folder / "spec.json", spec)
            process = start(folder, prepared.path, refresh=False)
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("go\n")
            process.stdin.flush()
            process.stdout.read()  # until the end; the other pipe stays open, its end would end the training
            process.wait()
            record = files.read_json(folder / "train.json")
            results[name] = {
                "epoch_seconds": record["epoch_seconds"],
                "validation_accuracy": record["history"]["val_accuracy"][-1],
            }
    print(json.dumps(results))


if __name__ == "__main__":
    main()
