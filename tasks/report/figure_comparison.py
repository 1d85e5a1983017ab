"""comparison.png: how good the networks are, where each starts to overfit, and the curves that show it."""

import re
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from tasks.pictures import NORMAL, RULE, SMALL, TRAIN, VALIDATION, new_figure, plain
from tasks.report.charts import (
    INTERVAL,
    MARK,
    Values,
    curve,
    curve_legend,
    draw_curves_of,
    epoch_axis,
    onset_of,
    say,
    tidy,
    value_axis,
    zoom_start,
)
from tasks.report.network_words import accuracy_cell, accuracy_limits, network_onset_cell, over_seeds
from tasks.results.run import ModelResult

Models = Mapping[str, ModelResult]


def draw_comparison(models: Models) -> Figure:
    """Return the figure of all networks, in their order; one without any result is shown as such."""
    columns = min(len(models), 2 if len(models) == 4 else 3)
    rows = -(-len(models) // columns)
    accuracies = [accuracy_label(name, model) for name, model in models.items()]
    onsets = [onset_label(model) for model in models.values()]
    row_height = 0.15 * max(label.count("\n") for label in accuracies + onsets) + 0.27
    top = 0.85 + row_height * len(models)
    figure = new_figure(top + 0.5 + 2.4 * rows)
    grid = figure.add_gridspec(2, 1, height_ratios=[top, 0.5 + 2.4 * rows])
    upper, lower = figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])
    left, right = upper.subplots(1, 2)
    draw_accuracies(left, models, accuracies)
    draw_onsets(right, models, onsets)
    draw_panels(lower, models, rows, columns)
    return figure


def accuracy_label(name: str, model: ModelResult) -> str:
    """Return a row's label: the name, and the test accuracy with its interval, or its range over seeds."""
    return f"{plain(name)}\n{accuracy_cell(model) if model.aggregate else 'no result'}"


def onset_label(model: ModelResult) -> str:
    """Return a row's label: the onset with its interval, or in a few words why there is none."""
    cell = network_onset_cell(model) if model.aggregate else "no result"
    return "\n".join(plain(part, 34) for part in re.split("[,;] ", cell))


def draw_accuracies(axes: Axes, models: Models, labels: list[str]) -> None:
    """Draw test accuracies; one far below the others becomes an arrow, so that the others stay apart."""
    shown = {row: model for row, model in enumerate(models.values()) if model.aggregate}
    best = max((100 * over_seeds(model).test_accuracy.mean for model in shown.values()), default=100.0)
    floor = best - max(2.0, 8 * (100 - best))
    ends: list[float] = []
    for row, model in shown.items():
        middle = 100 * over_seeds(model).test_accuracy.mean
        low, high = (100 * limit for limit in accuracy_limits(model))
        seeds = [100 * training.test.accuracy for training in model.finished]
        axes.plot([low, high], [row, row], color=TRAIN, linewidth=3, solid_capstyle="butt")
        if len(seeds) > 1:
            axes.plot(seeds, [row] * len(seeds), "|", color=MARK, markersize=9, alpha=0.7)
        axes.plot(middle, row, "o", color=TRAIN, markeredgecolor="white", markersize=8)
        ends += [end for end in (low, middle, high) if end >= floor]
        if middle < floor:
            edge = axes.get_yaxis_transform()
            axes.plot(0.02, row, "<", color=VALIDATION, markersize=7, transform=edge, clip_on=False)
            axes.text(0.06, row - 0.3, "off the scale", transform=edge, fontsize=SMALL, va="center")
    margin = max(0.08 * (max(ends) - min(ends)), 0.05) if ends else 0.0
    axes.set_xlim(*((min(ends) - margin, max(ends) + margin) if ends else (0, 100)))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    note = "mean and its 95 % interval, each seed" if several_seeds(models) else "bar: 95 % interval"
    tidy_rows(axes, labels, "Test accuracy", f"accuracy (%); {note}")


def draw_onsets(axes: Axes, models: Models, labels: list[str]) -> None:
    """Draw the epoch at which overfitting starts, on a line as long as the training."""
    for row, model in enumerate(models.values()):
        if model.finished:
            axes.plot([1, epochs_of(model)], [row, row], color=RULE, linewidth=3, solid_capstyle="butt")
        epoch, interval = onset_of(model)
        if interval is not None:
            ends = [interval[0] - 0.5, interval[1] + 0.5]
            axes.plot(ends, [row, row], color=INTERVAL, linewidth=12, solid_capstyle="butt")
        if len(model.finished) > 1:
            onsets = [training.onset for training in model.finished]
            epochs = [onset.epoch for onset in onsets if onset.status.shows_onset and onset.epoch]
            axes.plot(epochs, [row] * len(epochs), "|", color=MARK, markersize=9, alpha=0.7)
        if epoch is not None:
            axes.plot(epoch, row, "o", color=MARK, markeredgecolor="white", markersize=7)
    epoch_axis(axes, 1, max(epochs_of(model) for model in models.values()))
    several = several_seeds(models)
    note = "median of seeds, each seed, range" if several else "bar: interval; grey: epochs trained"
    tidy_rows(axes, labels, "Overfitting onset", f"epoch; {note}")


def epochs_of(model: ModelResult) -> int:
    """Return how many epochs the longest training of a network had, or was to have."""
    return max((len(training.history.val_nll) for training in model.finished), default=model.epochs)


def several_seeds(models: Models) -> bool:
    """Say whether any network has more than one training with a result."""
    return any(len(model.finished) > 1 for model in models.values())


def tidy_rows(axes: Axes, labels: list[str], title: str, x: str) -> None:
    """Label axes that have a row for each network, the first at the top."""
    tidy(axes, title, x)
    axes.set_yticks(range(len(labels)), labels, fontsize=NORMAL)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    axes.spines["left"].set_visible(False)


def draw_panels(figure: SubFigure, models: Models, rows: int, columns: int) -> None:
    """Draw a panel of learning curves per network, each with its own scale of the loss."""
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for index, (axes, (name, model)) in enumerate(zip(panels, models.items(), strict=False)):
        label = "loss (nats per image)" if index % columns == 0 else ""
        tidy(axes, "", "epoch", label)
        axes.set_title(plain(name, 30, 2), fontsize=NORMAL, loc="left", fontweight="bold")
        if not model.finished:
            say(axes, "no result")
            axes.set(xticks=[], yticks=[])
            continue
        validation = curve([training.history.val_nll for training in model.finished])
        train = curve([training.history.train_nll for training in model.finished])
        draw_curves_of(axes, model, train, validation)
        epochs = epochs_of(model)
        epoch_axis(axes, 1, epochs)
        first = zoom_start(name, epochs) - 1
        axes.set_ylim(0, upper_limit(train.high[first:], validation.high[first:]))
        value_axis(axes)
    for axes in panels[len(models) :]:
        axes.set_axis_off()
    onset = any(onset_of(model) != (None, None) for model in models.values())
    entries = curve_legend(several_seeds(models), onset)
    figure.legend(handles=entries, loc="outside upper left", ncols=4, fontsize=SMALL, frameon=False)


def upper_limit(train: Values, validation: Values) -> float | None:
    """Return the upper end of a loss axis that shows these values, but cuts off a loss that blows up."""
    held_out = validation[np.isfinite(validation)]
    shown = np.concatenate([train[np.isfinite(train)], held_out])
    if not len(held_out) or shown.max() <= 0:
        return None
    return float(1.08 * min(shown.max(), 4 * np.median(held_out) or shown.max()))
