"""A network with layers of one's own is asked too, and no code is run but that of a file one trusts."""

from pathlib import Path

import numpy as np
import pytest

from tasks import files
from tasks.errors import UserError
from tasks.recognition.predict import MODEL, made_of_keras, probabilities
from tasks.store.layout import PROJECT
from tasks.store.sealed import write_record
from tasks.training.catalogue import read_network
from tasks.training.own_network import OWN_FILES
from tasks.training.specification import code_digests

EXAMPLE = PROJECT / "networks" / "example.py"
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)


def kept(folder: Path, function: str) -> list[list[float]]:
    """Keep an untrained network of the example as a training leaves it; return its answers to the images."""
    network = read_network(EXAMPLE, function)
    model = network((28, 28, 1), 10)
    folder.mkdir()
    model.save(folder / MODEL)
    weights = {f"weight_{number:03}": value for number, value in enumerate(model.get_weights())}
    np.savez(folder / "checkpoint-0001-0.npz", **weights)
    record = {"spec": {"model": function, "code": code_digests(network), "pixel_scaling": "unit"}}
    write_record(folder / "training.json", record, [folder / MODEL, folder / "checkpoint-0001-0.npz"])
    network.keep(folder / OWN_FILES)
    answers: list[list[float]] = model.predict(IMAGES[..., np.newaxis] / np.float32(255), verbose=0).tolist()
    return answers


def test_a_layer_of_ones_own(tmp_path: Path) -> None:
    """Built by the file that it was trained from, wherever that lies, the network gives the same answers."""
    answers = kept(tmp_path / "residual", "residual")
    moved = tmp_path / "elsewhere" / "example.py"
    files.write_text(moved, "# a comment\n" + EXAMPLE.read_text())
    np.testing.assert_allclose(probabilities(tmp_path / "residual", IMAGES, [moved]), answers, rtol=1e-5)


def test_layers_of_keras_need_no_code(tmp_path: Path) -> None:
    """A network made of Keras's layers is read without any file."""
    answers = kept(tmp_path / "wide", "wide")
    np.testing.assert_allclose(probabilities(tmp_path / "wide", IMAGES), answers, rtol=1e-5)


def test_other_code_is_not_run(tmp_path: Path) -> None:
    """The code in the training's folder is never run, nor a file with other code: one line says what to do."""
    folder = tmp_path / "residual"
    kept(folder, "residual")
    other = tmp_path / "example.py"
    other.write_text(EXAMPLE.read_text().replace("images + ", "images - "))
    files.write_text(folder / OWN_FILES / "example.py", "raise SystemExit('was run')")
    with pytest.raises(UserError) as caught:
        probabilities(folder, IMAGES, [other, folder / OWN_FILES / "example.py"])
    assert f"Read {folder}/network/example.py" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_kerass() -> None:
    """Whatever part of a description is from elsewhere, a nested layer or a function, needs code."""
    layer = {"module": "keras.layers", "class_name": "Dense", "config": {"activation": "relu"}}
    assert made_of_keras({"module": "keras", "config": {"layers": [layer, layer]}})
    for part in ({"module": "mine"}, {"module": "builtins", "class_name": "function"}, {"module": "keras_2"}):
        nested = {**layer, "config": {"inner": part}}
        assert not made_of_keras({"module": "keras", "config": {"layers": [nested]}})
