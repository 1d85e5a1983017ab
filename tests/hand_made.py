"""Small results made by hand: what a test does not name is plain and the same everywhere."""

from collections.abc import Sequence
from typing import Any

from tasks.comparison.compare import aggregate_over_seeds
from tasks.results.comparison import AgainstPrevious, Gate, Pair, PreviousRun
from tasks.results.enums import AccuracyChange, GateName, OnsetStatus, Origin, Status, Verdict
from tasks.results.run import Dataset, Failure, ModelResult, Provenance, Results
from tasks.results.training import (
    AfterBestEpoch,
    EarlyStopping,
    FailedTraining,
    History,
    Measures,
    Mistake,
    Onset,
    TestMeasures,
    TrainingResult,
)


def onset(status: OnsetStatus = OnsetStatus.RISE_EXCLUDED, epoch: int | None = None, **facts: Any) -> Onset:
    """A verdict on 20 epochs; an epoch has an interval of one epoch on either side."""
    interval = None if epoch is None else (epoch - 1, epoch + 1)
    return Onset(**{"status": status, "epoch": epoch, "interval": interval, "epochs": 20} | facts)


def measures(accuracy: float = 0.98, **facts: Any) -> Measures:
    """Measures of 10,000 images whose interval is 0.2 points on either side."""
    interval = (accuracy - 0.002, accuracy + 0.002)
    given = {"n": 10_000, "correct": 9_800, "accuracy": accuracy, "accuracy_ci95": interval, "nll": 0.1}
    return Measures(**given | facts)


def on_test(accuracy: float = 0.98, **facts: Any) -> TestMeasures:
    """Measures on two classes of test images, one image of the first taken for the second."""
    more: dict[str, Any] = dict.fromkeys(("nll_ci95", "calibration_error", "calibration_error_by_chance"))
    more |= {
        "per_class_accuracy": [0.75, 1.0],
        "per_class_n": [4, 5],
        "confusion": [(0, 0, 3), (0, 1, 1), (1, 1, 5)],
    }
    return TestMeasures(**dict(measures(accuracy)) | more | facts)


def after_best(change: AccuracyChange = AccuracyChange.NOT_MEASURABLE, **facts: Any) -> AfterBestEpoch:
    """What happened after the best epoch on 10,000 test images."""
    counts = {"n": 10_000, "best_only": 44, "final_only": 57}
    sizes = {"difference": 0.0013, "difference_ci95": (-0.0007, 0.0033), "p_value": 0.2, "p_adjusted": 0.4}
    return AfterBestEpoch(**{"change": change} | counts | sizes | facts)


def training(seed: int = 0, **facts: Any) -> TrainingResult:
    """A training of 20 epochs; `curves` are those of its history that are not 0.1 everywhere."""
    curves = dict.fromkeys(History.model_fields, [0.1] * 20) | facts.pop("curves", {})
    given: dict[str, Any] = {
        "seed": seed,
        "origin": Origin.TRAINED,
        "origin_reason": "nothing to reuse",
        "key": "ab" * 32,
        "folder": f"trainings/cnn-{seed}-0123456789ab",
        "precision": "float32",
        "threads": 2,
        "seconds": 23.141592,
        "epoch_seconds": [1.0] * 20,
        "diverged": False,
        "history": History(**curves),
        "test": on_test(),
        "train": measures(0.99),
        "validation": measures(0.97),
        "best_epoch": 7,
        "onset": onset(),
        "early_stopping": EarlyStopping(keras_patience_5=12, gl_5=None, pq=None, up_3=None),
        "after_best": after_best(),
        "mistakes": [],
    }
    return TrainingResult(**given | facts)


def mistake(**facts: Any) -> Mistake:
    """A test image whose label people judged wrong."""
    given = {"index": 947, "truth": 8, "prediction": 9, "probability": 0.99999, "known_label_error": True}
    return Mistake(**given | facts)


def network(*trainings: TrainingResult | FailedTraining, **facts: Any) -> ModelResult:
    """A network of 1,000 parameters with these trainings, by default one."""
    trainings = trainings or (training(),)
    finished = [each for each in trainings if isinstance(each, TrainingResult)]
    given = {"epochs": 20, "learning_rate": 0.001, "learning_rate_schedule": "constant"}
    given |= {"parameter_count": 1_000, "summary": None, "trainings": list(trainings)}
    accuracies = [each.test.accuracy for each in finished] or [0.0]
    mean = sum(accuracies) / len(accuracies)
    aggregate = aggregate_over_seeds(finished, 20, (mean - 0.002, mean + 0.002), None)
    return ModelResult(**given | {"aggregate": aggregate} | facts)


