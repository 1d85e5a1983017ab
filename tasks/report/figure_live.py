"""The curves of trainings that go on, as a picture for Prefect, whose Markdown shows no SVG."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from tasks.pictures import SMALL, TRAIN, VALIDATION, new_figure, plain
from tasks.report.charts import epoch_axis, say, tidy, value_axis
from tasks.results.training import Losses

COLUMNS = 3


def draw_live(networks: Mapping[str, tuple[int, Sequence[tuple[Losses, Losses]]]]) -> Figure:
    """Return a panel per network: the losses on train and validation images so far, a pair of lines per seed.

    `networks` holds of each how many epochs there will be, and its seeds' losses.
    """
    columns, rows = min(COLUMNS, len(networks)), -(-len(networks) // COLUMNS)
    figure = new_figure(0.3 + 2.4 * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(networks) :]:
        axes.set_visible(False)
    for axes, (name, (epochs, seeds)) in zip(grid.flat, networks.items(), strict=False):
        tidy(axes, plain(name, 30, 1), "epoch", "loss (nats per image)")
        later = [0.0]
        for pair in seeds:
            for losses, colour, style in zip(pair, (TRAIN, VALIDATION), ("--", "-"), strict=True):
                values = np.array(losses, dtype=float)  # None becomes NaN
                line = axes.plot(np.arange(1, len(values) + 1), values, style, color=colour, linewidth=1.4)[0]
                line.set(marker="o", markersize=3.5, markevery=[-1] if len(values) else [])
                later += [value for value in values[1 if len(values) > 1 else 0 :] if np.isfinite(value)]
        axes.set_ylim(0, 1.08 * max(later) or 1.0)  # the first epoch may be many times the rest
        if not any(later):
            say(axes, "no epoch yet")
        epoch_axis(axes, 1, epochs)
        value_axis(axes)
    names = [
        grid.flat[0].plot([], [], style, color=colour, label=label)[0]
        for label, colour, style in (("train", TRAIN, "--"), ("validation", VALIDATION, "-"))
    ]
    figure.legend(handles=names, loc="outside upper right", ncols=2, fontsize=SMALL, frameon=False)
    return figure
