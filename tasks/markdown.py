"""Markdown from text that may hold anything: escaping, tables, code. No line is ever indented.

What is Markdown already has the type `Markdown` and is never escaped again; any other text is escaped when it is
shown. Joining or cutting Markdown gives plain text: who forgets a step shows a backslash too many, never markup.
"""

import re
from collections.abc import Sequence

from tasks.printable import printable

DASH = "\N{EN DASH}"  # for what does not exist


class Markdown(str):
    """Text that is Markdown already."""

    __slots__ = ()


def escape(text: object) -> Markdown:
    """Return text as one line of Markdown that shows exactly this text, also where HTML is allowed."""
    if isinstance(text, Markdown):
        return text
    line = " ".join(printable(str(text).replace("\r\n", "\n")).split())
    line = re.sub(r"([\\`*<>\[\]~$&#])", r"\\\1", line)
    line = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", line)  # inside a word "_" is itself
    return Markdown(re.sub(r"^(\d*)([-+=.)])(?=\s|$)", r"\1\\\2", line))  # no list, no underline of a heading


def shown(value: object) -> Markdown:
    """Return a value as it stands in a page: escaped, and a dash for None."""
    return Markdown(DASH) if value is None else escape(value)


def sentence(text: object) -> Markdown:
    """Return escaped text that ends like a sentence."""
    escaped = escape(text)
    return escaped if escaped.endswith((".", "!", "?")) or not escaped else Markdown(f"{escaped}.")


def code(text: object) -> Markdown:
    """Return text as inline code; a dash for None and for no text."""
    line = "" if text is None else " ".join(printable(str(text).replace("\r\n", "\n")).split())
    if not line:
        return Markdown(DASH)
    fence = "`" * (longest_run(line) + 1)
    return Markdown(f"{fence} {line} {fence}" if "`" in line else f"{fence}{line}{fence}")


def code_block(text: object) -> Markdown:
    """Return text as a code block."""
    lines = printable(str(text).replace("\r\n", "\n")).strip("\n")
    fence = "`" * max(3, longest_run(lines) + 1)
    return Markdown(f"{fence}text\n{lines}\n{fence}")


def table(header: Sequence[object], rows: Sequence[Sequence[object]], left: int = 1) -> Markdown:
    """Return a table; the first `left` columns are aligned left, the others right."""
    return Markdown("\n".join([row(*header), rule(len(header), left), *(row(*cells) for cells in rows)]))


def row(*cells: object) -> Markdown:
    """Return one row of a table."""
    texts = (shown(cell).replace("|", r"\|").replace("\n", " ") for cell in cells)
    return Markdown(f"| {' | '.join(texts)} |")


def rule(columns: int, left: int = 1) -> Markdown:
    """Return the line below the header of a table; the first `left` columns are aligned left, the others right."""
    return Markdown(f"| {' | '.join(['---'] * left + ['--:'] * (columns - left))} |")


def picture(shows: str, address: str) -> Markdown:
    """Return a picture; `address` must be safe in Markdown."""
    return Markdown(f"![{escape(shows)}]({address})")


def paragraphs(*parts: str) -> str:
    """Return the parts that hold something, an empty line between them."""
    return "\n\n".join(part for part in parts if part)


def longest_run(text: str) -> int:
    """Return the length of the longest run of backticks."""
    return max((len(run) for run in re.findall(r"`+", text)), default=0)
