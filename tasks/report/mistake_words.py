"""What a network takes for what, in words and in order of how often.

Plain text, not Markdown.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tasks.results.training import Mistake, TestMeasures, TrainingResult
from tasks.wording import counted, probability

LISTED_PAIRS = 20  # of classes that are confused


def confusion_matrix(tests: Sequence[TestMeasures]) -> npt.NDArray[np.int64]:
    """Return how many test images of each class were taken for each, over all tests: (truth, prediction)."""
    classes = len(tests[0].per_class_n)
    counts = np.zeros((classes, classes), dtype=np.int64)
    for truth, prediction, images in (pair for test in tests for pair in test.confusion):
        counts[truth, prediction] += images
    return counts


def frequent_mistakes(counts: npt.NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """Return the 20 most frequent mistakes in a matrix (truth, prediction): truth, prediction, images."""
    wrong = counts * (1 - np.eye(len(counts), dtype=np.int64))
    order = np.argsort(-wrong, axis=None, kind="stable")[:LISTED_PAIRS]
    pairs = zip(*np.unravel_index(order, wrong.shape), strict=True)
    return [(int(truth), int(said), int(wrong[truth, said])) for truth, said in pairs if wrong[truth, said]]


def confusion(trainings: Sequence[TrainingResult], class_names: Sequence[str]) -> str:
    """Return how many mistakes the trainings of a network make together, and which is the most frequent."""
    counts = confusion_matrix([training.test for training in trainings])
    images = sum(training.test.n for training in trainings)
    unanswered = images - counts.sum()
    np.fill_diagonal(counts, 0)
    mistakes = counts.sum()
    added = f" (all {len(trainings)} seeds added)" if len(trainings) > 1 else ""
    if unanswered:
        return (
            f"{unanswered:,} of {images:,} test images{added} have no answer: no probability is finite. "
            f"{counted(mistakes, 'mistake')} on the others."
        )
    if not mistakes:
        return f"No mistake on {images:,} test images{added}."
    (truth, said), *others = np.argwhere(counts == counts.max())
    as_often = f" (as often: {counted(len(others), 'other pair')})" if others else ""
    times = counted(counts.max(), "time")
    return (
        f"{counted(mistakes, 'mistake')} on {images:,} test images{added}; most often, {times}, "
        f"{an(class_names[truth])} was taken for {an(class_names[said])}{as_often}."
    )


def mistakes_shown(name: str, mistakes: Sequence[Mistake], class_names: Sequence[str]) -> str:
    """Return what the picture of the mistakes shows, for those who cannot see it."""
    listed = [
        f"#{mistake.index}, {an(class_names[mistake.truth])} taken for {an(class_names[mistake.prediction])} "
        f"({probability(mistake.probability)}{', known label error' if mistake.known_label_error else ''})"
        for mistake in mistakes
    ]
    return f"The most confident mistakes of {name}: {'; '.join(listed) or 'none'}"


def an(class_name: str) -> str:
    """Return a digit with its article, "a 7", "an 8", and the name of any other class as it is."""
    if len(class_name) > 1 or not class_name.isdecimal():
        return class_name
    return f"an {class_name}" if class_name == "8" else f"a {class_name}"
