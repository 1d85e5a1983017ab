"""The figures that the tutorial printed, beside those of this run."""

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import NamedTuple

from tasks.report.cells import Cell, last, nll, share
from tasks.report.network_words import network_onset_cell
from tasks.results.run import ModelResult, Results
from tasks.results.training import TrainingResult
from tasks.wording import percent, span

EPOCHS = {"dense": 50, "cnn": 20, "regularized_cnn": 30}
SETTINGS = {"batch_size": 128, "learning_rate": 0.001, "validation_split": 0.1}


def accuracy_of(split: str) -> Callable[[ModelResult], Cell]:
    """Return how the accuracy on a split is shown: with its interval, or mean and range over seeds."""
    measures = attrgetter(split)

    def cell(model: ModelResult) -> Cell:
        shares = [measures(training).accuracy for training in model.finished]
        if len(shares) == 1:
            return share(measures(model.finished[0]))
        return f"{percent(sum(shares) / len(shares))} ({span((min(shares), max(shares)))})"

    return cell


def loss_of(split: str) -> Callable[[ModelResult], Cell]:
    """Return how the loss on a split, free of penalties, is shown."""
    measures = attrgetter(split)

    def cell(model: ModelResult) -> Cell:
        if len(model.finished) == 1:
            return nll(measures(model.finished[0]))
        return mean_loss(model, lambda training: measures(training).nll)

    return cell


def mean_loss(model: ModelResult, loss: Callable[[TrainingResult], float | None]) -> Cell:
    """Return the loss of the one training, or mean and range over the seeds that have a finite one."""
    known = [value for training in model.finished if (value := loss(training)) is not None]
    if not known:
        return None
    limits = f" ({min(known):.4f} to {max(known):.4f})" if len(model.finished) > 1 else ""
    return f"{sum(known) / len(known):.4f}{limits}"


def last_validation_loss(model: ModelResult) -> Cell:
    """Return the last validation loss as Keras logs it, penalties included."""
    return mean_loss(model, lambda training: last(training.history.val_loss))


class Printed(NamedTuple):
    """What the tutorial (2019, TensorFlow 1.x and 2.0) prints or says of a network, and this run's own."""

    quantity: str
    text: str
    ours: Callable[[ModelResult], Cell]


PRINTED = {
    "dense": (
        Printed("test accuracy", "96.31 %", accuracy_of("test")),
        Printed("test loss", "0.2137", loss_of("test")),
        Printed("last validation accuracy", "96.78 %", accuracy_of("validation")),
        Printed("overfitting starts", "about epoch 20", network_onset_cell),
    ),
    "cnn": (
        Printed("last validation accuracy", "98.65 %", accuracy_of("validation")),
        Printed("last validation loss", "0.0942", last_validation_loss),
        Printed("overfitting starts", "epoch 8", network_onset_cell),
    ),
    "regularized_cnn": (
        Printed("test accuracy", "97.53 %", accuracy_of("test")),
        Printed("test loss", "0.3757 (with L2)", loss_of("test")),
        Printed("train accuracy, dropout off", "97.51 %", accuracy_of("train")),
        Printed("train loss, dropout off", "0.3810 (with L2)", loss_of("train")),
        Printed("overfitting starts", "not in 30 epochs", network_onset_cell),
    ),
}


def beside_the_tutorial(results: Results) -> list[list[Cell]]:
    """Return for each figure that the tutorial prints: network, quantity, its text, and this run's value."""
    return [
        [name, printed.quantity, printed.text, printed.ours(model)]
        for name, model in results.finished.items()
        if name in PRINTED
        for printed in PRINTED[name]
    ]


def unlike_the_tutorial(results: Results) -> Iterator[str]:
    """Yield the settings of this run that are not the tutorial's."""
    for name, model in results.models.items():
        if name in EPOCHS and model.epochs != EPOCHS[name]:
            yield f"{name}: {model.epochs} epochs, not {EPOCHS[name]}"
    for key, value in SETTINGS.items():
        if results.parameters[key] not in (None, value):  # None: the network's own, which is the tutorial's
            yield f"{key} {results.parameters[key]}, not {value}"
    if results.dataset.train_samples is not None:
        yield f"{results.dataset.train_samples} training images only"
