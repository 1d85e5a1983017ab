"""Which run recognize-digit asks, and which networks of it."""

from pathlib import Path
from typing import Any

import pytest
from prefect.logging import disable_run_logger
from synthetic import make_run

from tasks import files
from tasks.errors import UserError
from tasks.recognition.recognize import best_run, named_run
from tasks.results.enums import Status
from tasks.results.file import read_results, write_results
from tasks.results.run import Results
from tasks.results.training import FailedTraining, TrainingResult


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The results of a completed run with one training of dense."""
    with disable_run_logger():
        return read_results(
            make_run(tmp_path_factory.mktemp("run"), models=["dense"], epochs=5, test_images=100)
        )


def training(
    example: Results, seed: int, accuracy: float, nll: float | None, **changed: Any
) -> TrainingResult:
    """The example's training with another seed and other measures of its validation images."""
    [original] = example.models["dense"].finished
    validation = original.validation.model_copy(update={"accuracy": accuracy, "nll": nll})
    folder = f"trainings/some-{seed}"
    return original.model_copy(update={"seed": seed, "folder": folder, "validation": validation, **changed})


def run_of(
    folder: Path,
    example: Results,
    models: dict[str, list[TrainingResult | FailedTraining]],
    name: str = "run",
    **changed: Any,
) -> Path:
    """A run folder whose results.json names these trainings, all of which are kept."""
    model = example.models["dense"]
    of_models = {name: model.model_copy(update={"trainings": each}) for name, each in models.items()}
    results = example.model_copy(update={"models": of_models, **changed})
    write_results(folder / "runs" / name, results)
    for kept in (each for model in results.models.values() for each in model.finished):
        files.write_json(folder / kept.folder / "training.json", {})
    return folder / "runs" / name


def test_networks_of_a_run(tmp_path: Path, example: Results) -> None:
    """All sound trainings are asked; the best is the most accurate on validation, then that of lower NLL."""
    run = run_of(
        tmp_path,
        example,
        {
            "dense": [training(example, 0, 0.97, 0.1), training(example, 1, 0.98, 0.1)],
            "cnn": [training(example, 0, 0.99, 0.2), FailedTraining(seed=2, error="killed")],
            "other": [training(example, 0, 0.99, 0.1)],
            "gone": [training(example, 0, 0.1, None, diverged=True)],
        },
    )
    asked = named_run(run)
    networks = asked.networks
    assert [network.name for network in networks] == ["dense", "cnn", "other"]
    assert networks[0].folders == [str(tmp_path / "trainings" / f"some-{seed}") for seed in (0, 1)]
    assert networks[0].validation_accuracy == pytest.approx(0.975)
    assert len(networks[1].folders) == 1
    assert asked.best.name == "other"


def test_no_run(tmp_path: Path, example: Results) -> None:
    """Without a run, or without a finished training in it, the error says what to do."""
    with pytest.raises(UserError, match=r"holds no run\. Train first"):
        named_run(tmp_path / "latest")
    with pytest.raises(UserError, match=r"holds no completed run.* Train first"):
        best_run(tmp_path)
    with pytest.raises(UserError, match="Name another run with --run"):
        named_run(run_of(tmp_path, example, {"dense": [FailedTraining(seed=0, error="killed")]}))
    run = run_of(tmp_path, example, {"dense": [training(example, 0, 0.97, 0.1)]})
    (tmp_path / "trainings" / "some-0" / "training.json").unlink()
    with pytest.raises(UserError, match="is kept here"):
        named_run(run)


def test_the_best_run_is_asked(tmp_path: Path, example: Results) -> None:
    """Not the latest: the completed run of MNIST with the most accurate network; the newest of equals."""
    good, better = ({"dense": [training(example, 0, accuracy, 0.1)]} for accuracy in (0.97, 0.99))
    other = {"is_mnist": False, "class_names": ["shirt", "shoe"]}
    fashion = example.dataset.model_copy(update=other)
    run_of(tmp_path, example, better, "20260101-older")
    expected = run_of(tmp_path, example, better, "20260102-equal")
    run_of(tmp_path, example, good, "20260103-worse")
    run_of(
        tmp_path, example, {"dense": [training(example, 0, 1, 0)]}, "20260104-failed", status=Status.FAILED
    )
    run_of(tmp_path, example, {"dense": [training(example, 0, 1, 0)]}, "20260105-fashion", dataset=fashion)
    with pytest.raises(UserError, match="no digits of 28 x 28"):
        named_run(tmp_path / "runs" / "20260105-fashion")
    files.write_json(tmp_path / "runs" / "20260106-of-an-earlier-version" / "results.json", {})
    assert (best_run(tmp_path).run, best_run(tmp_path).chosen_from) == (str(expected), 3)
