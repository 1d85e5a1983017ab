"""The same networks in PyTorch, eager or by torch.compile, channels last.

    python -m benchmarks.speed.pytorch_networks --models cnn --epochs 2 [--precision bfloat16] [--compile]

Needs a Python with PyTorch, `pip install torch numpy cyclopts`, and for --compile a C++ compiler (g++). The last
line on stdout is JSON.
"""

import time
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.common import FITTED, mnist
from benchmarks.speed.peer import run_peer

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


def train(
    name: str, epochs: int, train_samples: int, precision: str, compiled: bool = False
) -> dict[str, Any]:
    """Train one network, with the validation accuracy after each epoch."""
    with np.load(mnist()) as data:
        images = torch.from_numpy(data["x_train"].reshape(-1, 1, 28, 28) / np.float32(255))
        labels = torch.from_numpy(data["y_train"].astype(np.int64))
    images = images.to(memory_format=torch.channels_last)
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")
    model = build(name).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    kernels = [weight for weight in model.parameters() if weight.ndim > 1]

    def loss_of(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        with autocast:
            loss = nn.functional.cross_entropy(model(x), y)
        if name == "regularized_cnn":
            loss = loss + L2 * sum(kernel.square().sum() for kernel in kernels)
        return loss

    def predict(x: torch.Tensor) -> torch.Tensor:
        with autocast:
            return model(x).argmax(1)

    if compiled:
        loss_of, predict = (torch.compile(function, dynamic=False) for function in (loss_of, predict))
    seconds, accuracy = [], 0.0
    for _ in range(epochs):
        started = time.monotonic()
        model.train()
        for batch in torch.randperm(train_samples).split(128):
            loss = loss_of(images[batch], labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            answers = torch.cat([predict(part) for part in images[FITTED:].split(1000)])
        accuracy = (answers == labels[FITTED:]).float().mean().item()
        seconds.append(time.monotonic() - started)
    return {"epoch_seconds": seconds, "validation_accuracy": accuracy, "version": torch.__version__}


if __name__ == "__main__":
    run_peer(train)
