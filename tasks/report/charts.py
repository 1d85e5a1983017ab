"""What the figures of learning curves share: axes, curves over seeds, onset marks, legends."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from tasks.pictures import LARGE, MUTED, NORMAL, RULE, SMALL, TRAIN, VALIDATION
from tasks.results.enums import OnsetStatus
from tasks.results.run import ModelResult
from tasks.results.training import Losses

Values = npt.NDArray[np.float64]

SHADE = 0.35  # opacity of intervals

INTERVAL, MARK = "#CC79A7", "#000000"  # purple marks an onset's interval
SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # for one line per network
MARKERS = ("o", "s", "^", "D", "v", "P")

# The share of the epochs that the tutorial leaves out where it zooms; of other networks as of regularized_cnn.
LEFT_OUT = defaultdict(lambda: 5 / 30, {"dense": 10 / 50, "cnn": 1 / 20})


@dataclass(frozen=True)
class Curve:
    """One quantity per epoch over the seeds, each of shape (epochs,): the median, and the lowest and highest."""

    median: Values
    low: Values
    high: Values

    def percent(self) -> "Curve":
        """Return the curve of a share in percent."""
        return Curve(100 * self.median, 100 * self.low, 100 * self.high)


def curve(rows: Sequence[Losses]) -> Curve:
    """Return the curve over seeds, one row each, as long as the longest; NaN where no seed has a finite value."""
    values = np.full((len(rows), max(map(len, rows))), np.nan)
    for row, filled in zip(rows, values, strict=True):
        filled[: len(row)] = row  # None becomes NaN
    known = np.isfinite(values).any(axis=0)
    median, low, high = np.full((3, values.shape[1]), np.nan)
    median[known] = np.nanmedian(values[:, known], axis=0)
    low[known], high[known] = np.nanmin(values[:, known], axis=0), np.nanmax(values[:, known], axis=0)
    return Curve(median, low, high)


def zoom_start(name: str, epochs: int) -> int:
    """Return the first epoch of the zoomed curves: the tutorial's, in proportion to the epochs trained."""
    start = 1 + round(LEFT_OUT[name] * epochs)
    return min(max(start, 2), epochs - 1) if epochs > 2 else 1


def tidy(axes: Axes, title: str = "", x: str = "", y: str = "") -> None:
    """Give axes their title (on the left), their labels with units, and no more ink than needed."""
    axes.set_title(title, fontsize=LARGE, loc="left")
    axes.set_xlabel(x, fontsize=NORMAL)
    axes.set_ylabel(y, fontsize=NORMAL)
    axes.tick_params(labelsize=SMALL, color=RULE)
    axes.grid(True, color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(RULE)


def say(axes: Axes, text: str) -> None:
    """Write a text into axes that have nothing to show."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", color=MUTED, fontsize=LARGE)


def epoch_axis(axes: Axes, first: int, last: int) -> None:
    """Show the epochs `first` to `last` with whole numbers."""
    axes.set_xlim(first - 0.6, last + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))


def value_axis(axes: Axes) -> None:
    """Give the vertical axis a few round numbers."""
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))


def draw_curves_of(axes: Axes, model: ModelResult, train: Curve, validation: Curve) -> None:
    """Draw a quantity on train and validation images, and mark where overfitting starts."""
    epoch, interval = onset_of(model)
    if interval is not None:
        axes.axvspan(interval[0] - 0.5, interval[1] + 0.5, color=INTERVAL, alpha=SHADE, linewidth=0, zorder=0)
    if epoch is not None:
        axes.axvline(epoch, color=MARK, linewidth=1.2, zorder=1)
    several_seeds = len(model.finished) > 1
    draw_curve(axes, train, TRAIN, "--", several_seeds)
    draw_curve(axes, validation, VALIDATION, "-", several_seeds)


def draw_curve(axes: Axes, values: Curve, colour: str, style: str, band: bool) -> None:
    """Draw the median over seeds, with its band where there are several."""
    epochs = np.arange(1, len(values.median) + 1)
    marker = "o" if len(epochs) <= 12 else ""
    axes.plot(epochs, values.median, style, color=colour, linewidth=1.6, marker=marker, markersize=3.5)
    if band:
        axes.fill_between(epochs, values.low, values.high, color=colour, alpha=0.18, linewidth=0)


def onset_of(model: ModelResult) -> tuple[float | None, tuple[int, int] | None]:
    """Return (epoch, interval) of overfitting: of the one training, or median and range over seeds."""
    if model.aggregate is None:
        return None, None
    if len(model.finished) > 1:
        return model.aggregate.onset.median_epoch, model.aggregate.onset.range
    onset = model.finished[0].onset
    if onset.status is OnsetStatus.DEGRADING:  # not overfitting: the training itself fails
        return None, None
    return onset.epoch, onset.interval


def curve_legend(several_seeds: bool, onset: bool) -> list[Artist]:
    """Return the legend entries of learning curves; those of an onset only if one is shown."""
    over = " (median and range of seeds)" if several_seeds else ""
    entries: list[Artist] = [
        Line2D([], [], color=VALIDATION, linestyle="-", linewidth=1.6, label="validation" + over),
        Line2D([], [], color=TRAIN, linestyle="--", linewidth=1.6, label="train, dropout off" + over),
    ]
    if onset:
        shaded = "its range over seeds" if several_seeds else "its interval"
        entries.append(Line2D([], [], color=MARK, linewidth=1.2, label="overfitting starts"))
        entries.append(Patch(facecolor=INTERVAL, alpha=SHADE, label=shaded))
    return entries
