"""Trainings that people keep are found again: the keys of our networks on MNIST are pinned to the bit."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from specified import specified

from tasks.data.arrays import content_digest, read_npz
from tasks.data.checks import checked
from tasks.data.prepare import split

MNIST = "c8774ffc4f61598e67f89360f3b83c87d4245b7e8b96904da25e52a3bb4a734e"  # the last tenth for validation
VERSIONS = {"tensorflow": "2.21.0", "keras": "3.15.1", "numpy": "2.4.6"}
KEYS = {
    "dense": "227c3f8fb015463b3f8b8096f7cb987f7b7d2cb421842377ffa8650c9571e26e",
    "cnn": "f8ab131ccd4ea4fdc78bdcb4e3f98dec22fb8b256ec7967d8b5ffbe9a7de1bfa",
    "regularized_cnn": "5a0c86b832c7af5bc6281d1c42397cedaa4b539537d34c213f2916c6af40fc32",
    "deep_cnn": "a4350d521a3c2bc964e1b239b56005c50f686976370c5920ff22c78f177acd2c",
    "sprinter": "f5f822dc936e7aa0c5c6d521a8e19939f99c74e3f42a90b03febf9a8d10a46e2",
    "challenger": "16c9ef1cf16a9c15441d423969f2972c3022d69cf70e56ae1ab5a710e7d81c13",
}


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="each Python writes syntax trees in its own way")
@pytest.mark.parametrize("name", KEYS)
def test_keys_of_the_built_in_networks_stay(name: str) -> None:
    """The key of each of our networks is what it was when the reference trainings were made.

    Another key would retrain, in every store, what nothing has changed for. Whoever changes a number of a
    training (its builder, the loop, the scaling) changes these literals with it, and says so in the commit.
    """
    settings = {"epochs": None, "learning_rate": None, "data_digest": MNIST}
    assert replace(specified(name, **settings), versions=VERSIONS).key == KEYS[name]


def test_prepared_mnist_stays(mnist: Path) -> None:
    """The digest of the prepared arrays of MNIST, which is part of each of these keys, is what it was, too."""
    assert content_digest(split(checked(read_npz(mnist, "mnist"), "mnist").arrays, 0.1, None)) == MNIST
