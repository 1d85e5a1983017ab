"""The report: its parts, its links, and that nothing a run may hold breaks it or gets out of its place."""

import copy
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from synthetic import make_run

from tasks.errors import UserError
from tasks.files import read_json
from tasks.markdown import DASH, code, code_block, escape, sentence, table
from tasks.report.cells import duration, gap, onset, p_value, probability
from tasks.report.html import html_page
from tasks.report.page import report_markdown
from tasks.report.write import main, read_results, write_report

Results = dict[str, Any]
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
    write_report(folder)
    return folder


@pytest.fixture
def results(run_folder: Path) -> Results:
    """The results of that run, to be changed at will."""
    return dict(read_json(run_folder / "results.json"))


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
    return re.sub(r"^(`{3,})text\n.*?^\1$", "", markdown, flags=re.MULTILINE | re.DOTALL)


def test_order_of_parts(run_folder: Path) -> None:
    """The report has its parts in the order in which a reader asks for them."""
    assert headings((run_folder / "report.md").read_text()) == HEADINGS


def test_the_answer_comes_first(run_folder: Path, results: Results) -> None:
    """Below the title stand the sentences of the summary, the first by itself."""
    lines = (run_folder / "report.md").read_text().split("\n\n")
    assert lines[0] == "# MNIST: dense, cnn and regularized_cnn"
    assert lines[1 : 1 + len(results["summary"])] == list(map(sentence, results["summary"]))


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


def test_written_again_is_the_same(run_folder: Path) -> None:
    """Making the report again gives the same text, byte for byte."""
    names = ("report.md", "report.html")
    before = [(run_folder / name).read_bytes() for name in names]
    assert main([str(run_folder)]) == 0
    assert [(run_folder / name).read_bytes() for name in names] == before


def test_no_line_is_indented(run_folder: Path) -> None:
    """Outside of code no line starts with a blank: Markdown would make code of it."""
    text = outside_code((run_folder / "report.md").read_text())
    assert re.findall(r"^[ \t].*$", text, flags=re.MULTILINE) == []


def test_pixels_of_first_zero(run_folder: Path) -> None:
    """x_train[1] is printed as 28 lines of 28 numbers."""
    after = (run_folder / "report.md").read_text().split("The pixels of `x_train[1]` as stored:")[1]
    grid = after.split("```")[1].splitlines()[1:]
    assert [len(line.split()) for line in grid] == [28] * 28


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
    """Whatever a run holds, every part of the report is there and every network has its section."""
    run = read_json(make_run(tmp_path, test_images=200, **case) / "results.json")
    markdown = report_markdown(run)
    for heading in ("## How the run ended", "## The networks side by side", "## Reproducing this run"):
        assert heading in headings(markdown)
    for name in run["models"]:
        assert f"### {escape(name)}" in headings(markdown)
    page = Page(html_page(markdown, tmp_path))
    assert not {"script", "b", "iframe"} & set(page.tags)
    assert "nan" not in re.findall(r"\w+", outside_code(markdown).lower())


def test_failures_are_not_hidden(results: Results) -> None:
    """A failure stands before any result, seeds that failed alike together, with the whole error text."""
    failure = {"task": "train-dense", "model": "dense", "error": "Killed.\nSecond line."}
    results |= {"status": "failed", "failures": [failure | {"seed": 1}, failure | {"seed": 2}]}
    before = report_markdown(results).split("## The networks side by side")[0]
    assert "**Failed** after" in before
    assert "**Failed: train-dense, seeds 1 and 2**\n\n```text\nKilled.\nSecond line.\n```" in before


def test_images_without_an_answer(tmp_path: Path) -> None:
    """Images for which a diverged network gives no finite probability are not passed over in silence."""
    run = read_json(
        make_run(tmp_path, models=["dense"], diverged=["dense"], test_images=200) / "results.json"
    )
    assert "200 of 200 test images have no answer: no probability is finite." in report_markdown(run)


def test_gates_that_did_not_hold(results: Results) -> None:
    """A gate that did not hold is counted and shown in bold."""
    results["gates"] = [
        {"name": "min_test_accuracy", "model": "cnn", "passed": False, "message": "cnn: 0.9 is below 0.99"}
    ]
    before = report_markdown(results).split("## The networks side by side")[0]
    assert "0 of 1 gate held" in before
    assert "| **not held** | min_test_accuracy | cnn: 0.9 is below 0.99 |" in before


