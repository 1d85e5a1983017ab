"""What one network takes for what: its confusion of classes, and its most confident mistakes as pictures."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from tasks.pictures import MUTED, NORMAL, SMALL, TRAIN, draw_pictures, new_figure, plain
from tasks.report.charts import say, tidy
from tasks.report.mistake_words import confusion_matrix, frequent_mistakes
from tasks.results.run import Dataset
from tasks.results.training import Mistake, TestMeasures
from tasks.wording import probability

MOST_IN_MATRIX = 20  # classes; the cells of more cannot be read


def draw_confusion(tests: Sequence[TestMeasures], class_names: Sequence[str]) -> Figure:
    """Return what was taken for what, summed over seeds: a matrix, or of many classes the most frequent pairs."""
    counts = confusion_matrix(tests)
    totals = np.sum([test.per_class_n for test in tests], axis=0)  # an image without an answer is in no cell
    seeds = f", {len(tests)} seeds added" if len(tests) > 1 else ""
    if len(class_names) > MOST_IN_MATRIX:
        return draw_pairs(counts, totals, class_names, seeds)
    return draw_matrix(counts, totals, class_names, seeds)


def draw_matrix(
    counts: npt.NDArray[np.int64], totals: npt.NDArray[np.int64], class_names: Sequence[str], seeds: str
) -> Figure:
    """Return the confusion matrix; colour shows mistakes only, for they are few."""
    classes = len(counts)
    mistakes = counts * (1 - np.eye(classes, dtype=np.int64))
    names = [plain(name, 16, 1) for name in class_names]
    longest = max(map(len, names))
    side = max(5.4, 0.44 * classes) + 0.06 * longest
    figure = new_figure(side, side + 1.2)
    axes = figure.add_subplot()
    axes.imshow(mistakes, cmap="Blues", vmin=0, vmax=max(int(mistakes.max()), 1) * 1.3)
    for truth, prediction in np.argwhere(counts):
        dark = mistakes[truth, prediction] > 0.8 * mistakes.max() > 0
        colour = MUTED if truth == prediction else "white" if dark else "black"
        text = f"{counts[truth, prediction]:,}"
        axes.text(prediction, truth, text, ha="center", va="center", fontsize=SMALL, color=colour)
    for truth in range(classes):
        total = totals[truth]
        share = f"{100 * counts[truth, truth] / total:.1f} % of {total:,}" if total else "no image"
        axes.text(classes - 0.2, truth, share, fontsize=SMALL, va="center")
    axes.text(classes - 0.2, -0.9, "right", fontsize=NORMAL, va="center")
    tidy(axes, "", "class the network said", f"true class{seeds}")
    axes.set_xticks(range(classes), names, rotation=90 if longest > 3 else 0)
    axes.set_yticks(range(classes), names)
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def draw_pairs(
    counts: npt.NDArray[np.int64], totals: npt.NDArray[np.int64], class_names: Sequence[str], seeds: str
) -> Figure:
    """Return the most frequent pairs of classes that were confused, as bars."""
    pairs = frequent_mistakes(counts)
    figure = new_figure(max(2.0, 0.8 + 0.3 * len(pairs)))
    axes = figure.add_subplot()
    tidy(axes, f"The most frequent mistakes{seeds}", "images", "")
    if not pairs:
        say(axes, "no mistake to show")
    for place, (truth, _, images) in enumerate(pairs):
        axes.barh(place, images, color=TRAIN, height=0.7)
        axes.text(images, place, f" {images:,} of {totals[truth]:,}", fontsize=SMALL, va="center")
    names = [[plain(class_names[label], 24, 1) for label in pair[:2]] for pair in pairs]
    axes.set_yticks(range(len(pairs)), [f"{truth}, taken for {said}" for truth, said in names])
    axes.set_ylim(len(pairs) - 0.5, -0.5)
    axes.set_xlim(0, 1.15 * max((pair[2] for pair in pairs), default=1))
    axes.grid(False, axis="y")
    return figure


def draw_mistakes(
    mistakes: Sequence[Mistake], pictures: npt.NDArray[np.uint8] | None, data: Dataset
) -> Figure:
    """Return the listed mistakes as pictures (k, ...), most confident first; known label errors framed."""
    names = [plain(name, 18, 1) for name in data.class_names]
    captions = [
        f"#{mistake.index}: truth {names[mistake.truth]}\n"
        f"said {names[mistake.prediction]}{in_place(names[mistake.prediction])}{probability(mistake.probability)}"
        + ("\nknown label error" if mistake.known_label_error else "")
        for mistake in mistakes
    ]
    framed = [mistake.known_label_error for mistake in mistakes]
    if pictures is not None and len(pictures) < len(mistakes):
        pictures = None
    return draw_pictures(pictures, captions, framed, "no mistake to show", data.is_digits)


def in_place(name: str) -> str:
    """Return what parts a class from its probability: a line where the name is long."""
    return " at " if len(name) < 8 else "\nat "
