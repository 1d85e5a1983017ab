"""results.json on disk: written sealed, read and checked, described by a schema."""

import shutil
from pathlib import Path

import pytest
from synthetic import make_run

from tasks.errors import UserError
from tasks.files import digest_of, read_json, write_json
from tasks.results.file import RESULTS, json_schema, read_own_results, read_results, write_results
from tasks.store.layout import PROJECT

SCHEMA = PROJECT / "docs" / "results.schema.json"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of dense and cnn, of which cnn failed."""
    return make_run(tmp_path, models=("dense", "cnn"), missing=("cnn",), test_images=100)


def test_read_back(run: Path, tmp_path: Path) -> None:
    """What was written is read back, failed trainings included."""
    results = read_results(run)
    (tmp_path / "again").mkdir()
    write_results(tmp_path / "again", results)
    assert read_results(tmp_path / "again") == results
    assert (tmp_path / "again" / RESULTS).read_bytes() == (run / RESULTS).read_bytes()


def test_results_of_another_run(run: Path) -> None:
    """A run's folder that holds the results of another one is named; its own are read."""
    assert read_own_results(run) == read_results(run)
    shutil.copytree(run, other := run.parent / "copied-by-hand")
    with pytest.raises(UserError) as caught:
        read_own_results(other)
    assert str(caught.value) == f"{other / RESULTS} holds the results of another run, {run.name}."


def test_the_committed_schema_is_that_of_the_types() -> None:
    """docs/results.schema.json says what the program writes; `make schema` writes it anew."""
    assert SCHEMA.read_text() == json_schema()


def test_interface(run: Path) -> None:
    """Other programs rely on these names."""
    results = read_json(run / RESULTS)
    (dense,) = results["models"]["dense"]["trainings"]
    assert {"comparisons", "gates", "failures"} <= results.keys()
    assert results["models"]["dense"]["parameter_count"] == 51_450
    assert {"seed", "origin", "error", "seconds", "epoch_seconds"} <= dense.keys()
    assert set(dense["history"]) == {
        *("loss", "accuracy", "val_loss", "val_accuracy"),
        *("train_nll", "val_nll", "train_accuracy_inference"),
    }
    assert {"accuracy", "accuracy_ci95", "nll"} <= dense["test"].keys()
    assert {"status", "epoch", "interval", "severity"} <= dense["onset"].keys()
    assert results["models"]["cnn"]["trainings"] == [{"seed": 0, "error": "The training process was killed."}]


def test_another_version(run: Path) -> None:
    """A file of another version gets one line that says what to do."""
    write_json(run / RESULTS, {"schema_version": 1, "status": "completed"})
    with pytest.raises(
        UserError, match=r"is of schema version 1, .* reads 4\. Run the pipeline again"
    ) as caught:
        read_results(run)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "done"}, "status: Input should be 'completed' or 'failed'"),
        ({"surprise": 1}, "surprise: Extra inputs are not permitted"),
        ({"models": {"dense": {}}}, "models.dense.epochs: Field required"),
    ],
)
def test_a_file_that_does_not_fit_the_types(run: Path, change: dict[str, object], reason: str) -> None:
    """The first field that does not fit is named."""
    content = read_json(run / RESULTS) | change
    del content["digest"]
    write_json(run / RESULTS, {**content, "digest": digest_of(content)})
    with pytest.raises(UserError) as caught:
        read_results(run)
    assert reason in str(caught.value)


@pytest.mark.parametrize("damage", ["", "{", "[]", "[" * 100_000, "\udcff", None])
def test_damage(run: Path, damage: str | None) -> None:
    """A damaged file, were it a single digit, is a UserError of one line."""
    path = run / RESULTS
    text = path.read_text().replace("754.0", "755.0") if damage is None else damage
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UserError) as caught:
        read_results(run)
    assert len(str(caught.value).splitlines()) == 1


def test_no_run(tmp_path: Path) -> None:
    """A folder without results is named, with an example of one that has them."""
    with pytest.raises(UserError, match=r"holds no results\.json, .*; expected a run folder"):
        read_results(tmp_path)
