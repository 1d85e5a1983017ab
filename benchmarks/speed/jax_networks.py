"""The same networks in JAX with Flax NNX and Optax, channels last, each step compiled.

    python -m benchmarks.speed.jax_networks --models cnn --epochs 2 [--precision bfloat16]

Needs a Python with JAX: `pip install jax flax optax numpy cyclopts`. The last line on stdout is JSON.

Tried on two busy cores: bfloat16 gains nothing (6.0 CPU seconds in either precision for an epoch of 2,048 images
of cnn). With all steps in one compiled loop (`jax.lax.scan`) two such epochs were not over in 300 s; one by one
they took 87 s.
"""

import time
from typing import Any

import jax
import numpy as np
import optax
from flax import nnx
from jax import numpy as jnp

from benchmarks.common import FITTED, mnist
from benchmarks.speed.peer import run_peer

L2 = 0.01


def max_pool(x: jax.Array) -> jax.Array:
    """Return the maximum of each 2 x 2 window; the gradient of `nnx.max_pool` takes three times as long."""
    count, height, width, channels = x.shape
    even = x[:, : height // 2 * 2, : width // 2 * 2]
    return even.reshape(count, height // 2, 2, width // 2, 2, channels).max((2, 4))


def flatten(x: jax.Array) -> jax.Array:
    """Return each image as one row."""
    return x.reshape(len(x), -1)


def build(name: str, precision: str) -> nnx.Sequential:
    """Return the network; the last layer gives logits, in float32."""
    rngs, layers = nnx.Rngs(0), []
    channels, side = 1, 28
    for filters in {"dense": (), "cnn": (64, 128), "regularized_cnn": (32, 64, 128, 256)}[name]:
        layers += [nnx.Conv(channels, filters, (2, 2), dtype=precision, rngs=rngs), max_pool, nnx.relu]
        layers += [nnx.Dropout(0.5, rngs=rngs)] if name == "regularized_cnn" else []
        channels, side = filters, side // 2
    layers, size = [*layers, flatten], channels * side * side
    for units in (64, 16) if name == "dense" else ():
        layers += [nnx.Linear(size, units, dtype=precision, rngs=rngs), nnx.relu]
        size = units
    return nnx.Sequential(*layers, nnx.Linear(size, 10, rngs=rngs))


def train(name: str, epochs: int, train_samples: int, precision: str) -> dict[str, Any]:
    """Train one network, with the validation accuracy after each epoch."""
    with np.load(mnist()) as data:
        images = data["x_train"].reshape(-1, 28, 28, 1) / np.float32(255)
        labels = data["y_train"].astype(np.int32)
    model = build(name, precision)
    # NNX's objects are taken apart once, outside the steps: doing it in each costs more than a step of dense.
    structure, state = nnx.split((model, nnx.Optimizer(model, optax.adam(0.001), wrt=nnx.Param)))

    def loss_of(model: nnx.Sequential, x: jax.Array, y: jax.Array) -> jax.Array:
        loss = optax.softmax_cross_entropy_with_integer_labels(model(x), y).mean()
        if name == "regularized_cnn":
            kernels = [weight for weight in jax.tree.leaves(nnx.state(model, nnx.Param)) if weight.ndim > 1]
            loss += L2 * sum(jnp.square(kernel).sum() for kernel in kernels)
        return loss

    def step(state: nnx.State, x: jax.Array, y: jax.Array) -> nnx.State:
        model, optimizer = nnx.merge(structure, state)
        model.train()
        optimizer.update(model, nnx.grad(loss_of)(model, x, y))
        return nnx.state((model, optimizer))

    def predict(state: nnx.State, x: jax.Array) -> jax.Array:
        model, _ = nnx.merge(structure, state)
        model.eval()
        return model(x).argmax(1)

    step, predict = jax.jit(step, donate_argnums=0), jax.jit(predict)
    generator, validation = np.random.default_rng(0), range(FITTED, len(images), 1000)
    seconds, accuracy = [], 0.0
    for _ in range(epochs):
        started = time.monotonic()
        order = generator.permutation(train_samples)
        for start in range(0, train_samples, 128):
            batch = order[start : start + 128]
            state = step(state, images[batch], labels[batch])
        answers = np.concatenate([predict(state, images[start : start + 1000]) for start in validation])
        accuracy = float((answers == labels[FITTED:]).mean())
        seconds.append(time.monotonic() - started)
    return {"epoch_seconds": seconds, "validation_accuracy": accuracy, "version": jax.__version__}


if __name__ == "__main__":
    run_peer(train)
