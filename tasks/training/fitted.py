"""The record of a finished training: training.json in its folder."""

from pathlib import Path

from tasks.files import read_json
from tasks.results.training import History, Record


class FittedTraining(Record):
    """What fitting came to; beside it the record holds the specification and the digests of its files."""

    parameter_count: int
    summary: str  # as Keras prints it
    history: History
    epoch_seconds: list[float]
    seconds: float  # of all epochs
    resumed_after: list[int]  # epochs done at each later start
    diverged: bool


def read_fitted(folder: Path) -> FittedTraining:
    """Return the record of the finished training in a folder; its digests are not compared."""
    record = read_json(folder / "training.json")
    return FittedTraining(**{name: record[name] for name in FittedTraining.model_fields})
