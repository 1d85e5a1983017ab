"""What makes two trainings the same, and what does not."""

import ast
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
from specified import SETTINGS, specified

from tasks import files
from tasks.store.layout import PROJECT
from tasks.training.networks import MODELS
from tasks.training.specification import (
    AVERAGING,
    LOOP,
    Specification,
    code_digests,
    specifications,
    why_not_reused,
)

NETWORKS = "tasks/training/networks.py"


def keep(artifacts: Path, specification: Specification, **changed: Any) -> None:
    """Write the specification of a training that is kept, with some entries changed, as its key says."""
    spec = specification.to_json() | changed
    folder = f"{specification.model}-{specification.seed}-{files.digest_of(spec)[:12]}"
    files.write_json(artifacts / "trainings" / folder / "spec.json", spec)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A copy of the project's code."""
    shutil.copytree(PROJECT / "tasks", tmp_path / "tasks")
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    """Replace the first occurrence of a text that is there."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def changed(code: Path) -> list[str]:
    """The networks whose key is another one with this code."""
    return [
        name
        for name, recipe in MODELS.items()
        if code_digests(recipe.build, recipe.averages_weights, code)
        != code_digests(recipe.build, recipe.averages_weights)
    ]


def test_comments_and_docstrings_retrain_nothing(code: Path) -> None:
    """Comments, docstrings and layout, also of what decides the numbers, leave every key as it is."""
    edit(code / NETWORKS, "def build_cnn", "# a comment\n\n\ndef build_cnn")
    edit(code / NETWORKS, "Two convolutions, not regularised", "Another docstring")
    edit(code / LOOP, "Return the L2 penalty", "Another docstring")
    edit(code / LOOP, "# often enough", "# another comment")
    assert changed(code) == []


@pytest.mark.parametrize(
    "module",
    [
        *("files", "errors", "store/sealed", "training/fit", "training/checkpoint", "training/progress"),
        *("training/process", "training/train", "report/write"),
    ],
)
def test_messages_files_and_progress_retrain_nothing(code: Path, module: str) -> None:
    """Whatever is written in a module that decides no number, every key stays as it is."""
    path = code / "tasks" / f"{module}.py"
    assert path.is_file()
    path.write_text("another text")
    assert changed(code) == []


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        (LOOP, "STEPS_PER_CALL = 32", "STEPS_PER_CALL = 16"),
        (NETWORKS, '{"unit": 255', '{"unit": 256'),
    ],
)
def test_changing_the_loop_or_the_scaling_retrains_all(code: Path, module: str, old: str, new: str) -> None:
    """A statement changed in the training loop, or another scaling of the pixels, changes every key."""
    edit(code / module, old, new)
    assert changed(code) == list(MODELS)


def test_changing_the_averaging_retrains_what_averages(code: Path) -> None:
    """A statement changed in the averaging changes the keys of the networks that average their weights alone."""
    edit(code / AVERAGING, "MOMENTUM = 0.999", "MOMENTUM = 0.99")
    assert changed(code) == ["sprinter", "challenger"]


def test_changing_a_layer_retrains_what_has_it(code: Path) -> None:
    """A change of a layer of ours changes the keys of the networks whose builders import it, and no other."""
    edit(code / "tasks/training/distortion.py", "tf.floor", "tf.round")
    assert changed(code) == ["challenger"]


@pytest.mark.parametrize("builder", sorted({recipe.build.__name__ for recipe in MODELS.values()}))
def test_changing_a_network_retrains_that_network(code: Path, builder: str) -> None:
    """A change in one builder changes the keys of its networks and no other."""
    edit(code / NETWORKS, f'name="{builder.removeprefix("build_")}"', 'name="another"')
    assert changed(code) == [name for name, recipe in MODELS.items() if recipe.build.__name__ == builder]


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (LOOP, {"networks.scale", "specification.Specification"}),
        (AVERAGING, {"loop.Array", "loop.Network", "loop.drop_half", "specification.Specification"}),
    ],
)
def test_what_decides_the_numbers_uses_nothing_that_is_not_in_the_key(
    module: str, expected: set[str]
) -> None:
    """Of the project's own code they have only each other, the scaling and the names of the settings."""
    imported = {
        f"{node.module}.{name.name}".removeprefix("tasks.training.")
        for node in ast.walk(ast.parse((PROJECT / module).read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("tasks", "flows"))
        for name in node.names
    }
    assert imported == expected


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"learning_rate": 0.002}, "learning_rate 0.001 -> 0.002"),
        ({"epochs": 3}, "epochs 50 -> 3"),
        ({"precision": "mixed_bfloat16"}, "precision float32 -> mixed_bfloat16"),
        ({"threads": 4}, "threads 2 -> 4"),
        ({"pixel_scaling": "none"}, "pixel_scaling unit -> none"),
        ({"data_digest": "another"}, "other images (data set, validation_split or train_samples)"),
    ],
)
def test_settings_and_data_are_part_of_the_key(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    """Another setting or other images are another training, and the reason says what differs, without digests."""
    new = specified(**change)
    assert new.key != specified().key
    keep(tmp_path, specified())
    assert why_not_reused(tmp_path, new) == f"differs from the nearest kept training: {words}"


def test_versions_and_code_are_part_of_the_key(tmp_path: Path) -> None:
    """Another version of a package, or a training kept under older code, is named as the difference."""
    new = specified()
    keep(tmp_path, new, versions=new.versions | {"keras": "1.0"}, code={"build_dense": "old", "fit": "old"})
    reason = why_not_reused(tmp_path, new)
    assert f"keras 1.0 -> {new.versions['keras']}" in reason
    assert f"code of scale changed, code of build_dense changed, code of {LOOP} changed" in reason


def test_first_training(tmp_path: Path) -> None:
    """Without a neighbour that can be understood, the reason says that it is the first."""
    new = specified("cnn")
    keep(tmp_path, new, code="of another version")
    keep(tmp_path, new, setting_of_another_version=1)
    damaged = tmp_path / "trainings" / "cnn-0-damaged" / "spec.json"
    damaged.parent.mkdir(parents=True)
    for text in ("{", "[]", "null", '{"model": "cnn", "seed": 0}'):
        damaged.write_text(text)
        assert why_not_reused(tmp_path, new) == "first training of this network with this seed here"


def test_folder_name_can_be_read(tmp_path: Path) -> None:
    """A training's folder names network, seed and the beginning of the key."""
    network = specified("regularized_cnn")
    assert network.folder(tmp_path) == tmp_path / "trainings" / f"regularized_cnn-0-{network.key[:12]}"


def test_each_network_with_each_seed_once() -> None:
    """The order is that of the networks, then of the seeds; a seed named twice is trained once."""
    found = specifications({name: MODELS[name] for name in ("cnn", "dense")}, [1, 0, 1], "digest", **SETTINGS)
    assert [(each.model, each.seed) for each in found] == [("cnn", 1), ("cnn", 0), ("dense", 1), ("dense", 0)]
    assert [each.epochs for each in found] == [20, 20, 50, 50]


def test_a_specification_survives_json_and_pickle(tmp_path: Path) -> None:
    """The training process reads what the flow wrote, a Dask worker unpickles it; the key is the same."""
    specification = specified()
    files.write_json(tmp_path / "spec.json", specification.to_json())
    read = Specification.from_json(files.read_json(tmp_path / "spec.json"))
    assert read == pickle.loads(pickle.dumps(specification)) == specification
    assert read.key == specification.key
