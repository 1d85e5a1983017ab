"""What is found before anything is trained: networks that cannot be built, trained, resumed or written."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from specified import specified

from tasks.errors import UserError
from tasks.store.layout import PROJECT
from tasks.training.catalogue import chosen, read_network
from tasks.training.check import doubtful, tried, without
from tasks.training.networks import MODELS, Recipe
from tasks.training.specification import Specification, specifications
from tasks.training.try_networks import problem

SEQUENTIAL = "keras.Sequential([keras.Input(input_shape), keras.layers.Flatten(), {}])"
SOFTMAX = 'keras.layers.Dense(classes, activation="softmax")'
GOOD = f"return {SEQUENTIAL.format(SOFTMAX)}"


def data(*shape: int) -> dict[str, Any]:
    """Sixteen random images of ten classes."""
    images = np.random.default_rng(0).integers(0, 256, (16, *shape), np.uint8)
    return {"x_train": images, "y_train": (np.arange(16) % 10).astype(np.uint8)}


def found(tmp_path: Path, body: str, before: str = "", signature: str = "input_shape, classes") -> str | None:
    """What is said of a network whose function has this body."""
    (tmp_path / "mine.py").write_text(f"import keras\n\n{before}\ndef wide({signature}):\n    {body}\n")
    network = read_network(tmp_path / "mine.py", "wide")
    (specification,) = specified_own(Recipe(network, 20))
    return problem(specification, network.texts, data(8, 8, 1))


def specified_own(recipe: Recipe) -> list[Specification]:
    """What to train: a network of one's own, with the settings of the other tests."""
    settings = {"batch_size": 8, "pixel_scaling": "unit", "precision": "float32", "threads": 1}
    return specifications({"wide": recipe}, [0], "digest", epochs=None, learning_rate=None, **settings)


def test_good_networks(tmp_path: Path) -> None:
    """A plain network, and the two of the example, one of them with a layer of its own, can be trained."""
    assert found(tmp_path, GOOD) is None
    for name in ("wide", "residual"):
        network = read_network(PROJECT / "networks" / "example.py", name)
        (specification,) = specified_own(Recipe(network, 20))
        assert problem(specification, network.texts, data(28, 28, 1)) is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return None", "returns NoneType. Expected a keras.Sequential"),
        ("1 / 0", "raised ZeroDivisionError in line 5 of mine.py: division by zero"),
        ("raise SystemExit('no')", "raised SystemExit in line 5 of mine.py: no"),
        ("import numpi", "raised ModuleNotFoundError in line 5 of mine.py: No module named 'numpi'"),
        ("return keras.Sequential([])", "does not take images of shape (8, 8, 1)"),
        (
            "return keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(classes)])",
            "does not take images",
        ),
        (
            "x = keras.Input(input_shape); return keras.Model(x, keras.layers.Flatten()(x))",
            "returns Functional.",
        ),
        (f"return {SEQUENTIAL.format('keras.layers.Dense(classes)')}", "ends with Dense (linear)."),
        (f"return {SEQUENTIAL.format('keras.layers.Softmax()')}", "ends with Softmax."),
        (f"classes = 7; {GOOD}", "gives an output of shape (7,) for 10 classes."),
        (
            f"return keras.Sequential([keras.Input(input_shape), {SOFTMAX}])",
            "gives an output of shape (8, 8, 10)",
        ),
        (f"return {SEQUENTIAL.format(SOFTMAX[:-1] + ', use_bias=False)')}", "ends with Dense (softmax)."),
    ],
)
def test_bad_networks(tmp_path: Path, body: str, expected: str) -> None:
    """What a function does wrong is one line that names it, its file and, if it raised, the line there."""
    words = found(tmp_path, body)
    assert words is not None
    assert words.startswith(f"wide in mine.py {expected}")
    assert "\n" not in words


def test_wrong_arguments(tmp_path: Path) -> None:
    """A function of other arguments is told by them, before it is called."""
    words = found(tmp_path, GOOD, signature="classes")
    assert words == "wide in mine.py takes (classes); expected (input_shape, classes)."


