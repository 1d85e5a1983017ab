"""The cells of the report's tables: numbers with their uncertainty; None where there is none."""

import math
from collections.abc import Sequence

from tasks.markdown import Markdown
from tasks.report.network_words import network_onset_cell, onset_cell
from tasks.results.enums import GateOutcome
from tasks.results.run import Dataset, Gate, ModelResult, Pair, Results
from tasks.results.training import FailedTraining, Interval, Measures, TestMeasures, TrainingResult
from tasks.wording import percent, percent_with_interval, points, span

Cell = str | int | None  # text that is no Markdown is escaped, None becomes a dash

FAILED = Markdown("**failed**")
MEASURES = (
    "test accuracy",
    "overfitting onset",
    "best epoch",
    "test NLL",
    "calibration error",
    "train accuracy",
    "gap, train - test",
    "epochs",
    "fitting",
    "origin",
)
SEED_MEASURES = (
    "parameters",
    "epochs",
    "seeds with results",
    "test accuracy",
    "its range (%)",
    "overfitting onset",
    "test NLL",
    "its range",
)


def side_by_side(results: Results) -> list[list[Cell]]:
    """Return the rows of a table with one column per network: its one training, or its seeds together."""
    columns: list[list[Cell]] = [["parameters", *MEASURES]]
    columns += [
        [whole(model.parameter_count), *measured(training, model)]
        for model in results.models.values()
        for training in model.trainings
    ]
    if results.several_seeds:
        columns = [[*SEED_MEASURES], *(seeds_together(model) for model in results.models.values())]
    return [list(row) for row in zip(*columns, strict=True)]


def measured(training: TrainingResult | FailedTraining, model: ModelResult) -> list[Cell]:
    """Return the cells of a training in the order of MEASURES."""
    if isinstance(training, FailedTraining):
        return [FAILED, *[None] * (len(MEASURES) - 1)]
    epochs = len(training.history.val_nll)
    return [
        share(training.test),
        onset_cell(training.onset),
        training.best_epoch,
        nll(training.test),
        calibration(training.test),
        share(training.train),
        gap(training.train, training.test),
        f"{epochs}" if epochs == model.epochs else f"{epochs} of {model.epochs}",
        duration(training.seconds),
        training.origin,
    ]


def seeds_together(model: ModelResult) -> list[Cell]:
    """Return the cells of a network over its seeds in the order of SEED_MEASURES: mean, deviation, range."""
    known: list[Cell] = [
        whole(model.parameter_count),
        model.epochs,
        f"{len(model.finished)} of {len(model.trainings)}",
    ]
    if model.aggregate is None:
        return [*known, FAILED, *[None] * (len(SEED_MEASURES) - len(known) - 1)]
    accuracy, loss = model.aggregate.test_accuracy, model.aggregate.test_nll
    return [
        *known,
        percent(accuracy.mean) + deviation(accuracy.standard_deviation, 100, 2),
        span((accuracy.minimum, accuracy.maximum)),
        network_onset_cell(model),
        f"{loss.mean:.4f}{deviation(loss.standard_deviation, 1, 4)}" if loss else None,
        f"{loss.minimum:.4f} to {loss.maximum:.4f}" if loss else None,
    ]


def deviation(value: float | None, factor: float, decimals: int) -> str:
    """Return " ± standard deviation", or nothing where one seed shows none."""
    return "" if value is None else f" ± {factor * value:.{decimals}f}"


def class_accuracies(model: ModelResult) -> list[Cell]:
    """Return the accuracy of each class, the mean over the seeds."""
    by_class = zip(*(training.test.per_class_accuracy for training in model.finished), strict=True)
    known = [[value for value in values if value is not None] for values in by_class]
    return [f"{100 * sum(values) / len(values):.1f} %" if values else None for values in known]


def share(measures: Measures) -> str:
    """Return an accuracy with its interval, in percent."""
    return percent_with_interval(measures.accuracy, measures.accuracy_ci95)


