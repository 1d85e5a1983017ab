"""Which images a part of a data set holds: drawn by a seed of their own, the same for every training."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE_SEED = 0  # which images are fitted, or set aside, must not vary with the seed of a training


def stratified_sample(labels: NDArray[Any], size: int) -> NDArray[np.int64]:
    """Return `size` sorted indices, the classes in their proportions, each at least once if there are no more.

    Each image gets its place in its shuffled class, as a fraction of the class: 0, 1/n, 2/n, ... The lowest
    fractions are taken. So a larger sample contains every smaller one.
    """
    order = np.random.default_rng(SAMPLE_SEED).permutation(len(labels))
    shuffled = labels[order]
    place = np.empty(len(labels))
    for label in np.unique(shuffled):
        members = shuffled == label
        place[members] = np.arange(members.sum()) / members.sum()
    return np.sort(order[np.argsort(place, kind="stable")[:size]])


def even_sample(images: int, size: int) -> NDArray[np.int64]:
    """Return `size` sorted indices below `images`, or all of them if there are no more."""
    chosen = np.random.default_rng(SAMPLE_SEED).choice(images, min(images, size), replace=False)
    return np.sort(chosen).astype(np.int64)


def shuffled(images: int) -> NDArray[np.int64]:
    """Return all indices below `images` in an order by chance: validation takes the last ones."""
    return np.random.default_rng(SAMPLE_SEED).permutation(images)
