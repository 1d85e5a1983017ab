"""`python -m tasks.evaluation.onset LOG...`: where did a training start to overfit, by the log it left?"""

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tasks.command_line import run_command
from tasks.errors import UserError
from tasks.evaluation.onset import find_onset
from tasks.pictures import TRAIN, VALIDATION, new_figure, save
from tasks.printable import in_one_line
from tasks.report.charts import INTERVAL, MARK, SHADE, epoch_axis, tidy, value_axis
from tasks.report.network_words import onset_sentence
from tasks.results.training import Losses, Onset

# Names of columns, the first found counts: a loss without penalties before one that may have them.
VALIDATION_NAMES = ("val_nll", "val_loss", "validation_loss", "valid_loss", "val_loss_epoch")
TRAIN_NAMES = ("train_nll", "train_loss_epoch", "train_loss", "training_loss", "loss")


def columns_of(path: Path) -> dict[str, Losses]:
    """Return the numeric columns of a CSV or JSON file, cells without a number left out. Raises UserError.

    Lightning writes a row per step and leaves empty what it did not measure at it.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix.lower() == ".json":
            content = json.loads(text)
            if not isinstance(content, dict):
                raise UserError(f"{path}: expected an object of lists, one for each loss.")
            lists = {name: values for name, values in content.items() if isinstance(values, list)}
        else:
            rows = list(csv.DictReader(text.splitlines()))
            lists = {name: [row[name] for row in rows] for name in (rows[0] if rows else ()) if name}
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}.") from error
    except ValueError as error:
        raise UserError(f"{path}: neither CSV nor JSON that can be read ({error}).") from error
    return {
        name: [number(value) for value in values if value not in ("", None)] for name, values in lists.items()
    }


def number(value: object) -> float | None:
    """Return a cell as a number, None where it is none."""
    try:
        return float(str(value))
    except ValueError:
        return None


def first_of(names: Sequence[str], columns: Mapping[str, Losses]) -> str | None:
    """Return the first of these names that is a column with a number in it."""
    return next((name for name in names if any(value is not None for value in columns.get(name, []))), None)


def draw(validation: Losses, train: Losses | None, onset: Onset, path: Path) -> Path:
    """Draw the two losses, the smoothed one and the onset, and write the PNG to `path`."""
    figure = new_figure(3.4)
    axes = figure.subplots()
    tidy(axes, "", "epoch", "loss")
    for losses, colour, style, label in (
        (train, TRAIN, "--", "train"),
        (validation, VALIDATION, "-", "validation"),
    ):
        if losses is not None:
            values = np.array([np.nan if value is None else value for value in losses])
            axes.plot(np.arange(1, len(values) + 1), values, style, color=colour, label=label)
    if onset.smoothed is not None and onset.smoothed_from is not None:
        epochs = onset.smoothed_from + np.arange(len(onset.smoothed))
        axes.plot(epochs, onset.smoothed, color="black", linewidth=1, label="validation, smoothed")
    if onset.epoch is not None and onset.interval is not None:
        axes.axvline(onset.epoch, color=MARK, linewidth=1.2, label="onset")
        ends = onset.interval[0] - 0.5, onset.interval[1] + 0.5
        axes.axvspan(*ends, color=INTERVAL, alpha=SHADE, linewidth=0, label="its interval")
    epoch_axis(axes, 1, len(validation))
    usual = 4 * np.nanmedian(np.array(validation, np.float64))  # the first losses may be many times as large
    if np.isfinite(usual) and usual > 0:
        axes.set_ylim(0, min(axes.get_ylim()[1], usual))
    value_axis(axes)
    axes.legend(frameon=False)
    return save(figure, path)


def answer(log: Path, png: Path | None) -> str:
    """Return a line on one log, and draw it. Raises UserError for a file without the two losses."""
    columns = columns_of(log)
    validation, train = first_of(VALIDATION_NAMES, columns), first_of(TRAIN_NAMES, columns)
    if validation is None:
        names = ", ".join(columns) or "none"
        raise UserError(
            f"{log}: no validation loss; expected a column {' or '.join(VALIDATION_NAMES)}, found {names}."
        )
    train_losses = None if train is None else columns[train]
    if train_losses is not None and len(train_losses) != len(columns[validation]):
        train, train_losses = None, None  # Lightning logs steps where nobody asked for epochs
    onset = find_onset(columns[validation], train_losses)
    drawn = f" Picture: {draw(columns[validation], train_losses, onset, png)}" if png else ""
    used = f"{validation}, {train}" if train else f"{validation} alone, no train loss of as many epochs"
    return f"{log} ({used}): {onset_sentence(onset)}{drawn}"


def command(*logs: Path, png: Path | None = None) -> int:
    """Say of each log whether and from where on its training overfits, with an interval, and why.

    Args:
        logs: files of Keras's CSVLogger, Lightning's metrics.csv, or JSON with a list for each loss.
        png: a picture of the log; a folder if there are several, which must exist.
    """
    if not logs:
        raise UserError("No log is named. Name at least one: python -m tasks.evaluation.onset history.csv")
    if png is not None and len(logs) > 1 and not png.is_dir():
        raise UserError(f"{png} is no folder, which several pictures need.")
    failed = False
    for log in logs:
        try:
            picture = png / f"{log.stem}.png" if png is not None and png.is_dir() else png
            print(in_one_line(answer(log, picture)))
        except UserError as error:
            failed = True
            print(in_one_line(str(error)), file=sys.stderr)
    return 2 if failed else 0


def main() -> int:
    """Run the command line of `tasks.evaluation.onset`; return the exit code."""
    return run_command("onset", "python -m tasks.evaluation.onset", command)
