"""From a run folder to its report: pictures, report.md, report.html, draw.html."""

from pathlib import Path

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from tasks.errors import explain
from tasks.files import write_text
from tasks.report.curves_asked import curves_of
from tasks.report.draw_page import write_draw_page
from tasks.report.figures import draw_figures
from tasks.report.history import update_history
from tasks.report.html import html_page
from tasks.report.page import report_markdown
from tasks.report.publish import publish
from tasks.results.file import read_results
from tasks.results.run import Results


@task(name="report", task_run_name="report", cache_policy=NO_CACHE)
def report(run_folder: str) -> str:
    """Write figures, report and history, show them in Prefect, and return the path of report.md."""
    folder = Path(run_folder)
    results = read_results(folder)
    path = write_report(folder, results)
    trend = None
    try:
        trend = update_history(folder, results)
    except OSError as error:  # the run itself is well, and so is its report
        get_run_logger().warning("The history could not be written: %s", explain(error))
    publish(folder, results, trend)
    return str(path)


def write_report(run_folder: Path, results: Results) -> Path:
    """Write comparison.png, figures/*.png, report.md, report.html, draw.html; return the path of report.md.

    draw.html needs the trainings themselves, and is left out where they are not kept.
    """
    draw_figures(run_folder, results)
    markdown = report_markdown(results)
    write_text(run_folder / "report.md", markdown)
    write_text(run_folder / "report.html", html_page(markdown, run_folder, curves_of(results)))
    write_draw_page(run_folder, results)
    return run_folder / "report.md"
