"""The same networks in PyTorch, eager, channels last: one more thing to compare the speed with.

    python benchmarks/pytorch_networks.py artifacts/data/mnist.npz --models cnn --epochs 2 [--precision bfloat16]

Needs PyTorch (`pip install torch`), which the project does not. The last line on stdout is JSON.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

MODELS = ("dense", "cnn", "regularized_cnn")
L2 = 0.01


def build(name: str) -> nn.Sequential:
    """Return the network; the last layer gives logits."""
    if name == "dense":
        return nn.Sequential(
            nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10)
        )
    blocks: list[nn.Module] = []
    channels, side = 1, 28
    for filters in (64, 128) if name == "cnn" else (32, 64, 128, 256):
        blocks += [nn.Conv2d(channels, filters, 2, padding="same"), nn.MaxPool2d(2), nn.ReLU()]
        blocks += [nn.Dropout(0.5)] if name == "regularized_cnn" else []
        channels, side = filters, side // 2
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(channels * side * side, 10))


def main() -> None:
    """Train each network, with the validation loss and accuracy after each epoch, as Keras does."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--train-samples", type=int, default=54_000)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    arguments = parser.parse_args()
    with np.load(arguments.dataset) as data:
        images = torch.from_numpy(data["x_train"].reshape(-1, 1, 28, 28) / np.float32(255))
        labels = torch.from_numpy(data["y_train"].astype(np.int64))
    images = images.to(memory_format=torch.channels_last)
    train, validation = slice(arguments.train_samples), slice(54_000, 60_000)
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=arguments.precision == "bfloat16")
    results = {}
    for name in arguments.models:
        model = build(name).to(memory_format=torch.channels_last)
        optimizer = torch.optim.Adam(model.parameters(), fused=True)
        kernels = [weight for weight in model.parameters() if weight.ndim > 1]
        seconds, accuracy = [], 0.0
        for _ in range(arguments.epochs):
            started = time.monotonic()
            model.train()
            for batch in torch.randperm(arguments.train_samples).split(128):
                with autocast:
                    loss = nn.functional.cross_entropy(model(images[train][batch]), labels[train][batch])
                if name == "regularized_cnn":
                    loss = loss + L2 * sum(kernel.square().sum() for kernel in kernels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            model.eval()
            with torch.no_grad(), autocast:
                logits = torch.cat([model(part) for part in images[validation].split(1000)])
            accuracy = (logits.argmax(1) == labels[validation]).float().mean().item()
            seconds.append(time.monotonic() - started)
        results[name] = {"epoch_seconds": seconds, "validation_accuracy": accuracy}
    print(json.dumps(results))


if __name__ == "__main__":
    main()
