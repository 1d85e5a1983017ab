"""The learning curves of one network."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from tasks.pictures import MUTED, SMALL, VALIDATION, new_figure
from tasks.report.charts import (
    Curve,
    Values,
    curve,
    curve_legend,
    draw_curve,
    draw_curves_of,
    epoch_axis,
    onset_of,
    say,
    tidy,
    value_axis,
    zoom_start,
)
from tasks.results.run import ModelResult
from tasks.results.training import TrainingResult

GAP = "#56B4E9"


def draw_curves(name: str, model: ModelResult) -> Figure:
    """Return loss and accuracy per epoch, from the start and zoomed as the tutorial draws them."""
    histories = [training.history for training in model.finished]
    train, validation = curve([h.train_nll for h in histories]), curve([h.val_nll for h in histories])
    train_accuracy = curve([h.train_accuracy_inference for h in histories]).percent()
    validation_accuracy = curve([h.val_accuracy for h in histories]).percent()
    running_accuracy = curve([h.accuracy for h in histories]).percent()
    epochs = len(validation.median)
    starts = [1, zoom_start(name, epochs)] if epochs > 2 else [1]
    figure = new_figure(5.6)
    grid = figure.subplots(2, len(starts), squeeze=False)
    for upper, lower, first in zip(*grid, starts, strict=True):
        words = "from the start" if first == 1 else f"from epoch {first}"
        tidy(upper, f"Loss {words}", "epoch", "loss (nats per image)")
        tidy(lower, f"Accuracy {words}", "epoch", "accuracy (%)")
        draw_curves_of(upper, model, train, validation)
        draw_curves_of(lower, model, train_accuracy, validation_accuracy)
        shade_gap(upper, train, validation)
        shade_gap(lower, train_accuracy, validation_accuracy)
        draw_curve(lower, running_accuracy, MUTED, ":", band=False)
        smoothed = draw_smoothed(upper, model.finished)
        best_epochs = mark_best_epochs(upper, model.finished)
        best_epochs.set_label("best epoch")
        epoch_axis(upper, first, epochs)
        epoch_axis(lower, first, epochs)
        limit_loss(upper, train.high[first - 1 :], validation.high[first - 1 :])
        accuracies = (train_accuracy.low, validation_accuracy.low, running_accuracy.low)
        limit_accuracy(lower, *(values[first - 1 :] for values in accuracies))
    entries = [
        *curve_legend(len(histories) > 1, onset_of(model) != (None, None)),
        Line2D([], [], color=MUTED, linestyle=":", linewidth=1.4, label="train, dropout on"),
        Patch(facecolor=GAP, alpha=0.18, label="gap"),
        best_epochs,
        *smoothed,
    ]
    figure.legend(handles=entries, loc="outside lower left", ncols=4, fontsize=SMALL, frameon=False)
    return figure


def shade_gap(axes: Axes, train: Curve, validation: Curve) -> None:
    """Shade what lies between train and validation."""
    epochs = np.arange(1, len(train.median) + 1)
    axes.fill_between(epochs, train.median, validation.median, color=GAP, alpha=0.18, linewidth=0)


def draw_smoothed(axes: Axes, trainings: Sequence[TrainingResult]) -> list[Line2D]:
    """Draw each training's smoothed validation loss in its valley, from whose lowest point the onset follows.

    Return a line for the legend, if any was drawn.
    """
    lines = []
    for onset in (training.onset for training in trainings):
        if onset.smoothed is not None and onset.smoothed_from is not None and len(onset.smoothed) > 1:
            epochs = onset.smoothed_from + np.arange(len(onset.smoothed))
            lines += axes.plot(epochs, onset.smoothed, color="black", linewidth=1.0, zorder=4)
    for line in lines[:1]:
        line.set_label("validation, smoothed")
    return lines[:1]


def mark_best_epochs(axes: Axes, trainings: Sequence[TrainingResult]) -> Line2D:
    """Mark the lowest validation loss of each training; return the marks."""
    lowest = {(t.best_epoch, t.history.val_nll[t.best_epoch - 1]) for t in trainings if t.best_epoch}
    epochs, losses = np.array(sorted(lowest), dtype=float).reshape(-1, 2).T
    (marks,) = axes.plot(
        epochs, losses, "D", color=VALIDATION, markeredgecolor="black", markersize=6, zorder=5
    )
    return marks


def limit_loss(axes: Axes, *shown: Values) -> None:
    """Start the loss at 0; where it blows up, use a logarithmic scale, so that the rest can be read."""
    values = np.concatenate(shown)
    values = values[np.isfinite(values) & (values > 0)]
    value_axis(axes)
    if not len(values):
        say(axes, "no finite value")
    elif values.max() > 100 * np.median(values):
        axes.set_yscale("log")
        axes.tick_params(axis="y", which="minor", length=0)
        axes.set_ylabel(axes.get_ylabel() + ", log scale")
    else:
        axes.set_ylim(0, 1.08 * float(values.max()))


def limit_accuracy(axes: Axes, *shown: Values) -> None:
    """Show accuracies up to 100 %, from the lowest on."""
    values = np.concatenate(shown)
    lowest = float(np.nanmin(values)) if np.isfinite(values).any() else 0.0
    margin = 0.06 * (100 - lowest) or 1.0
    axes.set_ylim(lowest - margin, 100 + margin)
    value_axis(axes)
