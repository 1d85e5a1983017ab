"""What makes two trainings the same, and what does not."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tasks import files
from tasks.layout import PROJECT
from tasks.training import specification
from tasks.training.networks import MODELS

SETTINGS = {
    "epochs": None,
    "batch_size": 128,
    "learning_rate": 0.001,
    "pixel_scaling": "unit",
    "precision": "float32",
    "threads": 2,
}


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A copy of the code that trainings run."""
    return Path(shutil.copytree(PROJECT / "tasks", tmp_path / "tasks"))


def edit(path: Path, old: str, new: str) -> None:
    """Replace the first occurrence of a text that is there."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def changed(code: Path) -> list[str]:
    """The networks whose key is another one with this code."""
    return [
        name for name in MODELS if specification.code_digests(name, code) != specification.code_digests(name)
    ]


def test_comments_and_reports_retrain_nothing(code: Path) -> None:
    """Comments, docstrings, layout and any change in the report leave every key as it is."""
    edit(code / "models.py", "def build_cnn", "# a comment\n\n\ndef build_cnn")
    edit(code / "models.py", "Two convolutions, not regularised", "Another docstring")
    edit(code / "fit.py", '"""Return the value, or None', '"""Another docstring, or None')
    (code / "report.py").write_text("nonsense(")
    assert changed(code) == []


def test_changing_a_network_retrains_that_network(code: Path) -> None:
    """A dropout of .4 instead of .5 in the regularised network changes its key and no other."""
    edit(code / "models.py", "layers.Dropout(0.5)", "layers.Dropout(0.4)")
    assert changed(code) == ["regularized_cnn"]


@pytest.mark.parametrize("module", specification.FIT_MODULES)
def test_changing_what_a_training_runs_retrains_all(code: Path, module: str) -> None:
    """A change in a module that the training process runs changes every key."""
    (code / f"{module}.py").write_text((code / f"{module}.py").read_text() + "\nchanged = 1\n")
    assert changed(code) == list(MODELS)


def test_fit_modules_are_all_that_fit_runs() -> None:
    """The training process loads exactly the project's modules whose code is part of the key."""
    code = "import sys, tasks.fit; print(*sorted(m for m in sys.modules if m.startswith('tasks.')))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    expected = {f"tasks.{name}" for name in (*specification.FIT_MODULES, "models")}
    assert set(done.stdout.split()) == expected


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"learning_rate": 0.002}, "learning_rate 0.001 -> 0.002"),
        ({"epochs": 3}, "epochs 50 -> 3"),
        ({"precision": "mixed_bfloat16"}, "precision float32 -> mixed_bfloat16"),
        ({"threads": 4}, "threads 2 -> 4"),
        ({"pixel_scaling": "none"}, "pixel_scaling unit -> none"),
    ],
)
def test_settings_are_part_of_the_key(tmp_path: Path, change: dict, words: str) -> None:
    """Another setting is another training, and the log can say which one differs."""
    old = specification.specification("dense", 0, "digest", **SETTINGS)
    new = specification.specification("dense", 0, "digest", **{**SETTINGS, **change})
    folder = specification.training_folder(tmp_path, old)
    assert specification.training_folder(tmp_path, new) != folder
    files.write_json(folder / "spec.json", old)
    assert words in specification.why_not_reused(specification.training_folder(tmp_path, new), new)


def test_data_is_part_of_the_key(tmp_path: Path) -> None:
    """Other images are another training; the reason does not quote digests."""
    old, new = (specification.specification("cnn", 0, digest, **SETTINGS) for digest in ("one", "two"))
    files.write_json(specification.training_folder(tmp_path, old) / "spec.json", old)
    reason = specification.why_not_reused(specification.training_folder(tmp_path, new), new)
    assert "other images" in reason
    assert len(reason) < 150


def test_first_training(tmp_path: Path) -> None:
    """Without a neighbour, or with a damaged one, the reason says that it is the first."""
    spec = specification.specification("cnn", 0, "digest", **SETTINGS)
    damaged = tmp_path / "trainings" / "cnn-0-damaged" / "spec.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_text("{")
    assert "first training" in specification.why_not_reused(
        specification.training_folder(tmp_path, spec), spec
    )


def test_folder_name_can_be_read(tmp_path: Path) -> None:
    """A training's folder names network and seed."""
    spec = specification.specification("regularized_cnn", 7, "digest", **SETTINGS)
    assert specification.training_folder(tmp_path, spec).name.startswith("regularized_cnn-7-")
