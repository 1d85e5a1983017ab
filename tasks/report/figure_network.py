"""Figures of one network: its learning curves, its confusion matrix, its most confident mistakes."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from tasks.pictures import LARGE, MUTED, NORMAL, SMALL, TRAIN, VALIDATION, draw_pictures, new_figure
from tasks.report.charts import (
    Curve,
    Values,
    curve,
    curve_legend,
    draw_curve,
    epoch_axis,
    mark_onset,
    onset_of,
    tidy,
    value_axis,
    zoom_start,
)
from tasks.results.run import ModelResult
from tasks.results.training import Mistake, TestMeasures, TrainingResult
from tasks.wording import probability

GAP = "#56B4E9"


def draw_curves(name: str, model: ModelResult) -> Figure:
    """Return loss and accuracy per epoch, from the start and zoomed as the tutorial draws them."""
    several = len(model.finished) > 1
    histories = [training.history for training in model.finished]
    train, validation = curve([h.train_nll for h in histories]), curve([h.val_nll for h in histories])
    train_accuracy = curve([h.train_accuracy_inference for h in histories]).percent()
    validation_accuracy = curve([h.val_accuracy for h in histories]).percent()
    running_accuracy = curve([h.accuracy for h in histories]).percent()
    epochs = len(validation.median)
    starts = [1, zoom_start(name, epochs)] if epochs > 2 else [1]
    figure = new_figure(5.6)
    for column, first in enumerate(starts):
        words = "from the start" if first == 1 else f"from epoch {first}"
        upper = figure.add_subplot(2, len(starts), column + 1)
        lower = figure.add_subplot(2, len(starts), len(starts) + column + 1)
        tidy(upper, f"Loss {words}", "epoch", "loss (nats per image)")
        tidy(lower, f"Accuracy {words}", "epoch", "accuracy (%)")
        for axes, fitted, held_out in (
            (upper, train, validation),
            (lower, train_accuracy, validation_accuracy),
        ):
            mark_onset(axes, model)
            shade_gap(axes, fitted, held_out)
            draw_curve(axes, fitted, TRAIN, "--", several)
            draw_curve(axes, held_out, VALIDATION, "-", several)
            epoch_axis(axes, first, max(epochs, 1))
        draw_curve(lower, running_accuracy, MUTED, ":", band=False)
        mark_best_epochs(upper, model.finished)
        limit_loss(upper, train.high[first - 1 :], validation.high[first - 1 :])
        limit_accuracy(
            lower,
            *(c[first - 1 :] for c in (train_accuracy.low, validation_accuracy.low, running_accuracy.low)),
        )
    entries = curve_legend(several, onset_of(model) != (None, None), accuracy=True)
    entries.append(Patch(facecolor=GAP, alpha=0.18, label="gap"))
    entries.append(
        Line2D(
            [], [], color=VALIDATION, linestyle="", marker="D", markeredgecolor="black", label="best epoch"
        )
    )
    figure.legend(handles=entries, loc="outside lower left", ncols=4, fontsize=SMALL, frameon=False)
    return figure


def shade_gap(axes: Axes, train: Curve, validation: Curve) -> None:
    """Shade what lies between train and validation."""
    epochs = np.arange(1, len(train.median) + 1)
    axes.fill_between(epochs, train.median, validation.median, color=GAP, alpha=0.18, linewidth=0)


def mark_best_epochs(axes: Axes, trainings: Sequence[TrainingResult]) -> None:
    """Mark the lowest validation loss of each training."""
    for training in trainings:
        if training.best_epoch is not None:
            loss = training.history.val_nll[training.best_epoch - 1]
            assert loss is not None
            axes.plot(
                training.best_epoch,
                loss,
                "D",
                color=VALIDATION,
                markeredgecolor="black",
                markersize=6,
                zorder=5,
            )


def limit_loss(axes: Axes, *shown: Values) -> None:
    """Start the loss at 0; where it blows up, use a logarithmic scale, so that the rest can be read."""
    values = np.concatenate(shown)
    values = values[np.isfinite(values) & (values > 0)]
    value_axis(axes)
    if not len(values):
        axes.text(
            0.5, 0.5, "no finite value", transform=axes.transAxes, ha="center", color=MUTED, fontsize=LARGE
        )
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


def draw_confusion(tests: Sequence[TestMeasures]) -> Figure:
    """Return the confusion matrix, summed over seeds; colour shows mistakes only, for they are few."""
    counts = np.array([test.confusion for test in tests], dtype=np.int64).sum(axis=0)  # (classes, classes)
    classes = len(counts)
    mistakes = counts * (1 - np.eye(classes, dtype=np.int64))
    figure = new_figure(5.4, 6.6)
    axes = figure.add_subplot()
    axes.imshow(mistakes, cmap="Blues", vmin=0, vmax=max(int(mistakes.max()), 1) * 1.3)
    for truth in range(classes):
        for prediction in range(classes):
            count = int(counts[truth, prediction])
            if count:
                dark = mistakes[truth, prediction] > 0.8 * mistakes.max() > 0
                axes.text(
                    prediction,
                    truth,
                    f"{count:,}",
                    ha="center",
                    va="center",
                    fontsize=SMALL,
                    color=MUTED if truth == prediction else "white" if dark else "black",
                )
        total = sum(test.per_class_n[truth] for test in tests)  # an image without an answer is in no cell
        share = f"{100 * counts[truth, truth] / total:.1f} % of {total:,}" if total else "no image"
        axes.text(classes - 0.2, truth, share, fontsize=SMALL, va="center")
    axes.text(classes - 0.2, -0.9, "right", fontsize=NORMAL, va="center")
    seeds = f", {len(tests)} seeds added" if len(tests) > 1 else ""
    tidy(axes, "", "class the network said", f"true class{seeds}")
    axes.set_xticks(range(classes))
    axes.set_yticks(range(classes))
    axes.grid(False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure


def draw_mistakes(mistakes: Sequence[Mistake], pictures: npt.NDArray[np.uint8] | None) -> Figure:
    """Return the listed mistakes as pictures (k, 28, 28), most confident first; known label errors framed."""
    captions = [
        f"#{mistake.index}: truth {mistake.truth}\nsaid {mistake.prediction} at {probability(mistake.probability)}"
        + ("\nknown label error" if mistake.known_label_error else "")
        for mistake in mistakes
    ]
    framed = [mistake.known_label_error for mistake in mistakes]
    if pictures is not None and len(pictures) < len(mistakes):
        pictures = None
    return draw_pictures(pictures, captions, framed, "no mistake to show")
