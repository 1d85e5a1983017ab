"""report.html while its run goes on: which trainings wait, run and are done, with their curves so far.

Trainings write how far they are to the run folder, wherever they run; the flow reads that while it waits. So
nothing here is lost or left behind if one of them is killed: the page says when it was written.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tasks.evaluation.evaluate import EvaluatedTraining
from tasks.files import TEMPORARY_PREFIX, read_json, write_text
from tasks.markdown import code, escape, paragraphs, picture, table
from tasks.pictures import data_uri, save
from tasks.report.cells import Cell, duration, share
from tasks.report.figure_live import draw_live
from tasks.report.html import page_of
from tasks.report.live_curves import live_curves
from tasks.report.network_words import onset_cell
from tasks.report.publish import LiveArtifact
from tasks.results.training import Losses, TrainingResult
from tasks.store.layout import PROGRESS
from tasks.training.progress import ProgressRecord, Stage
from tasks.training.specification import Specification
from tasks.wording import and_list, counted

SECONDS_BETWEEN_PAGES = 2.0
SECONDS_OF_A_PAGE = (
    30.0  # a page that nothing changes is written anew after so long, to say that the run goes on
)
SECONDS_BETWEEN_UPLOADS = 10.0  # each draws a picture and is a request to the server;
SHARE_OF_UPLOADS = 0.01  # of the time at most, where that takes longer
COLUMNS = ("network", "seed", "state", "epoch", "time left", "test accuracy", "overfitting onset")


@dataclass(frozen=True)
class Branch:
    """One training of the run: what was asked for, how far it is, and its result once it is evaluated."""

    model: str
    seed: int
    epochs: int
    progress: ProgressRecord
    result: TrainingResult | None

    @property
    def state(self) -> str:
        """The state in words."""
        match self.progress.stage:
            case Stage.WAITING:
                return self.progress.reason.partition(",")[0] or "waits"  # for whom, the log says
            case Stage.RUNNING:
                return "runs"
            case Stage.DONE:
                return f"done, {self.result.origin}" if self.result else "trained, is being evaluated"
            case Stage.FAILED:
                return f"failed: {self.progress.reason}"

    @property
    def cells(self) -> list[Cell]:
        """What COLUMNS show of the training."""
        done, seconds = self.progress.epochs_done, self.progress.epoch_seconds
        going = self.progress.stage is Stage.RUNNING
        return [
            self.model,
            self.seed,
            self.state,
            f"{min(int(done) + going, self.epochs)} of {self.epochs}" if going or done else None,
            f"about {duration((self.epochs - done) * seconds)}" if going and seconds is not None else None,
            share(self.result.test) if self.result else None,
            onset_cell(self.result.onset) if self.result else None,
        ]

    @property
    def curves(self) -> tuple[Losses, Losses]:
        """The loss on train and on validation images after each epoch so far."""
        of = self.result.history if self.result else self.progress
        return of.train_nll, of.val_nll


class LivePage:
    """Writes the page of a run when something has changed."""

    def __init__(self, run_folder: Path, specifications: Sequence[Specification]) -> None:
        self.folder, self.specifications = run_folder, specifications
        self.progress, self.path = run_folder / PROGRESS, run_folder / "report.html"
        self.results: dict[tuple[str, int], TrainingResult] = {}
        self.seen: dict[str, int] = {}
        self.written = self.upload_after = 0.0
        self.artifact = LiveArtifact()

    def update(self) -> None:
        """Write the page anew if something has changed, or if it begins to look as if nobody wrote it."""
        since = time.monotonic() - self.written
        if since < SECONDS_BETWEEN_PAGES:
            return
        seen = {
            entry.path: entry.stat().st_mtime_ns
            for folder in (self.progress, self.folder / "trainings")
            for entry in os.scandir(folder)
            if entry.name.endswith(".json") and not entry.name.startswith(TEMPORARY_PREFIX)
        }
        if seen != self.seen or since > SECONDS_OF_A_PAGE:
            self.seen = seen
            self.write()

    def write(self, stopped: bool = False) -> None:
        """Write the page: of a run that goes on, or that was stopped before it had results."""
        self.written = time.monotonic()
        branches = [self.branch(each) for each in self.specifications]
        page = page_of(
            "live.html.jinja",
            script=None if stopped else "live.js",
            title=title_of(branches),
            columns=COLUMNS,
            branches=branches,
            curves={
                name: live_curves(f"Loss of {name} so far", epochs, seeds)
                for name, (epochs, seeds) in curves_of(branches).items()
            },
            stopped=stopped,
            written=datetime.now(UTC),
            run=self.folder.name,
        )
        with contextlib.suppress(OSError):  # the run itself is well, or says so itself
            write_text(self.path, page)
        if not stopped and time.monotonic() > self.upload_after:
            self.upload(f"The same, more often: {code(self.path)}.")

    def upload(self, words: str) -> None:
        """Show in Prefect how far the trainings are and their curves so far, below some words."""
        began = time.monotonic()
        branches = [self.branch(each) for each in self.specifications]
        parts = [f"# {escape(title_of(branches))}", words]
        if any(each.curves[1] for each in branches):
            with contextlib.suppress(OSError):
                drawn = save(draw_live(curves_of(branches)), self.progress / "curves.png")
                parts.append(picture("Losses on train and validation images so far", data_uri(drawn)))
        parts.append(table(COLUMNS, [each.cells for each in branches], len(COLUMNS)))
        self.artifact.show(paragraphs(*parts))
        ended = time.monotonic()
        self.upload_after = ended + max(SECONDS_BETWEEN_UPLOADS, (ended - began) / SHARE_OF_UPLOADS)

    def knows(self, specification: Specification) -> bool:
        """Return whether a training has said something: its process is ready, or it is reused."""
        return (self.progress / f"{specification.model}-{specification.seed}.json").exists()

    def branch(self, specification: Specification) -> Branch:
        """Return what is known of a training now."""
        model, seed = specification.model, specification.seed
        name = f"{model}-{seed}.json"
        progress = ProgressRecord()
        with contextlib.suppress(
            OSError, ValueError
        ):  # not there yet, or damaged: the page is no reason to fail
            progress = ProgressRecord.model_validate(read_json(self.progress / name))
        if (model, seed) not in self.results:
            with contextlib.suppress(OSError, ValueError):
                evaluated = EvaluatedTraining.model_validate(read_json(self.folder / "trainings" / name))
                self.results[model, seed] = evaluated.training
        return Branch(model, seed, specification.epochs, progress, self.results.get((model, seed)))


def title_of(branches: Sequence[Branch]) -> str:
    """Return what stands above all."""
    done = sum(each.result is not None for each in branches)
    names = and_list(list(dict.fromkeys(each.model for each in branches)))
    return f"{names}: {done} of {counted(len(branches), 'training')} done"


def curves_of(branches: Sequence[Branch]) -> dict[str, tuple[int, list[tuple[Losses, Losses]]]]:
    """Return of each network how many epochs there will be, and the curves so far of its seeds."""
    of_models: dict[str, tuple[int, list[tuple[Losses, Losses]]]] = {}
    for each in branches:
        of_models.setdefault(each.model, (each.epochs, []))[1].append(each.curves)
    return of_models


@contextlib.contextmanager
def live_page(run_folder: Path, specifications: Sequence[Specification]) -> Iterator[LivePage]:
    """Let the run have a page while the block runs. The block ends with the report in its place, or is stopped."""
    page = LivePage(run_folder, specifications)
    page.write()
    try:
        yield page
    except BaseException:
        if not (run_folder / "report.md").exists():  # which is written before the page's place is taken
            page.write(stopped=True)
        page.upload("The run was stopped. Finished epochs are kept: the same run goes on from there.")
        raise
    else:
        page.upload("The trainings have ended; `mnist-report` has the results.")
    finally:
        shutil.rmtree(page.progress, ignore_errors=True)
