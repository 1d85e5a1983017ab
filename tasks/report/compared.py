"""Several runs side by side: compared.md, compared.html and compared.png in a folder of their own."""

from collections.abc import Sequence
from pathlib import Path
from string import ascii_uppercase

from tasks.comparison.across import AcrossRuns, across_runs, what_differs
from tasks.comparison.previous import with_answers
from tasks.errors import UserError, writing_to
from tasks.files import make_folder, path_of, write_text
from tasks.pictures import save
from tasks.report.cells import Cell, loss_on, points_with_interval
from tasks.report.figure_compared import draw_compared
from tasks.report.html import html_page
from tasks.report.names import COMPARED
from tasks.report.network_words import accuracy_cell, network_onset_cell
from tasks.report.page import markdown_templates
from tasks.results.file import read_results
from tasks.results.run import Results
from tasks.store.layout import claimed
from tasks.store.ownership import COMPARED_FILES, foreign_files, mark
from tasks.wording import and_list, counted, p_value, points, span

LETTERS = ascii_uppercase[:6]  # as many runs as there are colours that everybody can tell apart


def write_compared(run_folders: Sequence[Path], output: Path | None = None) -> Path:
    """Write runs side by side into `output`, by default `compared` in the artifacts folder; return compared.md.

    Raises UserError for a run that is not there, is of another version or is named twice, for fewer than two or
    more than six, and for a folder that holds other things.
    """
    folders = [path_of(folder) for folder in run_folders]
    if not 2 <= len(folders) <= len(LETTERS):
        raise UserError(f"--compare got {counted(len(folders), 'run')}. Expected two to {len(LETTERS)}.")
    runs = [read_results(folder) for folder in folders]
    names = [run.provenance.run for run in runs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError(f"{twice} is named twice. Give each run once (artifacts/latest is the newest).")
    folder = path_of(output) if output else claimed(None) / "compared"
    with writing_to(folder):
        make_folder(folder)
        if others := foreign_files(folder, COMPARED_FILES):
            raise UserError(f"{folder} holds other things ({others[0].name}). Name a new or empty folder.")
        mark(folder)
        save(draw_compared(dict(zip(LETTERS, runs, strict=False))), folder / COMPARED)
        across = across_runs([with_answers(*each) for each in zip(folders, runs, strict=True)])
        markdown = compared_markdown(runs, across)
        write_text(folder / "compared.md", markdown)
        write_text(folder / "compared.html", html_page(markdown, folder))
    return folder / "compared.md"


def compared_markdown(runs: Sequence[Results], across: Sequence[AcrossRuns]) -> str:
    """Return the page of several runs as Markdown."""
    template = markdown_templates().get_template("compared.md.jinja")
    return template.render(
        findings=findings_across(runs, across),
        letters=list(LETTERS[: len(runs)]),
        runs=rows_of_runs(runs),
        differing=[[name, *values] for name, values in what_differs(runs).items()],
        networks=rows_of_networks(runs),
        differences=rows_of_differences(across),
        picture_of_runs=COMPARED,
    )


def findings_across(runs: Sequence[Results], across: Sequence[AcrossRuns]) -> list[str]:
    """Return a sentence for each network in two runs, and one about data sets if they differ."""
    words = [verdict_across(line) for line in across]
    if len({run.dataset.digest for run in runs}) > 1:
        alone = "Runs of different data sets cannot be compared image by image"
        words.insert(0, f"{alone}: no difference between them is judged")
    return words


def verdict_across(line: AcrossRuns) -> str:
    """Return which of two runs of a network is more accurate and by how much, or that the data cannot tell."""
    base, run = LETTERS[line.base], LETTERS[line.run]
    if line.same_trainings:
        return f"{line.model}: {run} has the same trainings as {base}"
    seeds = counted(len(line.seeds), "seed")
    if not line.told_apart:
        limits = f"{points(line.difference)} points, {span(line.interval)}; {seeds}"
        return f"{line.model}: the data cannot tell {base} and {run} apart ({run} minus {base}: {limits})"
    low, high = line.interval
    limits, place = (span((low, high)), "above") if line.difference > 0 else (span((-high, -low)), "below")
    return f"{line.model}: {run} is {points(abs(line.difference))} points {place} {base} ({limits}; {seeds})"


def rows_of_runs(runs: Sequence[Results]) -> list[list[Cell]]:
    """Return a row per run: what it is."""
    return [
        [
            letter,
            run.provenance.run,
            run.provenance.started,
            run.dataset.name,
            and_list(list(run.models)),
            and_list([str(seed) for seed in seeds_of(run)]),
            run.status,
        ]
        for letter, run in zip(LETTERS, runs, strict=False)
    ]


def seeds_of(run: Results) -> list[int]:
    """Return the seeds that any network of a run was to be trained with."""
    return sorted({training.seed for model in run.models.values() for training in model.trainings})


def rows_of_networks(runs: Sequence[Results]) -> list[list[Cell]]:
    """Return a row per network and run that has a result of it, the runs of a network together."""
    return [
        [
            name,
            letter,
            len(run.finished[name].finished),
            accuracy_cell(run.finished[name]),
            loss_on("test", run.finished[name]),
            network_onset_cell(run.finished[name]),
            run.models[name].epochs,
        ]
        for name in dict.fromkeys(name for run in runs for name in run.finished)
        for letter, run in zip(LETTERS, runs, strict=False)
        if name in run.finished
    ]


def rows_of_differences(across: Sequence[AcrossRuns]) -> list[list[Cell]]:
    """Return a row per difference between two runs of a network."""
    return [
        [
            line.model,
            LETTERS[line.run],
            LETTERS[line.base],
            len(line.seeds),
            "the same trainings"
            if line.same_trainings
            else points_with_interval(line.difference, line.interval),
            None if line.same_trainings else p_value(line.p_value),
            None if line.same_trainings else p_value(line.p_adjusted),
        ]
        for line in across
    ]
