"""The history across runs: one line per run, network and seed.

It is derived from all results.json; of runs that are no longer there, history.csv itself is what is left.
"""

import contextlib
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from tasks.errors import UserError
from tasks.files import atomic_write, lock
from tasks.report.figures import draw_trend
from tasks.results.file import RESULTS, OtherVersionError, read_own_results
from tasks.results.run import Results
from tasks.results.training import TrainingResult
from tasks.store.layout import Artifacts
from tasks.store.sealed import set_aside
from tasks.wording import counted, shortened

LOGGER = logging.getLogger(__name__)

NUMBERS = (
    *("accuracy", "accuracy_low", "accuracy_high", "nll", "train_accuracy", "best_epoch"),
    *("onset", "onset_first", "onset_last", "epochs", "seconds"),
)
COLUMNS = (
    *("run", "date", "status", "deployment", "commit", "dataset", "dataset_digest", "parameters"),
    *("model", "seed", *NUMBERS, "precision", "origin", "error", "onset_status"),
)
TYPES = dict.fromkeys(COLUMNS, "str") | dict.fromkeys(NUMBERS, "float64") | {"seed": "int64"}
HISTORY = "history.csv"
Row = dict[str, str | int | float | None]
# Parameters that change no training's numbers: runs that differ in these alone are points of one line.
NO_SETTINGS = (
    "models",
    "seeds",
    "min_test_accuracy",
    "max_accuracy_drop",
    "training_timeout",
    "refresh",
    "artifacts_dir",
)


def run_history(artifacts: Path) -> pd.DataFrame:
    """Return one row per run, network and seed, oldest run first; columns are COLUMNS.

    Accuracies are fractions on test with their 95 % Wilson interval, NLL is in nats per image, epochs count
    from 1, `seconds` is the time of fitting (of the training that was reused, if it was), `parameters` is
    JSON. What a training does not have is missing. Runs that this version cannot read are left out, with a
    warning: one for all of other versions, one for each that is damaged.
    """
    rows: list[Row] = []
    of_other_versions = []
    for path in sorted(Artifacts(artifacts).runs.glob(f"*/{RESULTS}")):
        try:
            rows += rows_of(path.parent.name, read_own_results(path.parent))
        except OtherVersionError as error:
            of_other_versions.append(error)
        except UserError as error:
            LOGGER.warning("Left out of the history: %s", error)
    if of_other_versions:
        others = counted(len(of_other_versions), "run")
        LOGGER.warning("Left out of the history: %s of other versions: %s", others, of_other_versions[0])
    history = pd.DataFrame(rows, columns=list(COLUMNS))
    return history.astype({**dict.fromkeys(NUMBERS, "float64"), "seed": "int64"})


def with_removed_runs(history: pd.DataFrame, artifacts: Path) -> pd.DataFrame:
    """Return the history together with the lines of history.csv whose runs it lacks, oldest run first.

    They were removed by housekeeping, or this version cannot read them. A history.csv that cannot be read is set
    aside, with a warning: it may be the only place that has them.
    """
    path = artifacts / HISTORY
    try:
        written = pd.read_csv(path, dtype=TYPES, keep_default_na=False, na_values=[""])
        if missing := {"run", "model"} - set(written.columns):
            raise ValueError(f"it has no column {missing.pop()}")
    except FileNotFoundError:
        return history
    except ValueError as error:
        aside = set_aside(path, Artifacts(artifacts).damaged)
        reason = str(error).splitlines()[0]
        LOGGER.warning(
            "%s cannot be read (%s). It was moved to %s and is made anew, without the runs that were removed.",
            *(path, reason, aside),
        )
        return history
    removed = written[~written["run"].isin(history["run"])].reindex(columns=list(COLUMNS)).astype(TYPES)
    both = [frame for frame in (removed, history) if len(frame)]
    return pd.concat(both).sort_values("run", kind="stable", ignore_index=True) if both else history


def update_history(run_folder: Path, results: Results) -> Path:
    """Write `history.csv` anew, draw the trend of the runs like this one, and return the picture's path.

    Like this one are the runs of the same deployment ("scripts" for those without one) on the same data set:
    a nightly run among trials on other data would be no trend. Data sets other than MNIST have pictures of their
    own.
    """
    artifacts = Artifacts.of(run_folder).root
    deployment = results.provenance.deployment or "scripts"
    with lock(run_folder.parent):  # runs may end at once, and the last one must write down all of them
        history = with_removed_runs(run_history(artifacts), artifacts)
        with atomic_write(artifacts / HISTORY) as temporary:
            history.to_csv(temporary, index=False, float_format="%.6g")
        alike = history["dataset_digest"] == results.dataset.digest
        alike &= history["deployment"].fillna("scripts") == deployment
        name = deployment if results.dataset.is_mnist else f"{deployment}-{results.dataset.name}"
        name = shortened(re.sub(r"[^\w.-]+", "-", name), 100)
        drawn = history[alike].assign(settings=history[alike]["parameters"].map(settings))
        return draw_trend(drawn, artifacts / f"trend-{name}.png")


def settings(parameters: object) -> str:
    """Return those of a run's parameters (JSON) that decide its trainings' numbers; what is no JSON as it is."""
    with contextlib.suppress(ValueError, TypeError, AttributeError):
        value = json.loads(str(parameters))
        return json.dumps({name: value[name] for name in sorted(value.keys() - set(NO_SETTINGS))})
    return str(parameters)


def rows_of(run: str, results: Results) -> Iterator[Row]:
    """Yield the rows of a run."""
    of_run: Row = {
        "run": run,
        "date": results.provenance.started,
        "status": results.status,
        "deployment": results.provenance.deployment,
        "commit": results.provenance.commit,
        "dataset": results.dataset.name,
        "dataset_digest": results.dataset.digest,
        "parameters": json.dumps(results.parameters, sort_keys=True),
    }
    for name, model in results.models.items():
        for training in model.trainings:
            measured = row_of(training) if isinstance(training, TrainingResult) else {}
            yield of_run | {"model": name, "seed": training.seed, "error": training.error} | measured


def row_of(training: TrainingResult) -> Row:
    """Return the columns of what was measured of a training; an epoch that is no onset is left out."""
    test, onset = training.test, training.onset
    low, high = test.accuracy_ci95
    epoch, interval = (onset.epoch, onset.interval) if onset.status.shows_onset else (None, None)
    first, last = interval or (None, None)
    return {
        "accuracy": test.accuracy,
        "accuracy_low": low,
        "accuracy_high": high,
        "nll": test.nll,
        "train_accuracy": training.train.accuracy,
        "best_epoch": training.best_epoch,
        "onset": epoch,
        "onset_first": first,
        "onset_last": last,
        "onset_status": onset.status,
        "epochs": len(training.history.val_nll),
        "seconds": training.seconds,
        "precision": training.precision,
        "origin": training.origin,
    }
