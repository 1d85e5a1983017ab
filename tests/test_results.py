"""A run gathered into results.json."""

import json
from pathlib import Path
from typing import Any

import pytest
from synthetic import make_run

from tasks.comparison.compare import collect_results
from tasks.files import read_json
from tasks.results import SCHEMA_VERSION

KEYS = (
    *("schema_version", "status", "parameters", "provenance", "dataset", "models", "comparisons", "gates"),
    *("failures", "previous_run", "summary", "questions", "digest"),
)


def results_of(folder: Path, **arguments: Any) -> dict[str, Any]:
    """The results of an invented run on 200 test images."""
    content = (make_run(folder, **{"test_images": 200, **arguments}) / "results.json").read_text()

    def reject(constant: str) -> None:
        raise AssertionError(f"{constant} is not strict JSON")

    return dict(json.loads(content, parse_constant=reject))


def header(*models: str, seeds: tuple[int, ...] = (0,)) -> dict[str, Any]:
    """The least that `collect_results` wants to know of a run."""
    return {
        "parameters": {"seeds": list(seeds)},
        "provenance": {"run": "now"},
        "dataset": {},
        "models": {model: {"epochs": 10} for model in models},
    }


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The results of the default three networks."""
    return results_of(tmp_path_factory.mktemp("usual"))


def test_the_schema_is_complete(usual: dict[str, Any]) -> None:
    """results.json has the documented parts, and says which version of the schema it follows."""
    assert tuple(usual) == KEYS
    assert (usual["schema_version"], usual["status"]) == (SCHEMA_VERSION, "completed")


def test_models_keep_the_order_of_the_run(usual: dict[str, Any]) -> None:
    """Models stand in the order in which the user named them, each with its planned epochs."""
    assert {name: model["epochs"] for name, model in usual["models"].items()} == {
        "dense": 50,
        "cnn": 20,
        "regularized_cnn": 30,
    }


def test_every_pair_is_compared(usual: dict[str, Any]) -> None:
    """Three models make three comparisons."""
    assert [pair["models"] for pair in usual["comparisons"]] == [
        ["dense", "cnn"],
        ["dense", "regularized_cnn"],
        ["cnn", "regularized_cnn"],
    ]


def test_one_seed_has_no_standard_deviation(usual: dict[str, Any]) -> None:
    """The aggregate of a single training is that training, without a spread."""
    model = usual["models"]["cnn"]
    accuracy = model["trainings"][0]["test"]["accuracy"]
    assert model["aggregate"]["test_accuracy"] == {
        "mean": accuracy,
        "standard_deviation": None,
        "minimum": accuracy,
        "maximum": accuracy,
        "n": 1,
    }


def test_seeds_are_aggregated(tmp_path: Path) -> None:
    """Mean, standard deviation (n - 1) and range over the seeds, and how many show an onset."""
    model = results_of(tmp_path, models=("dense",), seeds=(2, 0, 1))["models"]["dense"]
    accuracies = [training["test"]["accuracy"] for training in model["trainings"]]
    aggregate = model["aggregate"]
    mean = sum(accuracies) / 3
    variance = sum((accuracy - mean) ** 2 for accuracy in accuracies) / 2
    assert [training["seed"] for training in model["trainings"]] == [0, 1, 2]
    assert aggregate["test_accuracy"]["mean"] == pytest.approx(mean)
    assert aggregate["test_accuracy"]["standard_deviation"] == pytest.approx(variance**0.5)
    assert aggregate["onset"]["seeds"] == aggregate["n_seeds"] == 3


def test_a_failed_training_is_not_hidden(tmp_path: Path) -> None:
    """It has an entry with its error and nulls, the run is failed, and the summary names it."""
    results = results_of(tmp_path, models=("dense", "cnn"), missing=("cnn",))
    (failed,) = results["models"]["cnn"]["trainings"]
    assert {key for key, value in failed.items() if value is not None} == {"seed", "error"}
    assert set(failed) == set(results["models"]["dense"]["trainings"][0])
    assert results["models"]["cnn"]["aggregate"] is None
    assert results["status"] == "failed"
    assert "Failed: train-cnn (seed 0): The training process was killed." in results["summary"]


def test_a_training_that_vanished_is_a_failure() -> None:
    """What was planned and left neither a result nor an error is reported."""
    results = collect_results(header("dense"), [], {})
    assert results["failures"] == [
        {"task": "train-dense", "model": "dense", "seed": 0, "error": "it ended without a result"}
    ]
    assert results["models"]["dense"]["trainings"][0]["error"] == "it ended without a result"


def test_a_failed_download_is_named_once() -> None:
    """If a step that all need failed, that is the failure; the trainings did not run because of it."""
    failure = {"task": "download-mnist", "model": None, "seed": None, "error": "no network\nat all"}
    results = collect_results(header("dense", "cnn", seeds=(0, 1)), [], {}, [failure])
    assert results["failures"] == [failure]
    assert results["models"]["cnn"]["trainings"][1]["error"] == (
        "it did not run, because download-mnist failed"
    )
    assert results["summary"] == ["Failed: download-mnist: no network."]


def test_a_diverged_training_is_a_result(tmp_path: Path) -> None:
    """A network whose loss is no longer finite is reported, compared, and no failure."""
    results = results_of(tmp_path, models=("dense", "cnn"), diverged=("cnn",))
    (training,) = results["models"]["cnn"]["trainings"]
    assert (training["diverged"], training["test"]["nll"], results["status"]) == (True, None, "completed")
    assert results["models"]["cnn"]["aggregate"]["test_nll"]["mean"] is None
    assert results["comparisons"][0]["significant"]


def test_a_gate_that_fails_fails_the_run(tmp_path: Path) -> None:
    """The status is failed, the results are there, and the summary says by how much."""
    results = results_of(tmp_path, models=("dense",), gates={"min_test_accuracy": 0.999})
    assert results["status"] == "failed"
    assert results["models"]["dense"]["aggregate"]["n_seeds"] == 1
    assert results["summary"][-1].startswith("1 gate failed: dense: test accuracy 9")


def test_the_digest_covers_the_results_alone(tmp_path: Path) -> None:
    """The same measurements have the same digest whenever and wherever they were made; others do not."""
    first = results_of(tmp_path, models=("dense",), name="1-first")
    again = results_of(tmp_path / "elsewhere", models=("dense",), name="2-second")
    other = results_of(tmp_path, models=("dense",), name="3-third", shift=-0.1)
    digests = [results["provenance"]["digest"] for results in (first, again, other)]
    assert digests[0] == digests[1] != digests[2]


def test_the_previous_run_is_compared(tmp_path: Path) -> None:
    """Each common model and seed has a line, and a drop beyond the limit fails the gate."""
    before = make_run(tmp_path, models=("dense", "cnn"), name="1-before")
    run = make_run(
        tmp_path,
        models=("dense",),
        name="2-now",
        shift=-0.1,
        previous=before,
        gates={"max_accuracy_drop": 0.01},
    )
    results = read_json(run / "results.json")
    (line,) = results["previous_run"]["models"]
    assert (results["previous_run"]["run"], line["model"]) == ("1-before", "dense")
    assert line["verdict"].startswith("worse than before")
    assert [(gate["model"], gate["passed"]) for gate in results["gates"]] == [("dense", False)]


def test_the_summary_is_short(tmp_path: Path) -> None:
    """However much goes wrong, the summary has at most five sentences."""
    before = make_run(tmp_path, test_images=200, name="1-before")
    results = results_of(
        tmp_path,
        name="2-now",
        models=("dense", "cnn", "regularized_cnn", "deep_cnn", "challenger"),
        seeds=(0, 1, 2),
        missing=("deep_cnn",),
        diverged=("challenger",),
        previous=before,
        gates={"min_test_accuracy": 0.999, "max_accuracy_drop": 0.0},
    )
    assert len(results["summary"]) <= 5
