"""The facts of a run to report.md. What stands where is to be seen in the templates.

Every expression of a Markdown template is escaped when it is put out, and None becomes a dash; what is Markdown
already (code, rows of tables, pictures) is not. Blanks at the ends of an expression are lost: they stand outside.
In HTML templates Jinja's own escaping is on.
"""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path

import jinja2

from tasks import markdown, wording
from tasks.markdown import Markdown
from tasks.report import answers, cells, classes, mistake_words, network_words, summary, words
from tasks.report.names import COMPARISON, PREVIEW, pictures_of
from tasks.results.run import Results

TEMPLATES = jinja2.FileSystemLoader(Path(__file__).with_name("templates"))

Picture = Callable[[str, str], Markdown]  # (what it shows, path in the run folder) to Markdown


@functools.cache
def markdown_templates() -> jinja2.Environment:
    """Return the templates of Markdown, in which every function that phrases or formats is known by its name."""
    environment = jinja2.Environment(
        loader=TEMPLATES,
        autoescape=False,  # it would be HTML's
        finalize=markdown.shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for module in (markdown, wording, cells, classes, mistake_words, network_words, words, answers, summary):
        environment.globals |= dict(inspect.getmembers(module, inspect.isfunction))
    environment.globals |= {"COMPARISON": COMPARISON, "PREVIEW": PREVIEW, "MEASURES": cells.MEASURES}
    environment.globals |= {
        "Markdown": Markdown,
        "STATUS_WORDS": network_words.STATUS_WORDS,
        "EXCLUDED": network_words.EXCLUDED,
        "tuple": tuple,
    }
    return environment


def report_markdown(results: Results, picture: Picture = markdown.picture) -> str:
    """Return the report of a run as Markdown.

    `picture` turns a figure into Markdown: by default a link relative to the run folder, something else where
    links lead nowhere.
    """
    template, pictures = markdown_templates().get_template("report.md.jinja"), pictures_of(results.finished)
    return template.render(results=results, picture=picture, pictures=pictures)


def previous_run_markdown(results: Results) -> str:
    """Return the section that compares a run with the one before, which it must have."""
    return markdown_templates().get_template("previous_run.md.jinja").render(results=results)
