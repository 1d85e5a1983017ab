"""The fastest published way to 99 %, on the CPU: network and schedule as tuomaso/train_mnist_fast describes them.

    python -m benchmarks.challenger.one_epoch_pytorch --epochs 1 --seed 0

Two convolutions, two dense layers, Adam with a one-cycle learning rate, batches of 256, all 60,000 training
images, always in the same order. Needs a Python with PyTorch, `pip install torch numpy cyclopts`. The last line
on stdout is JSON.
"""

import json
import time

import numpy as np
import torch
from torch import nn

from benchmarks.common import mnist, run

BATCH, PEAK_LEARNING_RATE, BETAS = 256, 0.01, (0.7, 0.9)
MEAN, DEVIATION = 0.1307, 0.3081  # of MNIST's pixels


def images_and_labels(split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a split's images, normalised, float32 (n, 1, 28, 28), and its labels."""
    with np.load(mnist()) as data:
        images, labels = data[f"x_{split}"], data[f"y_{split}"]
    scaled = (images[:, np.newaxis] / np.float32(255) - np.float32(MEAN)) / np.float32(DEVIATION)
    return torch.from_numpy(scaled), torch.from_numpy(labels.astype(np.int64))


def main(*, epochs: int = 1, seed: int = 0) -> None:
    """Train once; print seconds of fitting and the accuracy on the test images."""
    torch.manual_seed(seed)
    images, labels = images_and_labels("train")
    model = nn.Sequential(
        *(nn.Conv2d(1, 24, 5), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Conv2d(24, 32, 3), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(800, 256), nn.ReLU(), nn.Linear(256, 10)),
    )
    optimizer = torch.optim.Adam(model.parameters(), PEAK_LEARNING_RATE, BETAS)
    batches = list(zip(images.split(BATCH), labels.split(BATCH), strict=True))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, PEAK_LEARNING_RATE, total_steps=epochs * len(batches), cycle_momentum=False
    )
    started = time.monotonic()
    for _ in range(epochs):
        for x, y in batches:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
            schedule.step()
    seconds = time.monotonic() - started
    images, labels = images_and_labels("test")
    with torch.no_grad():
        accuracy = float((model(images).argmax(1) == labels).float().mean())
    print(json.dumps({"epochs": epochs, "seconds": seconds, "test_accuracy": accuracy}))


if __name__ == "__main__":
    run(main)
