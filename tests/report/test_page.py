"""The report: its parts, its links, and that nothing a run may hold breaks it or gets out of its place."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hand_made import DATASET, PROVENANCE, failure, gate, network, previous, run, training
from synthetic import make_run

from tasks.layout import PROJECT
from tasks.markdown import escape, sentence
from tasks.report.cells import duration, gap, p_value
from tasks.report.html import html_page
from tasks.report.page import report_markdown
from tasks.report.summary import summary
from tasks.report.write import write_report
from tasks.results.enums import GateOutcome, GateReason, Status
from tasks.results.file import RESULTS, read_results
from tasks.results.run import Results
from tasks.results.training import FailedTraining, Measures

HEADINGS = [
    "## How the run ended",
    "## The networks side by side",
    "### Is the difference real?",
    "## The tutorial's questions",
    "## Beside the tutorial",
    "## Each network",
    "### dense",
    "### cnn",
    "### regularized_cnn",
    "## The data",
    "## How to read this",
    "## Reproducing this run",
]
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
    lines = (run_folder / "report.md").read_text().split("\n\n")
    assert lines[0] == "# MNIST: dense, cnn and regularized_cnn"
    assert lines[1:4] == list(map(sentence, summary(results)))


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
    assert html.count('<div class="scroll"><table>') == html.count("<table>") > 10
    assert html.count('<span class="scroll"><img') == html.count("<img ")


def test_pixels_of_first_zero(run_folder: Path) -> None:
    """x_train[1] is printed as 28 lines of 28 numbers."""
    after = (run_folder / "report.md").read_text().split("The pixels of `x_train[1]` as stored:")[1]
    grid = after.split("```")[1].splitlines()[1:]
    assert [len(line.split()) for line in grid] == [28] * 28


def section(markdown: str, heading: str) -> str:
    """Return the part of a report below a heading of the second level."""
    return markdown.split(f"## {heading}\n")[1].split("\n## ")[0]


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
    assert [heading for heading in headings(markdown) if heading.startswith("## ")] == expected
    assert {f"### {escape(name)}" for name in odd.models} <= set(headings(markdown))
    text = outside_code(markdown)
    assert "nan" not in re.findall(r"\w+", text.lower())
    assert re.findall(r"^[ \t].*$|\n\n\n", text, flags=re.MULTILINE) == []
    page = Page(html_page(markdown, tmp_path))
    assert not {"script", "b", "iframe"} & set(page.tags)


def test_failures_are_not_hidden() -> None:
    """Failures stand before any result, each with its network, seed and whole error text."""
    models = {"dense": network(FailedTraining(seed=1, error="Killed.\nMore."), training(2)), "cnn": network()}
    failures = [failure("dense", 1, "Killed.\nMore."), failure("cnn", 3, "No memory.", task="evaluate")]
    before = section(
        report_markdown(run(models, status=Status.FAILED, failures=failures)), "How the run ended"
    )
    assert before.startswith("\n**Failed** after 12 min 34 s: 2 of 3 trainings have results")
    assert "**Failed: train dense (seed 1)**\n\n```text\nKilled.\nMore.\n```" in before
    assert "**Failed: evaluate cnn (seed 3)**\n\n```text\nNo memory.\n```" in before


def test_a_long_error_is_cut() -> None:
    """Of an error text the last 3,000 characters are shown; the log has the rest."""
    markdown = report_markdown(run({"cnn": network()}, failures=[failure(error="x" * 4_000)]))
    assert f"```text\n…\n{'x' * 3_000}\n```" in markdown


def test_gates_that_did_not_hold() -> None:
    """A gate that did not hold is in bold; one that was not judged is not called held."""
    gates = [
        gate(outcome=GateOutcome.NOT_HELD, reason=GateReason.NO_RESULT),
        gate(outcome=GateOutcome.NOT_JUDGED, reason=GateReason.NOT_IN_THIS_RUN, model="dense"),
    ]
    before = section(report_markdown(run({"cnn": network()}, gates=gates)), "How the run ended")
    assert "results, 0 of 2 gates held, 1 not judged." in before
    words = "cnn has no result to hold against the 97.00 % required"
    assert f"| **not held** | min_test_accuracy | {words} |" in before
    assert "| not judged | min_test_accuracy | dense was not part of this run |" in before


def test_text_cannot_inject(tmp_path: Path) -> None:
    """Markup in errors, names, data and provenance is shown as text and never becomes HTML."""
    everywhere = {
        "run": ATTACK,
        "command": ATTACK,
        "commit": ATTACK,
        "processor": ATTACK,
        "versions": {ATTACK: ATTACK},
    }
    attacked = run(
        {ATTACK: network(training(origin_reason=ATTACK, folder=ATTACK), summary=ATTACK), "cnn": network()},
        failures=[failure(ATTACK, 0, f"{ATTACK}\n```\n{ATTACK}")],
        gates=[gate(outcome=GateOutcome.NOT_HELD, reason=GateReason.NO_RESULT, model=ATTACK)],
        previous_run=previous(run=ATTACK, unreadable=[ATTACK]),
        dataset=DATASET.model_copy(update={"name": ATTACK, "source": ATTACK, "is_mnist": False}),
        provenance=PROVENANCE.model_copy(update=everywhere),
        parameters={ATTACK: ATTACK, "batch_size": 1, "learning_rate": 1, "validation_split": 1},
    )
    page = Page(html_page(report_markdown(attacked), tmp_path))
    assert not {"script", "b", "iframe"} & set(page.tags)
    assert "onerror" not in page.attributes
    assert all(link.startswith("#") for link in page.links)


def test_several_seeds(tmp_path: Path) -> None:
    """With several seeds: mean, deviation and range; onsets counted; every training has its row."""
    several = read_results(make_run(tmp_path, seeds=[0, 1, 2], test_images=200))
    markdown = report_markdown(several)
    assert "| seeds with results | 3 of 3 | 3 of 3 | 3 of 3 |" in markdown
    spread = several.accuracy("dense")
    assert (
        f"| test accuracy | {100 * spread.mean:.2f} % ± {100 * (spread.standard_deviation or 0):.2f} |"
        in markdown
    )
    assert re.search(r"\| overfitting onset \| 3 of 3 seeds, median epoch \d+", markdown)
    assert len(re.findall(r"^\| regularized_cnn \| [012] \|", markdown, flags=re.MULTILINE)) == 3
    assert re.search(r"\n\*The \d+ most confident mistakes of seed 0 on the test images\.\*\n", markdown)
    assert "**Seeds.**" in markdown
    levels = [f"{100 * (pair.level or 0):.4g} %" for pair in several.comparisons]
    assert re.findall(r"^\| \w+ \| \w+ \| 3 \| .+? \| ([\d.]+ %) \|", markdown, flags=re.MULTILINE) == levels


def test_previous_run(tmp_path: Path) -> None:
    """A previous run gets a section of its own, with a row per training in common."""
    make_run(tmp_path, models=["dense"], test_images=200, name="20260101T000000Z-before")
    now = read_results(make_run(tmp_path, models=["dense"], test_images=200))
    part = section(report_markdown(now), "Compared with the previous run")
    assert "The run before is 20260101T000000Z-before. Parameters and versions are the same." in part
    assert "- dense, seed 0: unchanged: the same test images are recognised." in part
    assert len(re.findall(r"^\| dense \| 0 \|", part, flags=re.MULTILINE)) == 1


def test_other_data_is_not_compared_with_the_tutorial() -> None:
    """For data that are not MNIST neither the tutorial's figures nor MNIST's label errors are mentioned."""
    data = DATASET.model_copy(update={"name": "fashion-mnist", "is_mnist": False})
    markdown = report_markdown(run({"cnn": network()}, dataset=data))
    assert markdown.startswith("# fashion-mnist: cnn\n")
    assert "Beside the tutorial" not in markdown
    assert "Northcutt" not in markdown


def test_tutorial_says_why() -> None:
    """Beside the tutorial's figures stand the reasons for which this run's differ."""
    models = {"dense": network(epochs=5), "cnn": network(), "regularized_cnn": network(epochs=30)}
    raw = DATASET.model_copy(update={"pixel_scaling": "none"})
    part = section(report_markdown(run(models, dataset=raw)), "Beside the tutorial")
    assert "| cnn | last validation accuracy | 98.65 % | 97.00 % (96.80 to 97.20) |" in part
    assert "| cnn | last validation loss | 0.0942 | 0.1000 |" in part
    assert "- This run was not the tutorial's programme: dense epochs 5, not 50.\n" in part
    assert "trained on raw pixels 0..255" in part
    assert "**What L2 and dropout cost.** With raw pixels" in part


def report_again(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `python -m tasks.report`."""
    command = [sys.executable, "-m", "tasks.report", *map(str, arguments)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60)


