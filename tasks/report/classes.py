"""The tables of a data set's classes; of many classes, those that a reader wants to see."""

import statistics
from collections.abc import Callable

from tasks.report.cells import Cell, thousands
from tasks.results.run import Dataset, ModelResult, Results

MOST_CLASSES = 20  # rows; nobody reads a table of more


def accuracy_by_class(results: Results) -> list[list[Cell]]:
    """Return a row for each class: its name, each network's accuracy (mean over seeds), its test images.

    Of many classes the 20 on which the networks are worst, the worst first.
    """
    columns = [class_accuracies(model) for model in results.finished.values()]
    counts = next(iter(results.finished.values())).finished[0].test.per_class_n
    labels = list(range(len(counts)))
    if len(labels) > MOST_CLASSES:
        labels.sort(
            key=lambda label: sum(2.0 if (share := column[label]) is None else share for column in columns)
        )
    return [
        [
            results.dataset.class_names[label],
            *(None if (share := column[label]) is None else f"{100 * share:.1f} %" for column in columns),
            f"{counts[label]:,}",
        ]
        for label in labels[:MOST_CLASSES]
    ]


def columns_by_class(results: Results) -> list[str]:
    """Return the heads of the columns of `accuracy_by_class`."""
    seeds = {name: len(model.finished) for name, model in results.finished.items()}
    networks = [f"{name}, mean of {count} seeds" if count > 1 else name for name, count in seeds.items()]
    many = len(results.dataset.class_names) > MOST_CLASSES
    return [
        f"accuracy, the {MOST_CLASSES} worst classes" if many else "accuracy by class",
        *networks,
        "test images",
    ]


def class_accuracies(model: ModelResult) -> list[float | None]:
    """Return the accuracy of each class, the mean over the seeds; None where it has no test image."""
    by_class = zip(*(training.test.per_class_accuracy for training in model.finished), strict=True)
    known = [[value for value in values if value is not None] for values in by_class]
    return [sum(values) / len(values) if values else None for values in known]


def images_by_class(data: Dataset) -> list[list[Cell]]:
    """Return a row for all images and one for each class, of many classes three: the images of each split."""
    splits = list(data.class_counts.values())
    rows: list[list[Cell]] = [["all", *thousands(list(data.counts.values()))]]
    if len(data.class_names) <= MOST_CLASSES:
        return rows + [
            [name, *row] for name, *row in zip(data.class_names, *map(thousands, splits), strict=True)
        ]
    ranks: dict[str, Callable[[list[int]], int]] = {
        "smallest class": min,
        "median class": statistics.median_low,
        "largest class": max,
    }
    return rows + [[name, *thousands([of(split) for split in splits])] for name, of in ranks.items()]
