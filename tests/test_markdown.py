"""Markdown from text that may hold anything."""

import pytest

from tasks.markdown import DASH, Markdown, code, code_block, escape, picture, row, sentence, shown, table


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("regularized_cnn", "regularized_cnn"),
        ("_a_ *b* `c`", r"\_a\_ \*b\* \`c\`"),
        ("<b>&[x](y)", r"\<b\>\&\[x\](y)"),
        ("1. one", r"1\. one"),
        ("- two", r"\- two"),
        ("97.5 % -3", "97.5 % -3"),
        ("two\nlines\x1b[31m", r"two lines\\x1b\[31m"),
    ],
)
def test_escape(text: str, escaped: str) -> None:
    """Whatever Markdown would read as markup is escaped; ordinary text stays as it is."""
    assert escape(text) == escaped


def test_only_markdown_is_not_escaped() -> None:
    """What is Markdown already stays as it is, also as a sentence; a part of it is text again."""
    assert escape(Markdown("**a**")) == "**a**"
    assert sentence(escape("a*")) == r"a\*."
    assert escape(Markdown("**a**").strip()) == r"\*\*a\*\*"


def test_nothing_is_a_dash() -> None:
    """None becomes a dash, and so does empty code."""
    assert [shown(None), code(None), code(""), shown(0)] == [DASH, DASH, DASH, "0"]


def test_code_and_tables() -> None:
    """Backticks cannot end code, a bar cannot end a cell, and cells are escaped."""
    assert code("a`b") == "`` a`b ``"
    assert code_block("```\nx") == "````text\n```\nx\n````"
    assert row("x|y", None, code("a|b")) == rf"| x\|y | {DASH} | `a\|b` |"
    assert table(["a", "b"], [["*x*", 1]]) == "| a | b |\n| --- | --: |\n| \\*x\\* | 1 |"


def test_picture() -> None:
    """What a picture shows cannot end its description."""
    assert picture("a](b", "c.png") == r"![a\](b](c.png)"