def test_error_text_cannot_inject(results: Results, tmp_path: Path) -> None:
    """Markup in errors, names, messages and provenance is shown as text and never becomes HTML."""
    results["failures"] = [{"task": ATTACK, "model": ATTACK, "seed": 0, "error": f"{ATTACK}\n```\n{ATTACK}"}]
    results["gates"] = [{"name": ATTACK, "model": ATTACK, "passed": False, "message": ATTACK}]
    results["summary"] = [ATTACK]
    results["questions"] = [{"question": ATTACK, "answer": ATTACK}]
    results["provenance"] |= {"command": ATTACK, "commit": ATTACK, "processor": ATTACK, "run": ATTACK}
    results["models"][ATTACK] = results["models"].pop("cnn")
    results["models"]["dense"]["summary"] = ATTACK
    page = Page(html_page(report_markdown(results), tmp_path))
    assert not {"script", "b", "iframe"} & set(page.tags)
    assert "onerror" not in page.attributes
    assert all(link.startswith("#") for link in page.links)


def test_nothing_is_required_of_a_training_but_its_test(results: Results) -> None:
    """Any field of a training may be null: the report shows a dash."""
    for key in results["models"]["cnn"]["trainings"][0]:
        if key not in ("seed", "history", "test"):
            changed = copy.deepcopy(results)
            changed["models"]["cnn"]["trainings"][0][key] = None
            assert "### cnn" in report_markdown(changed)


def test_nothing_is_required_of_a_run_but_its_models(results: Results) -> None:
    """Any part of results.json may be missing or null."""
    for key in results:
        if key not in ("schema_version", "models"):
            for value in ({}, {key: None}):
                rest = {name: part for name, part in results.items() if name != key} | value
                assert "## How to read this" in report_markdown(rest)


def test_several_seeds(tmp_path: Path) -> None:
    """With several seeds: mean, deviation and range; onsets counted; every training has its row."""
    run = read_json(make_run(tmp_path, seeds=[0, 1, 2], test_images=200) / "results.json")
    markdown = report_markdown(run)
    assert "| seeds with results | 3 of 3 | 3 of 3 | 3 of 3 |" in markdown
    assert re.search(r"\| test accuracy \| \d\d\.\d\d % ± \d\.\d\d \|", markdown)
    assert re.search(r"\| overfitting onset \| 3 of 3 seeds, median epoch \d+", markdown)
    assert len(re.findall(r"^\| regularized_cnn \| [012] \|", markdown, flags=re.MULTILINE)) == 3
    assert "**Seeds.**" in markdown
    levels = [f"{100 * pair['level']:.4g} %" for pair in run["comparisons"]]
    assert re.findall(r"^\| \w+ \| \w+ \| 3 \| .+? \| ([\d.]+ %) \|", markdown, flags=re.MULTILINE) == levels


def test_two_seeds_tie_nobody(tmp_path: Path) -> None:
    """From two seeds there is no verdict, so the caption does not call networks tied either."""
    run = read_json(make_run(tmp_path, seeds=[0, 1], test_images=200) / "results.json")
    assert "no verdict: 2 seeds are too few" in report_markdown(run).lower()
    assert "the data cannot tell it from" not in report_markdown(run)


def test_previous_run(tmp_path: Path) -> None:
    """A previous run gets a section of its own, with a row per training in common."""
    before = make_run(tmp_path, models=["dense"], test_images=200, name="20260101T000000Z-before")
    run = read_json(make_run(tmp_path, models=["dense"], test_images=200, previous=before) / "results.json")
    part = report_markdown(run).split("## Compared with the previous run")[1].split("\n## ")[0]
    assert "20260101T000000Z-before" in part
    assert len(re.findall(r"^\| dense \| 0 \|", part, flags=re.MULTILINE)) == 1
    run["previous_run"] |= {"models": [], "note": "its predictions cannot be read: dense with seed 0"}
    assert "its predictions cannot be read: dense with seed 0." in report_markdown(run)


def test_other_data_is_not_compared_with_the_tutorial(results: Results) -> None:
    """For data that are not MNIST neither the tutorial's figures nor MNIST's label errors are mentioned."""
    results["dataset"] |= {"name": "fashion-mnist", "is_mnist": False}
    markdown = report_markdown(results)
    assert markdown.startswith("# fashion-mnist: ")
    assert "Beside the tutorial" not in markdown
    assert "Northcutt" not in markdown


