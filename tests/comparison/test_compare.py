"""A run gathered into results.json."""

import json
from pathlib import Path

import pytest
from synthetic import make_run

from tasks.comparison.compare import Limits
from tasks.evaluation.statistics import holm
from tasks.results.enums import Change, GateOutcome, Status, Step, Verdict
from tasks.results.file import RESULTS, read_results
from tasks.results.run import Failure, Results
from tasks.results.training import FailedTraining


def results_of(folder: Path, **arguments: object) -> Results:
    """The results of an invented run on 200 test images."""
    return read_results(make_run(folder, **{"test_images": 200, **arguments}))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The results of the default three networks."""
    return results_of(tmp_path_factory.mktemp("usual"))


def test_models_keep_the_order_of_the_run(usual: Results) -> None:
    """Models stand in the order in which the user named them, each with its planned epochs."""
    planned = {name: model.epochs for name, model in usual.models.items()}
    assert planned == {"dense": 50, "cnn": 20, "regularized_cnn": 30}


def test_every_pair_is_compared(usual: Results) -> None:
    """Three models make three comparisons."""
    pairs = [("dense", "cnn"), ("dense", "regularized_cnn"), ("cnn", "regularized_cnn")]
    assert [pair.models for pair in usual.comparisons] == pairs


def test_one_seed_has_no_standard_deviation(usual: Results) -> None:
    """The aggregate of a single training is that training, without a spread."""
    model = usual.models["cnn"]
    accuracy = model.finished[0].test.accuracy
    spread = usual.accuracy("cnn")
    assert (spread.n, spread.mean, spread.standard_deviation) == (1, accuracy, None)
    assert (spread.minimum, spread.maximum) == (accuracy, accuracy)


def test_seeds_are_aggregated(tmp_path: Path) -> None:
    """Mean, standard deviation (n - 1) and range over the seeds, in their order."""
    results = results_of(tmp_path, models=("dense",), seeds=(2, 0, 1))
    trainings = results.models["dense"].finished
    accuracies = [training.test.accuracy for training in trainings]
    spread = results.accuracy("dense")
    mean = sum(accuracies) / 3
    variance = sum((accuracy - mean) ** 2 for accuracy in accuracies) / 2
    assert [training.seed for training in trainings] == [0, 1, 2]
    assert spread.mean == pytest.approx(mean)
    assert spread.standard_deviation == pytest.approx(variance**0.5)


def test_failed_trainings_are_not_hidden(tmp_path: Path) -> None:
    """Each has an entry with its error, each is a failure with network and seed, and the run is failed."""
    results = results_of(tmp_path, models=("dense", "cnn"), seeds=(0, 1), missing=("cnn",))
    error = "The training process was killed."
    assert results.models["cnn"].trainings == [FailedTraining(seed=seed, error=error) for seed in (0, 1)]
    assert results.failures == [
        Failure(task=Step.TRAIN, model="cnn", seed=seed, error=error) for seed in (0, 1)
    ]
    assert results.models["cnn"].aggregate is None
    assert (results.status, list(results.finished), results.best) == (Status.FAILED, ["dense"], "dense")


def test_a_diverged_training_is_a_result(tmp_path: Path) -> None:
    """A network whose loss is no longer finite is reported, compared, and no failure."""
    results = results_of(tmp_path, models=("dense", "cnn"), diverged=("cnn",))
    (training,) = results.models["cnn"].finished
    assert (training.diverged, training.test.nll, results.status) == (True, None, Status.COMPLETED)
    assert results.models["cnn"].aggregate.test_nll is None  # type: ignore[union-attr]
    assert results.models["cnn"].sound == []
    assert results.comparisons[0].verdict is Verdict.FIRST_BETTER


def test_a_gate_that_fails_fails_the_run(tmp_path: Path) -> None:
    """The status is failed, and the results are there."""
    results = results_of(tmp_path, models=("dense",), limits=Limits(min_test_accuracy=0.999))
    assert (results.status, list(results.finished)) == (Status.FAILED, ["dense"])


def test_a_gate_that_is_not_judged_fails_nothing(tmp_path: Path) -> None:
    """Without a previous run there is no drop to judge."""
    results = results_of(tmp_path, models=("dense",), limits=Limits(max_accuracy_drop=0.0))
    assert [gate.outcome for gate in results.gates] == [GateOutcome.NOT_JUDGED]
    assert results.status is Status.COMPLETED


def test_the_digest_covers_the_measurements_alone(tmp_path: Path) -> None:
    """The same measurements have the same digest whenever and wherever they were made; others do not."""
    first = results_of(tmp_path, models=("dense",), name="1-first")
    again = results_of(tmp_path / "elsewhere", models=("dense",), name="2-second")
    other = results_of(tmp_path, models=("dense",), name="3-third", shift=-0.1)
    digests = [results.provenance.digest for results in (first, again, other)]
    assert digests[0] == digests[1] != digests[2]


def test_the_previous_run_is_compared(tmp_path: Path) -> None:
    """Each common model and seed has a line, and a drop beyond the limit fails the gate."""
    make_run(tmp_path, models=("dense", "cnn"), name="1-before")
    limits = Limits(max_accuracy_drop=0.01)
    results = read_results(make_run(tmp_path, models=("dense",), name="2-now", shift=-0.1, limits=limits))
    assert results.previous_run is not None
    (line,) = results.previous_run.trainings
    assert (results.previous_run.run, line.model, line.change) == ("1-before", "dense", Change.WORSE)
    assert [(gate.model, gate.outcome) for gate in results.gates] == [("dense", GateOutcome.NOT_HELD)]


def test_changes_after_the_best_epoch_are_judged_together(tmp_path: Path) -> None:
    """The p-values of the trainings that were trained on are adjusted by Holm over all of them."""
    results = results_of(tmp_path, models=("dense", "cnn"), seeds=(0, 1))
    after = [training.after_best for model in results.models.values() for training in model.finished]
    after = [each for each in after if each.trained_on]
    assert [each.p_adjusted for each in after] == holm([each.p_value for each in after])
    assert len(after) > 1


def test_strict_json(tmp_path: Path) -> None:
    """However much went wrong, the file holds neither NaN nor infinity."""
    run = make_run(tmp_path, models=("dense", "cnn"), missing=("cnn",), diverged=("dense",), test_images=200)

    def reject(constant: str) -> None:
        raise AssertionError(f"{constant} is not strict JSON")

    json.loads((run / RESULTS).read_text(), parse_constant=reject)