@pytest.mark.parametrize(
    ("layer", "fine"),
    [
        ("keras.layers.Dropout(0.3)", True),
        ("keras.layers.GaussianNoise(0.3)", True),
        ("keras.Sequential([keras.layers.Dropout(0.3)])", False),
        ("Noise()", False),
        ("Noise(1)", True),
    ],
)
def test_random_numbers(tmp_path: Path, layer: str, fine: bool) -> None:
    """A network whose random numbers the loop cannot set anew, so that it could not be resumed, is refused."""
    noise = """
class Noise(keras.layers.Layer):
    def __init__(self, seed=None, **settings):
        super().__init__(**settings)
        if seed:
            self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, values, training=False):
        return values + keras.random.normal((64,), seed=getattr(self, "seed_generator", None))
"""
    words = found(tmp_path, f"return {SEQUENTIAL.format(layer + ', ' + SOFTMAX)}", noise)
    assert (words is None) == fine, words
    assert fine or "does not repeat a step to the bit" in str(words)


def test_what_cannot_be_written(tmp_path: Path) -> None:
    """A layer that Keras cannot describe is found now, not when its training has ended."""
    layer = """
class Holder(keras.layers.Layer):
    def __init__(self, anything):
        super().__init__()

    def call(self, values):
        return values
"""
    words = found(tmp_path, f"return {SEQUENTIAL.format('Holder(object()), ' + SOFTMAX)}", layer)
    assert str(words).startswith("wide in mine.py raised NotImplementedError")


def test_ours_on_small_images() -> None:
    """Four poolings leave nothing of 8 x 8 pixels: that is said in one line; others can be built."""
    words = problem(specified("deep_cnn"), None, data(8, 8, 1))
    assert str(words).startswith("deep_cnn cannot be built for images of 8 x 8 pixels; they are too small")
    assert "\n" not in str(words)
    assert problem(specified("cnn"), None, data(8, 8, 3)) is None
    assert all(problem(specified(name), None, data(28, 28, 3)) is None for name in MODELS)


def test_only_what_is_in_doubt_is_asked(tmp_path: Path) -> None:
    """Ours on images like MNIST's, and what was begun before, cost no process; one seed stands for all."""
    file = tmp_path / "mine.py"
    file.write_text(f"import keras\n\ndef wide(input_shape, classes):\n    {GOOD}\n")
    recipes, _ = chosen(["cnn", f"{file}:wide"])
    settings = {"batch_size": 8, "pixel_scaling": "unit", "precision": "float32", "threads": 1}
    specs = specifications(recipes, [0, 1], "digest", epochs=None, learning_rate=None, **settings)
    assert [(each.model, each.seed) for each in doubtful(specs, recipes, (28, 28), tmp_path)] == [("wide", 0)]
    assert [each.model for each in doubtful(specs, recipes, (28, 8), tmp_path)] == ["cnn", "wide"]
    begun = specs[-1].folder(tmp_path)
    begun.mkdir(parents=True)
    (begun / "spec.json").write_text(json.dumps(specs[-1].to_json()))
    assert doubtful(specs, recipes, (28, 28), tmp_path) == []
    assert without(specs, {"wide": "a reason"}) == specs[:2]
    with pytest.raises(UserError, match="one reason another"):
        without(specs, {"wide": "one reason", "cnn": "another"})


def test_a_network_that_ends_its_process(tmp_path: Path) -> None:
    """A process that says nothing more has tried those before; how it ended is said of the one that ended it."""
    np.savez(tmp_path / "prepared.npz", **data(28, 28, 1))
    (tmp_path / "mine.py").write_text("import os\n\ndef wide(input_shape, classes):\n    os._exit(7)\n")
    recipes, _ = chosen(["dense", f"{tmp_path}/mine.py:wide", "cnn"])
    settings = {"batch_size": 8, "pixel_scaling": "unit", "precision": "float32", "threads": 1}
    specs = specifications(recipes, [0], "digest", epochs=None, learning_rate=None, **settings)
    said, ended = tried(specs, recipes, str(tmp_path / "prepared.npz"), None)
    assert said == [None]
    assert "exit code 7" in ended