def test_written_again_is_the_same(run_folder: Path) -> None:
    """Making the report again gives the same text, byte for byte, and prints where it is."""
    names = ("report.md", "report.html")
    before = [(run_folder / name).read_bytes() for name in names]
    done = report_again(run_folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{run_folder / 'report.md'}\n", "")
    assert [(run_folder / name).read_bytes() for name in names] == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["empty"], "holds no results.json"),
        (["old"], "is of schema version 1, and this version of the program reads"),
        ([], "requires an argument"),
        (["--flag"], "--flag"),
    ],
)
def test_bad_command_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    """What a person did wrong is said in one line, and the exit code is 2."""
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / RESULTS).write_text('{"schema_version": 1}')
    done = report_again(*(each if each.startswith("-") else tmp_path / each for each in arguments))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert message in done.stderr


def test_numbers_in_words() -> None:
    """Durations and p-values are rounded for a reader."""
    assert [duration(seconds) for seconds in (0.84, 95, 812.4, 7500)] == [
        "0.8 s",
        "95 s",
        "13 min 32 s",
        "2 h 5 min",
    ]
    assert [p_value(p) for p in (None, 0.00001, 0.0123, 0.5)] == [None, "< 0.0001", "0.012", "0.50"]


def test_gap_by_newcombe() -> None:
    """The interval of the gap joins the two shares' own intervals: 3-4-5 triangles, in points."""
    train = Measures(n=100, correct=99, accuracy=0.99, accuracy_ci95=(0.96, 0.995), nll=None)
    test = Measures(n=100, correct=90, accuracy=0.90, accuracy_ci95=(0.888, 0.94), nll=None)
    assert gap(train, test) == "9.00 (4.00 to 10.30)"


def test_missing_picture_is_described(tmp_path: Path) -> None:
    """A picture that is missing is replaced by its description."""
    page = html_page("# T\n\n![what it shows](figures/none.png)", tmp_path)
    assert "what it shows (picture missing)" in page
    assert "<img" not in page
