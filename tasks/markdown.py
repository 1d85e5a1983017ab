"""Markdown from text that may hold anything: escaping, tables, code. No line is ever indented."""

import re
from collections.abc import Sequence

DASH = "\N{EN DASH}"  # in tables, for what does not exist


def escape(text: object) -> str:
    """Return text as one line of Markdown that shows exactly this text, also where HTML is allowed."""
    line = " ".join(printable(str(text)).split())
    line = re.sub(r"([\\`*<>\[\]~$&#])", r"\\\1", line)
    line = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", line)  # inside a word "_" is itself
    return re.sub(r"^(\d*)([-+=.)])(?=\s|$)", r"\1\\\2", line)  # no list, no underline of a heading


def sentence(text: object) -> str:
    """Return escaped text that ends like a sentence."""
    escaped = escape(text)
    return escaped if escaped.endswith((".", "!", "?")) or not escaped else f"{escaped}."


def code(text: object) -> str:
    """Return text as inline code."""
    line = " ".join(printable(str(text)).split())
    if not line:
        return DASH
    fence = "`" * (longest_run(line) + 1)
    return f"{fence} {line} {fence}" if "`" in line else f"{fence}{line}{fence}"


def code_block(text: object) -> str:
    """Return text as a code block."""
    lines = printable(str(text)).strip("\n")
    fence = "`" * max(3, longest_run(lines) + 1)
    return f"{fence}text\n{lines}\n{fence}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Return a table of Markdown cells; the first `left` columns are aligned left, the others right."""
    rules = ["---" if column < left else "--:" for column in range(len(header))]
    return "\n".join(row_of(cells) for cells in (header, rules, *rows))


def row_of(cells: Sequence[str]) -> str:
    """Return one row of a table."""
    return "| " + " | ".join(cell.replace("|", r"\|").replace("\n", " ") for cell in cells) + " |"


def paragraphs(*parts: str) -> str:
    """Return the parts that hold something, an empty line between them."""
    return "\n\n".join(part for part in parts if part)


def bullets(items: Sequence[str]) -> str:
    """Return a list."""
    return "\n".join(f"- {item}" for item in items)


def printable(text: str) -> str:
    """Return text without control characters other than line ends and tabs."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]", "", text.replace("\r\n", "\n"))


def longest_run(text: str) -> int:
    """Return the length of the longest run of backticks."""
    return max((len(run) for run in re.findall(r"`+", text)), default=0)