FAILED = network(FailedTraining(seed=0, error="killed"), parameter_count=None)


def network_with(status: OnsetStatus, epoch: int | None = None, accuracy: float = 0.98) -> ModelResult:
    """A network with one training of this onset and accuracy."""
    return network(training(onset=onset(status, epoch), test=on_test(accuracy)))


def seeds_with(accuracies: Sequence[float]) -> ModelResult:
    """A network with a training for each test accuracy."""
    return network(*(training(seed, test=on_test(each)) for seed, each in enumerate(accuracies)))


def pair(first: str, second: str, verdict: Verdict, difference: float = 0.01, **facts: Any) -> Pair:
    """A comparison over one seed, with an interval of one point on either side."""
    given: dict[str, Any] = {
        "models": (first, second),
        "seeds": [0],
        "differences": [difference],
        "difference": difference,
        "interval": (difference - 0.01, difference + 0.01),
        "pairs": 1,
        "p_value": 0.01,
        "p_adjusted": 0.02,
        "verdict": verdict,
        "loss": None,
        "onset_p": 1.0,
    }
    return Pair(**given | facts)


def gate(name: GateName = GateName.MIN_TEST_ACCURACY, **facts: Any) -> Gate:
    """A gate on cnn that asks for 97 %."""
    return Gate(**{"name": name, "model": "cnn", "limit": 0.97} | facts)


def failure(model: str = "cnn", seed: int = 0, error: str = "killed.\nmore", task: str = "train") -> Failure:
    """A training that failed."""
    return Failure(task=task, model=model, seed=seed, error=error)


def against_previous(change: str, model: str = "cnn", difference: float = -0.01) -> AgainstPrevious:
    """A training beside that of the previous run, with an interval of half a point on either side."""
    return AgainstPrevious(
        model=model,
        seed=0,
        n=10_000,
        accuracy_before=0.98,
        accuracy_now=0.98 + difference,
        difference=difference,
        difference_ci95=(difference - 0.005, difference + 0.005),
        p_value=0.01,
        p_adjusted=0.01,
        change=change,
    )


def previous(*trainings: AgainstPrevious, **facts: Any) -> PreviousRun:
    """A previous run called earlier."""
    nothing: dict[str, Any] = {"parameters_changed": [], "versions_changed": [], "unreadable": []}
    return PreviousRun(**{"run": "earlier", "trainings": list(trainings)} | nothing | facts)


def run(models: dict[str, ModelResult], *comparisons: Pair, **facts: Any) -> Results:
    """A completed run of these networks."""
    given: dict[str, Any] = {
        "status": Status.COMPLETED,
        "parameters": {"batch_size": 128, "learning_rate": None, "validation_split": 0.1},
        "provenance": PROVENANCE,
        "dataset": DATASET,
        "models": models,
        "comparisons": list(comparisons),
        "gates": [],
        "failures": [],
        "previous_run": None,
    }
    return Results(**given | facts)


DATASET = Dataset(
    name="mnist",
    path="data/mnist.npz",
    digest="ab" * 32,
    source="made by hand",
    is_mnist=True,
    class_names=["0", "1"],
    shapes={"x_train": [60_000, 28, 28], "y_train": [60_000]},
    y_test_head=[7, 2, 1],
    y_test_tail=[4, 5, 6],
    counts={"train": 54_000, "validation": 6_000, "test": 10_000},
    class_counts={"train": [27_000] * 2, "validation": [3_000] * 2, "test": [5_000] * 2},
    pixel_scaling="unit",
    validation_split=0.1,
    train_samples=None,
    prepared_digest="cd" * 32,
    repeated_test_images=0,
    blank_images=0,
    broken_pictures=0,
    test_set_aside=False,
)
PROVENANCE = Provenance(
    run="20260102T030405Z-by-hand",
    started="2026-01-02T03:04:05+00:00",
    duration_seconds=754.0,
    commit="0123456789abcdef",
    uncommitted_changes=True,
    python="3.11.2",
    platform="Linux-6.1-x86_64",
    processor="an invented processor",
    cores=2,
    memory_bytes=8 * 2**30,
    versions={"keras": "3.15.1"},
    flow_run_name="by-hand",
    flow_run_id="00000000-0000-0000-0000-000000000000",
    deployment=None,
    command="python flows/mnist_pipeline.py",
    threads=2,
    trainings_at_a_time=1,
    precision={"cnn": "float32"},
)
