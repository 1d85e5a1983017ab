"""The report: its parts, its links, and that nothing a run may hold breaks it or gets out of its place."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hand_made import DATASET, PROVENANCE, failure, gate, network, previous, run, training
from synthetic import make_run

from tasks.markdown import escape, sentence
from tasks.report.curves_asked import curves_of
from tasks.report.html import html_page
from tasks.report.page import report_markdown
from tasks.report.summary import summary
from tasks.report.write import write_report
from tasks.results.enums import GateOutcome, GateReason
from tasks.results.file import read_results
from tasks.results.run import Results
from tasks.store.layout import PROJECT

HEADINGS = [
    "## How the run ended",
    "## The networks side by side",
    "### Is the difference real?",
    "## The tutorial's questions",
    "## Beside the tutorial",
    "## Each network",
    "### dense",
    "#### Mistakes of dense",
    "### cnn",
    "#### Mistakes of cnn",
    "### regularized_cnn",
    "#### Mistakes of regularized_cnn",
    "## The data",
    "## How to read this",
    "## Reproducing this run",
]
OUR_SCRIPTS = 2  # the numbers of the curves, and what draws them
ATTACK = "</pre><script>alert(1)</script> ``` | <img src=x onerror=alert(2)> [x](javascript:alert(3)) *b* $m$"


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the three networks with its report; the tests only read it."""
    folder = make_run(tmp_path_factory.mktemp("run"), test_images=200)
    write_report(folder, read_results(folder))
    return folder


@pytest.fixture(scope="module")
def results(run_folder: Path) -> Results:
    """The results of that run."""
    return read_results(run_folder)


class Page(HTMLParser):
    """Collects what a page refers to, what can be referred to, and which elements it has."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.links: list[str] = []
        self.anchors: list[str] = []
        self.attributes: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Take note of an element."""
        self.tags.append(tag)
        for name, value in attributes:
            self.attributes.append(name)
            kept = {"src": self.sources, "href": self.links, "id": self.anchors}.get(name)
            if kept is not None:
                kept.append(value or "")


def headings(markdown: str) -> list[str]:
    """Return the headings below the title."""
    return re.findall(r"^##+ .*$", markdown, flags=re.MULTILINE)


def outside_code(markdown: str) -> str:
    """Return Markdown without its code blocks."""
    return re.sub(r"^(`{3,})text\n.*?^\1$", "(code)", markdown, flags=re.MULTILINE | re.DOTALL)


def test_order_of_parts(run_folder: Path) -> None:
    """The report has its parts in the order in which a reader asks for them."""
    assert headings((run_folder / "report.md").read_text()) == HEADINGS


def test_the_answer_comes_first(run_folder: Path, results: Results) -> None:
    """Below the title stand the sentences of the summary, the first by itself."""
    title, *sentences = (run_folder / "report.md").read_text().split("\n\n")[:4]
    assert title == "# MNIST: dense, cnn and regularized_cnn"
    assert sentences == list(map(sentence, summary(results)))


def test_links_lead_somewhere(run_folder: Path) -> None:
    """Every relative link leads to a file of the run folder."""
    links = re.findall(r"\]\((?!#)([^)]+)\)", (run_folder / "report.md").read_text())
    assert len(links) == 11
    assert [link for link in links if not (run_folder / link).is_file()] == []


def test_page_stands_alone(run_folder: Path) -> None:
    """report.html loads nothing: pictures are inside, links lead to anchors of the page."""
    html = (run_folder / "report.html").read_text()
    page = Page(html)
    assert len(page.sources) == 11
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert {link.removeprefix("#") for link in page.links} <= set(page.anchors)
    assert "url(" not in html
    assert "@import" not in html


def test_tables_scroll_in_their_own_box(run_folder: Path) -> None:
    """Each table and picture has a box of its own, so that a phone need not scroll the page sideways."""
    html = (run_folder / "report.html").read_text()
    assert len(re.findall(r'<div class="scroll"[^>]*><table>', html)) == html.count("<table>") == 6
    whole = 1  # the comparison, which is always to be seen as a whole
    assert len(re.findall(r'<span class="scroll"[^>]*><img', html)) == html.count("<img ") - whole


