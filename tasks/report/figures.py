"""From a run folder to its pictures. Everything here is a pure function of the folder's files."""

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tasks.data.arrays import UnreadableError, reading, stored_arrays
from tasks.pictures import SMALL, draw_pictures, new_figure, plain, save
from tasks.report.charts import MARKERS, SERIES, tidy
from tasks.report.figure_comparison import draw_comparison
from tasks.report.figure_mistakes import draw_confusion, draw_mistakes
from tasks.report.figure_network import draw_curves
from tasks.report.names import COMPARISON, PREVIEW, pictures_of
from tasks.results.run import Dataset, Results


def draw_figures(run_folder: Path, results: Results) -> list[Path]:
    """Draw every figure of a run into its folder; return their paths."""
    drawn = [save(draw_comparison(results.models), run_folder / COMPARISON)]
    for name, paths in pictures_of(results.finished).items():
        model = results.models[name]
        first = model.finished[0]
        pictures = stored_array(run_folder / "trainings" / f"{name}-{first.seed}.npz", "mistakes")
        tests = [training.test for training in model.finished]
        drawn += [
            save(draw_curves(name, model), run_folder / paths.curves),
            save(draw_confusion(tests, results.dataset.class_names), run_folder / paths.confusion),
            save(draw_mistakes(first.mistakes, pictures, results.dataset), run_folder / paths.mistakes),
        ]
    return [*drawn, save(draw_preview(run_folder, results.dataset), run_folder / PREVIEW)]


def draw_preview(run_folder: Path, data: Dataset) -> Figure:
    """Return one picture of each class, and of MNIST the tutorial's look at x_train[1]."""
    classes = stored_array(run_folder / "images.npz", "preview")
    zero = stored_array(run_folder / "images.npz", "first_zero")
    if classes is None:
        return draw_pictures(None, [], [], "pictures of the data were not stored")
    captions = [plain(name, 20, 2) for name in data.class_names[: len(classes)]]
    if zero is not None:
        classes, captions = np.concatenate([classes, zero[None]]), [*captions, "x_train[1]"]
    return draw_pictures(classes, captions, [False] * len(captions), "", data.is_digits)


def stored_array(path: Path, name: str) -> npt.NDArray[np.uint8] | None:
    """Return an array of an npz file, or None where it is missing or damaged: a report survives that."""
    try:
        with reading(str(path)):
            return np.asarray(stored_arrays(path)[name], dtype=np.uint8)
    except UnreadableError:
        return None


def draw_trend(history: pd.DataFrame, path: Path) -> Path:
    """Draw test accuracy and overfitting onset over runs, oldest first, and write the PNG to `path`.

    `history` has a row per run, model and seed with the columns run, model, seed, settings (text), accuracy,
    accuracy_low, accuracy_high (fractions; the 95 % interval) and onset (epoch, or missing). Runs are equally
    spaced; lines join those of equal settings.
    """
    runs = list(dict.fromkeys(history["run"].sort_values()))
    place = {run: number for number, run in enumerate(runs, start=1)}
    figure = new_figure(6.0)
    upper, lower = figure.subplots(2, 1, sharex=True)
    for number, (name, rows) in enumerate(history.groupby("model", sort=False)):
        style = {
            "color": SERIES[number % len(SERIES)],
            "marker": MARKERS[number % len(MARKERS)],
            "markersize": 4,
            "linewidth": 1.2,
        }
        x = rows["run"].map(place).astype(float)
        upper.vlines(
            x, 100 * rows["accuracy_low"], 100 * rows["accuracy_high"], color=style["color"], alpha=0.5
        )
        lower.plot(x, rows["onset"], linestyle="", marker="_", color=style["color"], alpha=0.6)
        for group, (_, alike) in enumerate(rows.groupby("settings", sort=False)):  # no line joins unlike runs
            middle = alike.groupby(x)["accuracy"].mean()
            label = plain(str(name), 40, 1) if group == 0 else None
            upper.plot(middle.index, 100 * middle, label=label, **style)
            onset = alike.groupby(x)["onset"].median()
            lower.plot(onset.index, onset, **style)
    tidy(upper, "Test accuracy (line: mean of seeds; bars: 95 % intervals)", "", "accuracy (%)")
    tidy(lower, "Overfitting onset (line: median of the seeds that show one)", "run, oldest first", "epoch")
    for axes in (upper, lower):
        axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    latest = history["onset"].max()
    lower.set_ylim(0, 1.1 * latest if latest > 0 else 1)
    ticks = sorted({round(place) for place in np.linspace(1, max(len(runs), 1), min(max(len(runs), 1), 8))})
    labels = [plain(day_of(runs[tick - 1]), 16, 1) for tick in ticks if runs]
    lower.set_xticks(ticks[: len(labels)], labels, rotation=20, ha="right")
    lower.set_xlim(0.5, max(len(runs), 1) + 0.5)
    if runs:
        figure.legend(loc="outside upper left", ncols=3, fontsize=SMALL, frameon=False)
    return save(figure, path)


def day_of(run: str) -> str:
    """Return the day and time in the name of a run folder, or the start of a name that holds none."""
    found = re.match(r"(\d{4})-?(\d\d)-?(\d\d)T(\d\d):?(\d\d)", run)
    return "{}-{}-{} {}:{}".format(*found.groups()) if found else run[:16]
