"""A network of one's own: what of its text counts, what is kept, and that nothing else is run."""

import pickle
from pathlib import Path

import pytest
from own_files import edit, write_files
from pipeline_runs import bits_of_training
from specified import SETTINGS
from training_process import Process, folder_of, only, train

from tasks.store.layout import PROJECT
from tasks.training.catalogue import read_network, read_recipe
from tasks.training.networks import MODELS
from tasks.training.own_network import OWN_FILES, kept_network, own_network
from tasks.training.specification import LOOP, code_digests, specifications


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The path of a file with the networks `wide` and `deep`."""
    return write_files(tmp_path / "files")


def changed(file: Path, before: dict[str, dict[str, str]]) -> list[str]:
    """The networks of the file whose digests are others than before."""
    return [name for name, digests in before.items() if code_digests(read_network(file, name)) != digests]


def digests(file: Path) -> dict[str, dict[str, str]]:
    """What is in the keys of the file's two networks."""
    return {name: code_digests(read_network(file, name)) for name in ("wide", "deep")}


def test_what_is_in_the_key(file: Path) -> None:
    """The function in its file, each module that is imported from its folder, our scaling and our loop."""
    assert list(digests(file)["wide"]) == ["mine.py:wide", "helper.py", "deeper.py", "scale", LOOP]
    ours = code_digests(MODELS["cnn"].build)
    assert {part: digests(file)["wide"][part] for part in ("scale", LOOP)} == {
        part: ours[part] for part in ("scale", LOOP)
    }


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("mine.py", "import keras\n", "# a comment\nimport keras\n", []),
        ("mine.py", "One hidden layer", "Another docstring", []),
        ("mine.py", '"epochs": 7', '"epochs": 8', []),
        ("mine.py", "WIDTH = 8", "WIDTH = 9", ["wide", "deep"]),  # a statement may do anything
        ("mine.py", "hidden(WIDTH)", "hidden(2 * WIDTH)", ["wide"]),
        ("mine.py", "2 * values", "3 * values", ["deep"]),
        ("mine.py", 'activation="softmax"', 'activation="softmax", name="last"', ["wide", "deep"]),
        ("helper.py", "Dense(width", "Dense(2 * width", ["wide", "deep"]),
        ("helper.py", "import deeper", "import deeper  # a comment", []),
        ("deeper.py", "relu", "elu", ["wide", "deep"]),
        ("unused.py", "1 / 0", "2 / 0", []),
    ],
)
def test_what_an_edit_changes(file: Path, name: str, old: str, new: str, expected: list[str]) -> None:
    """Only the networks that can run the edited statement get another key."""
    before = digests(file)
    edit(file.with_name(name), old, new)
    assert changed(file, before) == expected


def test_defaults(file: Path) -> None:
    """Epochs and learning rate are those of DEFAULTS, the rest is as for ours; nothing of the file is run."""
    edit(file, "import keras\n", "import keras\nraise SystemExit\n")
    recipe = read_recipe(file, "wide")
    assert (recipe.epochs, recipe.learning_rate, recipe.learning_rate_schedule) == (3, 0.002, "constant")
    assert not recipe.compile_with_xla


def test_weights_may_be_averaged(file: Path) -> None:
    """DEFAULTS may ask for averaged weights; the code that averages is then in the key, but none of one's own."""
    edit(file, '"epochs": 7', '"averages_weights": True')
    settings = {name: value for name, value in SETTINGS.items() if name != "model"}
    wide, deep = specifications(
        {name: read_recipe(file, name) for name in ("wide", "deep")}, [0], "digest", **settings
    )
    assert [each.averages_weights for each in (wide, deep)] == [False, True]
    assert list(deep.own_code) == ["mine.py:deep", "helper.py", "deeper.py"]


def test_without_defaults(file: Path) -> None:
    """A network that DEFAULTS does not name has 20 epochs at 0.001."""
    edit(file, "DEFAULTS", "SETTINGS")
    recipe = read_recipe(file, "wide")
    assert (recipe.epochs, recipe.learning_rate) == (20, 0.001)


