"""Progress of a training, for four kinds of viewers: a terminal, a log, the Prefect UI, the page of the run."""

import contextlib
import logging
import sys
import time
from collections.abc import Iterator
from enum import StrEnum, auto
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.client.schemas.objects import State
from prefect.context import TaskRunContext
from prefect.logging.handlers import PrefectConsoleHandler
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.states import Pending, Running
from prefect.utilities.engine import emit_task_run_state_change_event
from pydantic import Field
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tasks.files import write_json
from tasks.results.training import Losses, Record
from tasks.uploads import UPLOAD_ERRORS

Logger = logging.Logger | logging.LoggerAdapter[logging.Logger]
# Each update of the progress artifact is a request to the server; a training that is over sooner has none.
SECONDS_BETWEEN_UPDATES = 10.0  # each costs the flow about a tenth of a second
SECONDS_BETWEEN_RECORDS = 2.0
bars: Progress | None = None  # the live display of this process, if there is one


def console_handlers() -> list[PrefectConsoleHandler]:
    """Return the handlers that write Prefect's log to the terminal."""
    handlers = [*logging.getLogger().handlers, *logging.getLogger("prefect").handlers]
    return [handler for handler in handlers if isinstance(handler, PrefectConsoleHandler)]


@contextlib.contextmanager
def live_bars() -> Iterator[None]:
    """Show a bar per running training while the block runs, if stderr is a terminal."""
    global bars
    handlers = console_handlers()
    if not sys.stderr.isatty() or not handlers:
        yield
        return
    columns = (
        TextColumn("{task.description:<24}"),
        BarColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with contextlib.ExitStack() as stack:
        # One console for both, so that log lines go above the bars, not through them.
        for handler in handlers:
            stack.callback(setattr, handler, "console", handler.console)
            handler.console = console
            handler.addFilter(_is_no_epoch_line)
            stack.callback(handler.removeFilter, _is_no_epoch_line)
        bars = stack.enter_context(Progress(*columns, console=console))
        try:
            yield
        finally:
            bars = None


def _is_no_epoch_line(record: logging.LogRecord) -> bool:
    return not getattr(record, "epoch_line", False)


class Stage(StrEnum):
    """What becomes of a training."""

    WAITING = auto()
    RUNNING = auto()
    DONE = auto()
    FAILED = auto()


class ProgressRecord(Record):
    """How far a training is, as it stands on disk: its stage, and one value per epoch so far."""

    stage: Stage = Stage.WAITING
    reason: str = ""  # for what it waits, or why it failed
    epochs_done: float = 0.0  # the epoch that goes on counts by the share of its images
    epoch_seconds: float | None = None  # of the last epoch, unless TensorFlow compiled in it
    train_nll: Losses = Field(default_factory=list)  # nats per image, dropout off
    val_nll: Losses = Field(default_factory=list)


class ProgressReport:
    """Tells all viewers how far one training is; a context manager, so that a bar ends with it.

    `record` is the path of a file for the page of the run, if there is one.
    """

    def __init__(
        self, model: str, seed: int, epochs: int, logger: Logger, record: Path | None = None
    ) -> None:
        self.name, self.epochs, self.logger = f"{model} seed {seed}", epochs, logger
        self.path, self.record, self.recorded = record, ProgressRecord(), 0.0
        self.key = f"progress-{model}-{seed}".replace("_", "-")
        self.artifact: UUID | None = None
        self.updated: float | None = None
        self.waiting = ""  # for what, at present
        self.compiled_in = 1  # the epoch of which a part goes into compiling
        self.bar = bars.add_task(self.name, total=epochs, figures="", start=False) if bars else None

    def __enter__(self) -> "ProgressReport":
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        self._record(stage=Stage.FAILED if error else Stage.DONE, reason=str(error or ""))
        if bars and self.bar is not None:
            bars.remove_task(self.bar)
        if error_type is None and self.artifact:
            self._update_artifact(100.0)

    def say(self, text: str) -> None:
        """Log a line."""
        self.logger.info("%s: %s", self.name, text)

    def warn(self, text: str) -> None:
        """Log a warning."""
        self.logger.warning("%s: %s", self.name, text)

    def waits_for(self, what: str) -> None:
        """Log what the training waits for, and show it as Waiting; once, until it waits for something else."""
        if what != self.waiting:
            self.waiting = what
            self.say(f"waits for {what}")
            self._record(reason=f"waits for {what}")
            show_state(Pending(name="Waiting", message=f"Waits for {what}."))

    def begins(self, message: dict[str, Any]) -> None:
        """Take note of what was there before: the process is ready to train."""
        done = message["epochs_done"]
        self.compiled_in = done + 1
        self.say(f"process ready, {done} of {message['epochs']} epochs done before")
        self._record(epochs_done=done, train_nll=message["train_nll"], val_nll=message["val_nll"])

    def goes_on(self) -> None:
        """Show a training that waited as Running again."""
        self._record(stage=Stage.RUNNING, reason="")
        if self.waiting:
            self.waiting = ""
            show_state(Running())

    def step(self, epoch: int, fraction: float) -> None:
        """Take note of a part of an epoch, as a fraction of its images."""
        if bars and self.bar is not None:
            bars.start_task(self.bar)
            bars.update(self.bar, completed=epoch - 1 + fraction)
        self._update_artifact_at_times(epoch - 1 + fraction)
        self._record(at_once=False, epochs_done=epoch - 1 + fraction)

    def epoch(self, message: dict[str, Any]) -> None:
        """Take note of a finished epoch and its figures."""
        figures = "loss {loss} accuracy {accuracy} validation NLL {val_nll} accuracy {val_accuracy}".format(
            **{name: _short(message[name]) for name in ("loss", "accuracy", "val_nll", "val_accuracy")}
        )
        number, seconds = message["epoch"], message["seconds"]
        compiled = number == self.compiled_in
        left = "with compiling" if compiled else f"about {(self.epochs - number) * seconds:.0f} s left"
        line = f"epoch {number}/{self.epochs} {figures}, {seconds:.1f} s, {left}"
        self.logger.info("%s: %s", self.name, line, extra={"epoch_line": True})
        if bars and self.bar is not None:
            bars.update(self.bar, completed=number, figures=figures)
        self._update_artifact_at_times(number)
        curves = {curve: [*getattr(self.record, curve), message[curve]] for curve in ("train_nll", "val_nll")}
        self._record(at_once=False, epochs_done=number, epoch_seconds=None if compiled else seconds, **curves)

    def _record(self, at_once: bool = True, **changes: Any) -> None:
        """Note what has changed, and write it down: if not at once, some seconds after the last time."""
        self.record = self.record.model_copy(update=changes)
        new = time.monotonic() - self.recorded < SECONDS_BETWEEN_RECORDS
        if self.path is None or (new and not at_once):
            return
        self.recorded = time.monotonic()
        try:
            write_json(self.path, self.record.model_dump(mode="json"))
        except OSError as error:  # the training is well; the page shows what it knew
            self.logger.debug("Its progress could not be written: %s", error)

    def _update_artifact_at_times(self, epochs_done: float) -> None:
        now = time.monotonic()
        if self.updated is None:
            self.updated = now
        elif now - self.updated > SECONDS_BETWEEN_UPDATES:
            self.updated = now
            self._update_artifact(min(100.0, 100 * epochs_done / self.epochs))

    def _update_artifact(self, percent: float) -> None:
        """Write the progress artifact, if the server is there: nobody waits for that while a network trains."""
        try:
            with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
                if self.artifact:
                    update_progress_artifact(self.artifact, percent)
                else:
                    created = create_progress_artifact(percent, key=self.key, description=self.name)
                    self.artifact = created if isinstance(created, UUID) else None  # its type says both
        except UPLOAD_ERRORS as error:
            self.logger.debug("The progress artifact could not be written: %s", error)


def show_state(state: State[Any]) -> None:
    """Let the server show this task run in a state: Prefect itself has none for a task that waits its turn."""
    if context := TaskRunContext.get():
        emit_task_run_state_change_event(context.task_run, context.task_run.state, state)


def _short(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.4f}"