def nll(measures: Measures) -> str:
    """Return the negative log-likelihood in nats per image, with its interval if it has one."""
    if measures.nll is None:
        return "not finite"
    interval = measures.nll_ci95 if isinstance(measures, TestMeasures) else None
    return f"{measures.nll:.4f}" + (f" ({interval[0]:.4f} to {interval[1]:.4f})" if interval else "")


def calibration(test: TestMeasures) -> str | None:
    """Return the expected calibration error with its interval, in percentage points."""
    error = test.calibration_error
    return None if error is None else points_with_interval(error, test.calibration_error_ci95)


def gap(train: Measures, test: Measures) -> str:
    """Return train minus test accuracy in points, with Newcombe's 95 % interval (1998, method 10).

    It joins the Wilson intervals of two independent shares: the distances from each share to the end of its
    interval that matters, squared and added.
    """
    difference = train.accuracy - test.accuracy
    (train_low, train_high), (test_low, test_high) = train.accuracy_ci95, test.accuracy_ci95
    below = math.hypot(train.accuracy - train_low, test_high - test.accuracy)
    above = math.hypot(train_high - train.accuracy, test.accuracy - test_low)
    return f"{points(difference)} ({span((difference - below, difference + above))})"


def duration(seconds: float) -> str:
    """Return seconds for a person: "0.8 s", "95 s", "13 min 32 s", "2 h 5 min"."""
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def p_value(p: float | None) -> str | None:
    """Return a p-value with two digits that matter."""
    if p is None:
        return None
    return "< 0.0001" if p < 0.0001 else f"{p:.2g}" if p < 0.1 else f"{p:.2f}"


def whole(number: int | None) -> str | None:
    """Return a count with thousands marked."""
    return None if number is None else f"{number:,}"


def rise(value: float | None) -> str | None:
    """Return a rise of the loss in percent."""
    return None if value is None else f"{value:.1f} %"


def stop(epoch: int | None) -> str:
    """Return when an early-stopping rule would have ended a training."""
    return "never" if epoch is None else f"epoch {epoch}"


def outcome(gate: Gate) -> str:
    """Return what became of a gate, in bold if it did not hold."""
    words = gate.outcome.replace("_", " ")
    return Markdown(f"**{words}**") if gate.outcome is GateOutcome.NOT_HELD else words


def points_with_interval(difference: float, interval: Interval | None) -> str:
    """Return a difference in percentage points with its interval if it has one."""
    return points(difference) + (f" ({span(interval)})" if interval else "")


def level(pair: Pair) -> str | None:
    """Return the confidence level of a pair's interval."""
    return None if pair.level is None else f"{100 * pair.level:.4g} %"


def learning_rates(results: Results) -> str:
    """Return each network's learning rate: "dense 0.001, challenger 0.003 (cosine)"."""
    schedules = {name: model.learning_rate_schedule for name, model in results.models.items()}
    return ", ".join(
        f"{name} {results.models[name].learning_rate}{'' if schedule == 'constant' else f' ({schedule})'}"
        for name, schedule in schedules.items()
    )


def fitting_seconds(results: Results) -> float:
    """Return how long all trainings that have a result took."""
    return sum(training.seconds for model in results.models.values() for training in model.finished)


def shapes_in_words(data: Dataset) -> str:
    """Return the shapes of the arrays as NumPy prints them."""
    return ", ".join(f"{name} {tuple(shape)}" for name, shape in data.shapes.items())


def labels_in_short(data: Dataset) -> str:
    """Return the first and the last labels of the test images as NumPy prints them."""
    return "[{} ... {}]".format(*(" ".join(map(str, part)) for part in (data.y_test_head, data.y_test_tail)))


def grid(pixels: Sequence[Sequence[int]]) -> str:
    """Return the pixels of a picture, one line a row."""
    return "\n".join("".join(f"{pixel:4d}" for pixel in line)[1:] for line in pixels)


def last(values: Sequence[float | None]) -> float | None:
    """Return the last value of a curve, None where it is not finite."""
    return values[-1] if values else None
