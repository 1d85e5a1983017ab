"""comparison.png: how good the networks are, where each starts to overfit, and the curves that show it."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from tasks.evaluation.onset import SHOWN
from tasks.pictures import LARGE, MUTED, NORMAL, RULE, SMALL, TRAIN, VALIDATION, new_figure, plain
from tasks.report.cells import STATUS_WORDS, finished
from tasks.report.charts import (
    INTERVAL,
    MARK,
    curve,
    curve_legend,
    draw_curve,
    epoch_axis,
    mark_onset,
    onset_of,
    tidy,
    upper_limit,
    value_axis,
    zoom_start,
)

Model = dict[str, Any]


def draw_comparison(models: dict[str, Model]) -> Figure:
    """Return the figure of all models, in their order; models without any result are shown as failed."""
    names = list(models)
    columns = min(len(names), 2 if len(names) == 4 else 3) or 1
    rows = -(-len(names) // columns) or 1
    labels = [accuracy_label(name, models[name]) for name in names]
    row_height = 0.15 * max((label.count("\n") for label in labels), default=0) + 0.27
    top = 0.85 + row_height * len(names)
    figure = new_figure(top + 0.5 + 2.4 * rows)
    grid = figure.add_gridspec(2, 1, height_ratios=[top, 0.5 + 2.4 * rows])
    upper, lower = figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])
    left, right = upper.subplots(1, 2)
    draw_accuracies(left, models, labels)
    draw_onsets(right, models)
    draw_panels(lower, models, rows, columns)
    return figure


def accuracy_of(model: Model) -> tuple[float, float, float]:
    """Return test accuracy in percent and its ends: 95 % interval of one training, or range over seeds."""
    trainings = finished(model)
    if len(trainings) == 1:
        test = trainings[0]["test"]
        low, high = test["accuracy_ci95"]
        return 100 * test["accuracy"], 100 * low, 100 * high
    over_seeds = model["aggregate"]["test_accuracy"]
    return 100 * over_seeds["mean"], 100 * over_seeds["minimum"], 100 * over_seeds["maximum"]


def accuracy_label(name: str, model: Model) -> str:
    """Return a row's label: the name, and the test accuracy with its interval, or its range over seeds."""
    if not finished(model):
        return f"{plain(name)}\nno result"
    middle, low, high = accuracy_of(model)
    return f"{plain(name)}\n{middle:.2f} % ({low:.2f} to {high:.2f})"


def draw_accuracies(axes: Axes, models: dict[str, Model], labels: list[str]) -> None:
    """Draw test accuracies; one far below the others becomes an arrow, so that the others stay apart."""
    shown = {row: model for row, model in enumerate(models.values()) if finished(model)}
    best = max((accuracy_of(model)[0] for model in shown.values()), default=100.0)
    floor = best - max(2.0, 8 * (100 - best))
    ends: list[float] = []
    for row, model in shown.items():
        middle, low, high = accuracy_of(model)
        seeds = [100 * t["test"]["accuracy"] for t in finished(model)]
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
    label_rows(axes, labels)
    several = any(len(finished(model)) > 1 for model in shown.values())
    note = "mean of seeds, each seed, range" if several else "bar: 95 % interval"
    tidy(axes, "Test accuracy", f"accuracy (%); {note}")
    axes.grid(False, axis="y")
    axes.spines["left"].set_visible(False)