def test_it_builds(file: Path) -> None:
    """Called, it is the function: layers, helper and image shape are those of the file."""
    network = pickle.loads(pickle.dumps(read_network(file, "wide")))
    model = network((4, 4, 1), 3)
    assert [layer.name.rstrip("_0123456789") for layer in model.layers] == ["flatten", "dense", "dense"]
    assert model.count_params() == 16 * 8 + 8 + 8 * 3 + 3


def test_networks_with_equal_modules(tmp_path: Path) -> None:
    """Two networks in one process whose files have equal names each get their own modules."""
    files = [write_files(tmp_path / name) for name in ("one", "other")]
    edit(files[1].with_name("helper.py"), "Dense(width", "Dense(2 * width")
    networks = [read_network(file, "wide") for file in files]
    assert [network((4, 4, 1), 3).layers[1].units for network in (*networks, networks[0])] == [8, 16, 8]


def test_what_is_not_in_the_key_is_not_run(file: Path) -> None:
    """A definition that is reached by a name put together, and a module imported so, are not there."""
    edit(file, "hidden(WIDTH)", 'globals()["de" + "ep"]')
    with pytest.raises(KeyError, match="deep"):
        read_network(file, "wide")((4, 4, 1), 3)
    edit(file, 'globals()["de" + "ep"]', '__import__("unu" + "sed")')
    with pytest.raises(ModuleNotFoundError, match="unused"):
        read_network(file, "wide")((4, 4, 1), 3)


def test_it_is_kept(file: Path, tmp_path: Path) -> None:
    """The files are kept as text, and not written again for a comment; a damaged one is."""
    kept, network = tmp_path / "kept", read_network(file, "wide")
    network.keep(kept)
    assert kept_network(kept, "wide", network.digests()) == network
    edit(file, "import keras\n", "import keras  # a comment\n")
    read_network(file, "wide").keep(kept)
    assert kept_network(kept, "wide", network.digests()) == network
    for damage in ("x" * 10, "(", "\0"):
        (kept / "helper.py").write_text(damage)
        assert kept_network(kept, "wide", network.digests()) is None
        network.keep(kept)
        assert kept_network(kept, "wide", network.digests()) == network


@pytest.mark.long
def test_killed_and_started_again(file: Path, tmp_path: Path) -> None:
    """Killed twice, its training goes on from the text that is kept, and ends with the bits of one left alone."""
    edit(file, "hidden(WIDTH),", "hidden(WIDTH), Twice(), keras.layers.Dropout(0.5),")
    recipe = read_recipe(file, "wide")
    settings = {"epochs": 40, "batch_size": 32, "learning_rate": None, "precision": "float32"}
    (specification,) = specifications(
        {"wide": recipe}, [0], "digest", pixel_scaling="unit", threads=1, **settings
    )
    bits = []
    for kills in (0, 2):
        (tmp_path / str(kills)).mkdir()
        folder = folder_of(tmp_path / str(kills), specification)
        own_network(recipe).keep(folder / OWN_FILES)
        for _ in range(kills):
            with Process(folder) as process:
                process.wait_for("epoch")
                process.process.kill()
                process.wait()
            assert not (folder / "training.json").exists(), "it had ended before the kill"
        said = train(folder)
        assert (only(said, "ready")["epochs_done"] > 0) == (kills > 0)
        bits.append(bits_of_training(folder))
    assert bits[0] == bits[1]


def test_the_example() -> None:
    """Each network of the example is known by its own statements: the layer of one is not in the other's key."""
    example = PROJECT / "networks" / "example.py"
    trees = {name: read_network(example, name).tree("example.py") for name in ("wide", "residual")}
    names = {name: [node.name for node in tree.body if hasattr(node, "name")] for name, tree in trees.items()}
    assert names == {"wide": ["wide"], "residual": ["Residual", "residual"]}
