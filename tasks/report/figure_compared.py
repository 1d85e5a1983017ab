"""compared.png: each network in several runs, its curves over each other."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from tasks.pictures import SMALL, new_figure, plain
from tasks.report.charts import SERIES, curve, epoch_axis, say, tidy, value_axis, zoom_start
from tasks.report.figure_comparison import (
    Models,
    draw_accuracies,
    draw_onsets,
    epochs_of,
    onset_label,
    upper_limit,
)
from tasks.report.network_words import accuracy_cell
from tasks.results.run import Results

Dashes = str | tuple[int, tuple[int, ...]]
LINES: tuple[Dashes, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 2)))


class Style(NamedTuple):
    """How a run is drawn: a colour, and dashes for those who see none."""

    color: str
    linestyle: Dashes


def draw_compared(runs: Mapping[str, Results]) -> Figure:
    """Return panels for each network: its validation loss in all runs over each other, test accuracy and onset.

    `runs` are known by a letter; there are at most six.
    """
    networks = list(dict.fromkeys(name for run in runs.values() for name in run.finished))
    styles = {
        letter: Style(colour, dashes) for letter, colour, dashes in zip(runs, SERIES, LINES, strict=False)
    }
    heights = [0.2 + 0.17 * len(runs), *[1.9 + 0.6 * len(runs)] * max(1, len(networks))]
    figure = new_figure(sum(heights))
    top, *parts = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    entries = [
        Line2D([], [], **styles[letter]._asdict(), label=f"{letter}: {plain(run.provenance.run, 90, 1)}")
        for letter, run in runs.items()
    ]
    top.legend(handles=entries, loc="upper left", fontsize=SMALL, frameon=False, handlelength=4)
    if not networks:
        say(parts[0].subplots(), "no result")
    for part, name in zip(parts, networks, strict=False):
        models = {letter: run.models[name] for letter, run in runs.items() if name in run.finished}
        draw_network(part, name, models, styles)
    return figure


def draw_network(part: SubFigure, name: str, models: Models, styles: Mapping[str, Style]) -> None:
    """Draw one network in the runs that have it: validation loss on the left, accuracy and onset on the right."""
    grid = part.add_gridspec(2, 2, width_ratios=[1.2, 1])
    losses = part.add_subplot(grid[:, 0])
    tidy(losses, plain(name, 40, 1), "epoch", "validation loss (nats per image)")
    highest = 0.0
    for letter, model in models.items():
        found = curve([training.history.val_nll for training in model.finished])
        at = np.arange(1, len(found.median) + 1)
        losses.plot(at, found.median, **styles[letter]._asdict())
        if len(model.finished) > 1:
            losses.fill_between(
                at, found.low, found.high, color=styles[letter].color, alpha=0.18, linewidth=0
            )
        first = zoom_start(name, len(at)) - 1
        highest = max(highest, upper_limit(found.high[first:], found.high[first:]) or 0.0)
    losses.set_ylim(0, highest or None)
    epoch_axis(losses, 1, max(map(epochs_of, models.values())))
    value_axis(losses)
    accuracies, onsets = part.add_subplot(grid[0, 1]), part.add_subplot(grid[1, 1])
    draw_accuracies(
        accuracies, models, [f"{letter}: {accuracy_cell(model)}" for letter, model in models.items()]
    )
    accuracies.set_xlabel("accuracy (%)")
    draw_onsets(onsets, models, [f"{letter}: {onset_label(model)}" for letter, model in models.items()])
    onsets.set_xlabel("epoch")
