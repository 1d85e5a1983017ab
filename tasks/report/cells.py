"""The cells of the report's tables: numbers with their uncertainty; None where there is none."""

import re
from collections.abc import Callable, Mapping, Sequence

from tasks.markdown import Markdown, code
from tasks.report.network_words import accuracy_cell, final_rise, network_onset_cell, onset_cell, over_seeds
from tasks.results.comparison import LossDifference
from tasks.results.enums import AccuracyChange
from tasks.results.run import ModelResult, Results, Spread
from tasks.results.training import (
    AfterBestEpoch,
    EarlyStopping,
    FailedTraining,
    Interval,
    Measures,
    TestMeasures,
    TrainingResult,
)
from tasks.wording import p_value, percent, percent_with_interval, points, span

Cell = str | int | None  # text that is no Markdown is escaped, None becomes a dash

FAILED = Markdown("**failed**")
MEASURES: dict[str, Callable[[TrainingResult, ModelResult], Cell]] = {
    "test accuracy": lambda training, _: share(training.test),
    "overfitting onset": lambda training, _: onset_cell(training.onset),
    "final rise": lambda training, _: final_rise(training.onset),
    "best epoch": lambda training, _: training.best_epoch,
    "accuracy after it": lambda training, _: after_best(training.after_best),
    "stopping rules": lambda training, _: stopping_rules(training.early_stopping),
    "test NLL": lambda training, _: nll(training.test),
    "calibration error": lambda training, _: calibration(training.test),
    "train accuracy": lambda training, _: share(training.train),
    "gap, train - test": lambda training, _: gap(training.train, training.test),
    "epochs": lambda training, model: epochs(len(training.history.val_nll), model.epochs),
    "fitting": lambda training, _: duration(training.seconds),
    "origin": lambda training, _: Markdown(f"{training.origin}, {code(training.folder)}"),
}
ACCURACY_CHANGES = {AccuracyChange.ROSE: "higher", AccuracyChange.FELL: "lower"}


def measured(training: TrainingResult | FailedTraining, model: ModelResult) -> list[Cell]:
    """Return the cells of a training in the order of MEASURES."""
    if isinstance(training, FailedTraining):
        return [FAILED, *[None] * (len(MEASURES) - 1)]
    return [cell(training, model) for cell in MEASURES.values()]


def side_by_side(results: Results) -> list[list[Cell]]:
    """Return the rows of a table with one column per network: its one training, or its seeds together."""
    models = results.models.values()
    if results.several_seeds:
        columns = [seeds_together(model) for model in models]
        return [[name, *(column[name] for column in columns)] for name in columns[0]]
    sizes = [formatted(model.parameter_count, "{:,}") for model in models]
    measures = zip(*(measured(model.trainings[0], model) for model in models), strict=True)
    return [["parameters", *sizes], *([name, *row] for name, row in zip(MEASURES, measures, strict=True))]


def seeds_together(model: ModelResult) -> dict[str, Cell]:
    """Return the cells of a network over its seeds, each by its name: mean ± deviation, interval, range."""
    found = model.aggregate
    accuracy, loss = (found.test_accuracy, found.test_nll) if found else (None, None)
    return {
        "parameters": formatted(model.parameter_count, "{:,}"),
        "epochs": model.epochs,
        "seeds with results": f"{len(model.finished)} of {len(model.trainings)}",
        "test accuracy": percent(accuracy.mean) + deviation(accuracy, "{:.2f}", 100) if accuracy else FAILED,
        "mean, 95 % interval (%)": span(accuracy.interval) if accuracy and accuracy.interval else None,
        "seeds, range (%)": span((accuracy.minimum, accuracy.maximum)) if accuracy else None,
        "overfitting onset": network_onset_cell(model) if found else None,
        "test NLL": f"{loss.mean:.4f}" + deviation(loss, "{:.4f}") if loss else None,
        "mean, 95 % interval": "{:.4f} to {:.4f}".format(*loss.interval) if loss and loss.interval else None,
        "seeds, range": f"{loss.minimum:.4f} to {loss.maximum:.4f}" if loss else None,
    }


def deviation(spread: Spread, form: str, factor: int = 1) -> str:
    """Return " ± standard deviation", or nothing where one seed shows none."""
    value = spread.standard_deviation
    return "" if value is None else f" ± {form.format(factor * value)}"


def formatted(value: float | None, form: str) -> str | None:
    """Return a number in a form such as "{:.1f} %", None if there is none."""
    return None if value is None else form.format(value)


def share(measures: Measures) -> str:
    """Return an accuracy with its interval, in percent."""
    limits = measures.accuracy_ci95
    return percent_with_interval(measures.accuracy, limits) if limits else percent(measures.accuracy)


def accuracy_on(split: str, model: ModelResult) -> str:
    """Return a network's accuracy on a split: on test with its interval, else the mean with the seeds' range."""
    if split == "test":
        return accuracy_cell(model)
    measures: list[Measures] = [getattr(training, split) for training in model.finished]
    if len(measures) == 1:
        return share(measures[0])
    shares = [each.accuracy for each in measures]
    return percent_with_interval(sum(shares) / len(shares), (min(shares), max(shares)))


