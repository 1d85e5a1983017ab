"""Files with networks of one's own, as a person may write them."""

from pathlib import Path

NETWORK = """import keras
from helper import hidden

DEFAULTS = {"wide": {"epochs": 3, "learning_rate": 0.002}, "deep": {"epochs": 7}}
WIDTH = 8


def wide(input_shape, classes):
    \"\"\"One hidden layer.\"\"\"
    return keras.Sequential([
        keras.Input(input_shape), keras.layers.Flatten(), hidden(WIDTH), output(classes),
    ])


def deep(input_shape, classes):
    return keras.Sequential([keras.Input(input_shape), keras.layers.Flatten(), Twice(), output(classes)])


class Twice(keras.layers.Layer):
    def call(self, values):
        return 2 * values


def output(classes):
    return keras.layers.Dense(classes, activation="softmax")
"""
HELPER = """import keras
import deeper


def hidden(width):
    return keras.layers.Dense(width, activation=deeper.ACTIVATION)
"""


def write_files(folder: Path) -> Path:
    """Write a file with two networks, and the modules that it imports; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "helper.py").write_text(HELPER)
    (folder / "deeper.py").write_text('ACTIVATION = "relu"\n')
    (folder / "unused.py").write_text("1 / 0\n")
    (folder / "mine.py").write_text(NETWORK)
    return folder / "mine.py"


def edit(path: Path, old: str, new: str) -> None:
    """Replace the first occurrence of a text that is there."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