def test_terms_are_explained(run_folder: Path) -> None:
    """Every term of the report's list stands in docs/reading.md, at length."""
    list_of_terms = (run_folder / "report.md").read_text().split("## How to read this")[1]
    terms = re.findall(r"^- (\*\*.+?\.\*\*)", list_of_terms, flags=re.MULTILINE)
    explained = (PROJECT / "docs" / "reading.md").read_text()
    assert len(terms) == 12
    assert [term for term in terms if term not in explained] == []


@pytest.mark.parametrize(
    "case",
    [
        {"models": ["challenger"], "epochs": 2},
        {"models": ["dense", "cnn", "regularized_cnn", "deep_cnn", "challenger", ATTACK.replace("/", "")]},
        {"missing": ["cnn"], "diverged": ["dense"]},
        {"missing": ["dense", "cnn", "regularized_cnn"]},
        {"seeds": [0, 1], "diverged": ["cnn"], "missing": ["dense"]},
        {"epochs": 1},
    ],
    ids=["one network", "six networks", "failed and diverged", "all failed", "two seeds", "one epoch"],
)
def test_odd_runs(case: dict[str, Any], tmp_path: Path) -> None:
    """Whatever a run holds, all parts and networks are in the report, and nothing in it is markup but ours."""
    odd = read_results(make_run(tmp_path, test_images=200, **case))
    markdown = report_markdown(odd)
    expected = [heading for heading in HEADINGS if heading.startswith("## ")]
    if not odd.is_tutorial:
        expected = [heading for heading in expected if "tutorial" not in heading]
    assert [heading for heading in headings(markdown) if heading.startswith("## ")] == expected
    assert {f"### {escape(name)}" for name in odd.models} <= set(headings(markdown))
    text = outside_code(markdown)
    assert "nan" not in re.findall(r"\w+", text.lower())
    assert re.findall(r"^[ \t].*$|\n\n\n", text, flags=re.MULTILINE) == []
    page = Page(html_page(markdown, tmp_path))
    assert not {"b", "iframe"} & set(page.tags)
    assert page.tags.count("script") == OUR_SCRIPTS


def test_text_cannot_inject(tmp_path: Path) -> None:
    """Markup in errors, names, data and provenance is shown as text and never becomes HTML."""
    made = dict.fromkeys(("run", "command", "commit", "processor"), ATTACK) | {"versions": {ATTACK: ATTACK}}
    attacked = run(
        {ATTACK: network(training(origin_reason=ATTACK, folder=ATTACK), summary=ATTACK), "cnn": network()},
        failures=[failure(ATTACK, 0, f"{ATTACK}\n```\n{ATTACK}")],
        gates=[gate(outcome=GateOutcome.NOT_HELD, reason=GateReason.NO_RESULT, model=ATTACK)],
        previous_run=previous(run=ATTACK, unreadable=[ATTACK]),
        dataset=DATASET.model_copy(update={"name": ATTACK, "source": ATTACK, "is_mnist": False}),
        provenance=PROVENANCE.model_copy(update=made),
        parameters={ATTACK: ATTACK, "batch_size": 1, "learning_rate": 1, "validation_split": 1},
    )
    page = Page(html_page(report_markdown(attacked), tmp_path, curves_of(attacked)))
    assert not {"b", "iframe"} & set(page.tags)
    assert page.tags.count("script") == OUR_SCRIPTS
    assert "onerror" not in page.attributes
    assert all(link.startswith("#") for link in page.links)


def test_missing_picture_is_described(tmp_path: Path) -> None:
    """A picture that is missing is replaced by its description."""
    page = html_page("# T\n\n![what it shows](figures/none.png)", tmp_path)
    assert "what it shows (picture missing)" in page
    assert "<img" not in page