def test_tutorial_says_why(results: Results) -> None:
    """Beside the tutorial's figures stand the reasons for which this run's differ."""
    results["parameters"] |= {"pixel_scaling": "none", "batch_size": 64}
    results["models"]["dense"]["epochs"] = 5
    part = report_markdown(results).split("## Beside the tutorial")[1].split("\n## ")[0]
    assert "dense: 5 epochs, not 50; batch_size 64, not 128" in part
    assert "trained on raw pixels 0..255" in part
    assert "**What L2 and dropout cost.**" in part


def test_tie_is_said(results: Results) -> None:
    """The caption does not let a network win that the data cannot tell from another."""
    for pair in results["comparisons"]:
        pair["significant"] = False
    assert "; the data cannot tell it from dense and regularized_cnn" in report_markdown(results)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "holds no results.json"),
        ("{", "cannot be read"),
        ("[]", "not of schema version 1"),
        ('{"schema_version": 2}', "not of schema version 1"),
    ],
)
def test_bad_folder(
    content: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder without a readable results.json is named in one line, and the exit code is 2."""
    if content is not None:
        (tmp_path / "results.json").write_text(content)
    assert main([str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert printed.err.count("\n") == 1
    with pytest.raises(UserError):
        read_results(tmp_path)


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a folder the command says how it is used."""
    assert main([]) == 2
    assert capsys.readouterr().err.startswith("usage: python -m tasks.report")


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("regularized_cnn", "regularized_cnn"),
        ("_a_ *b* `c`", r"\_a\_ \*b\* \`c\`"),
        ("<b>&[x](y)", r"\<b\>\&\[x\](y)"),
        ("1. one", r"1\. one"),
        ("- two", r"\- two"),
        ("97.5 % -3", "97.5 % -3"),
        ("two\nlines\x00", "two lines"),
    ],
)
def test_escape(text: str, escaped: str) -> None:
    """Whatever Markdown would read as markup is escaped; ordinary text stays as it is."""
    assert escape(text) == escaped


def test_code_and_tables() -> None:
    """Backticks cannot end code, and a bar cannot end a cell."""
    assert code("a`b") == "`` a`b ``"
    assert code("") == DASH
    assert code_block("```\nx") == "````text\n```\nx\n````"
    assert table(["a", "b"], [["x|y", "1"]]) == "| a | b |\n| --- | --: |\n| x\\|y | 1 |"


def test_numbers_in_words() -> None:
    """Durations, p-values and probabilities are rounded for a reader, never to certainty."""
    assert [duration(s) for s in (0.84, 95, 812.4, 7500, None)] == [
        "0.8 s",
        "95 s",
        "13 min 32 s",
        "2 h 5 min",
        DASH,
    ]
    assert [p_value(p) for p in (None, 0.00001, 0.0123, 0.5)] == [DASH, "< 0.0001", "0.012", "0.50"]
    assert [probability(p) for p in (0.5, 0.99999, None)] == ["50.00 %", "> 99.99 %", "unknown"]


def test_gap_by_newcombe() -> None:
    """The interval of the gap joins the two shares' own intervals: 3-4-5 triangles, in points."""
    training = {
        "train": {"accuracy": 0.99, "accuracy_ci95": [0.96, 0.995]},
        "test": {"accuracy": 0.90, "accuracy_ci95": [0.888, 0.94]},
    }
    assert gap(training) == "9.00 (4.00 to 10.30)"


def test_onset_in_words() -> None:
    """An onset is shown with its interval; where there is none, what would have been seen."""
    found = {"status": "overfits", "epoch": 8, "interval": [6, 12]}
    assert onset({"onset": found}) == "epoch 8 (6 to 12)"
    unseen = {"status": "not_observed", "smallest_detectable_rise": 3.14}
    assert onset({"onset": unseen}) == "not observed (a rise of 3.1 % would show)"
    assert onset({"onset": None}) == "not judged"


def test_missing_picture_is_described(tmp_path: Path) -> None:
    """A picture that is missing is replaced by its description."""
    page = html_page("# T\n\n![what it shows](figures/none.png)", tmp_path)
    assert "what it shows (picture missing)" in page
    assert "<img" not in page