def draw_onsets(axes: Axes, models: dict[str, Model]) -> None:
    """Draw the epoch at which overfitting starts, on a line as long as the training."""
    for row, model in enumerate(models.values()):
        trainings = finished(model)
        if trainings:
            axes.plot([1, epochs_of(model)], [row, row], color=RULE, linewidth=3, solid_capstyle="butt")
        epoch, interval = onset_of(model)
        if interval is not None:
            ends = [interval[0] - 0.5, interval[1] + 0.5]
            axes.plot(ends, [row, row], color=INTERVAL, linewidth=12, solid_capstyle="butt")
        if len(trainings) > 1:
            onsets = [training["onset"] or {} for training in trainings]
            epochs = [o["epoch"] for o in onsets if o.get("status") in SHOWN and o.get("epoch")]
            axes.plot(epochs, [row] * len(epochs), "|", color=MARK, markersize=9, alpha=0.7)
        if epoch is not None:
            axes.plot(epoch, row, "o", color=MARK, markeredgecolor="white", markersize=7)
    epoch_axis(axes, 1, max((epochs_of(model) for model in models.values()), default=1))
    label_rows(axes, [onset_label(model) for model in models.values()])
    several = any(len(finished(model)) > 1 for model in models.values())
    note = "median of seeds, each seed, range" if several else "bar: interval; grey: epochs trained"
    tidy(axes, "Overfitting onset", f"epoch; {note}")
    axes.grid(False, axis="y")
    axes.spines["left"].set_visible(False)


def epochs_of(model: Model) -> int:
    """Return how many epochs the longest training of a model had, or was to have."""
    return max((len(t["history"].get("val_nll") or []) for t in finished(model)), default=0) or int(
        model.get("epochs") or 1
    )


def onset_label(model: Model) -> str:
    """Return a row's label: the onset with its interval, or in a few words why there is none."""
    trainings = finished(model)
    if not trainings:
        return "no result"
    epoch, interval = onset_of(model)
    if len(trainings) > 1:
        onset = (model.get("aggregate") or {}).get("onset") or {}
        text = f"{onset.get('observed', 0)} of {onset.get('seeds', len(trainings))} seeds"
        return text + (
            f"\nmedian {epoch:g} ({interval[0]:g} to {interval[1]:g})" if epoch and interval else ""
        )
    status = (trainings[0].get("onset") or {}).get("status", "not judged")
    words = STATUS_WORDS.get(status, status)
    if epoch is not None:
        span = f" ({interval[0]:g} to {interval[1]:g})" if interval else ""
        return f"epoch {epoch:g}{span}" + ("" if status == "overfits" else f"\n{plain(words)}")
    return plain(f"{words} in {epochs_of(model)} epochs" if status == "not_observed" else words, 22)


def label_rows(axes: Axes, labels: list[str]) -> None:
    """Label the rows, first model at the top."""
    axes.set_yticks(range(len(labels)), labels, fontsize=NORMAL)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


def draw_panels(figure: SubFigure, models: dict[str, Model], rows: int, columns: int) -> None:
    """Draw a panel of learning curves per model, each with its own scale of the loss."""
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for index, (axes, (name, model)) in enumerate(zip(panels, models.items(), strict=False)):
        trainings = finished(model)
        label = "loss (nats per image)" if index % columns == 0 else ""
        tidy(axes, plain(name, 30, 2), "epoch", label)
        axes.set_title(axes.get_title(loc="left"), fontsize=NORMAL, loc="left", fontweight="bold")
        if not trainings:
            axes.text(
                0.5, 0.5, "no result", transform=axes.transAxes, ha="center", fontsize=LARGE, color=MUTED
            )
            axes.set_xticks([])
            axes.set_yticks([])
            continue
        validation, train = curve(trainings, "val_nll"), curve(trainings, "train_nll")
        mark_onset(axes, model)
        draw_curve(axes, train, TRAIN, "--", band=len(trainings) > 1)
        draw_curve(axes, validation, VALIDATION, "-", band=len(trainings) > 1)
        epochs = epochs_of(model)
        epoch_axis(axes, 1, epochs)
        first = zoom_start(name, epochs) - 1
        axes.set_ylim(0, upper_limit(train.high[first:], validation.high[first:]))
        value_axis(axes)
    for axes in panels[len(models) :]:
        axes.set_axis_off()
    several = any(len(finished(model)) > 1 for model in models.values())
    onset = any(onset_of(model) != (None, None) for model in models.values())
    entries = curve_legend(several, onset)
    figure.legend(handles=entries, loc="outside upper left", ncols=4, fontsize=SMALL, frameon=False)