def loss_on(split: str, model: ModelResult) -> str | None:
    """Return a network's loss on a split, free of penalties: on test with its interval, else as `mean_loss`."""
    mean = over_seeds(model).test_nll
    if split == "test" and mean and mean.interval:
        return "{:.4f} ({:.4f} to {:.4f})".format(mean.mean, *mean.interval)
    measures: list[Measures] = [getattr(training, split) for training in model.finished]
    return nll(measures[0]) if len(measures) == 1 else mean_loss([each.nll for each in measures])


def mean_loss(losses: Sequence[float | None]) -> str | None:
    """Return the mean of the finite losses of several seeds with their range, or the loss of one seed."""
    known = [loss for loss in losses if loss is not None]
    if not known:
        return None
    limits = f" ({min(known):.4f} to {max(known):.4f})" if len(losses) > 1 else ""
    return f"{sum(known) / len(known):.4f}{limits}"


def nll(measures: Measures) -> str:
    """Return the negative log-likelihood in nats per image, with its interval if it has one."""
    if measures.nll is None:
        return "not finite"
    interval = measures.nll_ci95 if isinstance(measures, TestMeasures) else None
    return f"{measures.nll:.4f}" + (f" ({interval[0]:.4f} to {interval[1]:.4f})" if interval else "")


def after_best(after: AfterBestEpoch) -> str | None:
    """Return how accuracy changed after the best epoch, in points, with p by Holm; None if nothing came after."""
    if not after.trained_on:
        return None
    words = ACCURACY_CHANGES.get(after.change, "within chance")
    change = points_with_interval(after.difference, after.difference_ci95)
    return f"{words}: {change}, p {p_value(after.p_adjusted)}"


def stopping_rules(stopped: EarlyStopping) -> str:
    """Return where Keras's patience of 5, GL 5, PQ and UP 3 would have stopped: "16, 12, never, 30"."""
    epochs = (stopped.keras_patience_5, stopped.gl_5, stopped.pq, stopped.up_3)
    return ", ".join("never" if epoch is None else str(epoch) for epoch in epochs)


def points_with_interval(difference: float | None, interval: Interval | None) -> str | None:
    """Return a difference of shares in percentage points, with its interval if it has one."""
    if difference is None:
        return None
    return points(difference) + (f" ({span(interval)})" if interval else "")


def calibration(test: TestMeasures) -> str | None:
    """Return the calibration error in points, with what a perfectly calibrated network may show by chance."""
    if test.calibration_error is None or test.calibration_error_by_chance is None:
        return None
    return f"{points(test.calibration_error)} (by chance up to {points(test.calibration_error_by_chance)})"


def loss_difference(loss: LossDifference) -> str:
    """Return a difference of two losses in nats per image, with its interval."""
    return "{:.4f} ({:.4f} to {:.4f})".format(loss.difference, *loss.interval)


def gap(train: Measures, test: TestMeasures) -> str:
    """Return train minus test accuracy in points; its 95 % interval is that of test, for other test images."""
    low, high = test.accuracy_ci95
    difference = train.accuracy - test.accuracy
    return f"{points(difference)} ({span((train.accuracy - high, train.accuracy - low))})"


def epochs(trained: int, planned: int) -> str:
    """Return how many epochs a training had; of how many, if it was to have more."""
    return f"{trained}" if trained == planned else f"{trained} of {planned}"


def duration(seconds: float) -> str:
    """Return seconds for a person: "0.8 s", "95 s", "13 min 32 s", "2 h 5 min"."""
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def layers(summary: str | None) -> str:
    """Return a network's layers from Keras's table of them: "Flatten 784, Dense 64 (50,240), Dense 10 (650)".

    Each with the shape of its output where it changes, and with its parameters if it has any.
    """
    found, before = [], ""
    for part in (summary or "").split("├"):
        lines = [line.strip("│").split("│") for line in part.splitlines() if line.startswith("│")]
        if len(columns := ["".join(map(str.strip, cells)) for cells in zip(*lines, strict=False)]) < 3:
            continue
        kind = columns[0].partition("(")[2].rstrip(")")
        shape = " x ".join(re.findall(r"\d+|None", columns[1])[1:])
        size, count = "" if shape == before else f" {shape}", columns[2].partition(" ")[0]
        found.append(f"{kind}{size}" + (f" ({count})" if count != "0" else ""))
        before = shape
    return ", ".join(found)


def thousands(counts: Sequence[int]) -> list[str]:
    """Return counts with thousands marked."""
    return [f"{count:,}" for count in counts]


def listed(values: Mapping[str, object]) -> str:
    """Return names with their values: "batch_size: 128; epochs: not set"."""
    return "; ".join(f"{name}: {'not set' if value is None else value}" for name, value in values.items())


def last_validation_loss(model: ModelResult) -> str | None:
    """Return a network's last validation loss as Keras logs it, penalties included."""
    return mean_loss([training.history.val_loss[-1] for training in model.finished])


def learning_rates(results: Results) -> str:
    """Return each network's learning rate: "dense 0.001, challenger 0.003 (weights averaged)"."""

    def notes(model: ModelResult) -> list[str]:
        schedule = model.learning_rate_schedule
        averaged = ["weights averaged"] if model.averages_weights else []
        return [*([] if schedule == "constant" else [schedule]), *averaged]

    return ", ".join(
        f"{name} {model.learning_rate}" + (f" ({', '.join(notes(model))})" if notes(model) else "")
        for name, model in results.models.items()
    )
