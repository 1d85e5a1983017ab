"""report.md to report.html: one file that opens offline, on a phone, by day and by night."""

import base64
import functools
import hashlib
import json
from collections.abc import MutableMapping, Sequence
from html import escape
from itertools import chain
from pathlib import Path
from typing import Any

import jinja2
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from mdit_py_plugins.anchors import anchors_plugin

from tasks.pictures import DOTS_PER_INCH, data_uri
from tasks.report.curves_asked import Curves
from tasks.report.names import COMPARISON
from tasks.report.page import TEMPLATES

ENDED = "How the run ended"
# What a reader opens when the answer is not enough; so is all below a heading of the fourth level.
FOLDED = (
    *("Every training", "Is the difference real?", "Beside the tutorial", "The data", "How to read this"),
    "Reproducing this run",
)
Block = list[Token]  # the tokens of a paragraph, a heading, a table, ...


def html_page(markdown: str, folder: Path, curves: Curves | None = None) -> str:
    """Return the Markdown as an HTML page, its pictures taken from `folder` and embedded.

    On the first screen stand title, first sentence, comparison and how the run ended; sections of details are
    folded. In place of the pictures that `curves` names, a script draws curves that one can ask. HTML in the
    Markdown is shown as text. A picture that is missing is shown by its description.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").use(anchors_plugin, max_level=4)
    parser.add_render_rule("image", embed_picture)
    top, rest = first_screen(blocks(parser.parse(markdown)))
    contents = [
        (block[0].tag, str(block[0].attrs["id"]), block[1].content.replace("\\", ""))
        for block in rest
        if block[0].tag in ("h2", "h3")
    ]

    def rendered(tokens: Sequence[Token]) -> str:
        body = parser.renderer.render(tokens, parser.options, {"folder": folder, "curves": curves or {}})
        # A table gets a box that scrolls on narrow screens; what looks like a tag in the text is escaped by now.
        box = '<div class="scroll" tabindex="0" role="group" aria-label="table"><table>'
        return str(body).replace("<table>", box).replace("</table>", "</table></div>")

    return page_of(
        "report.html.jinja",
        script="report.js",
        title=next((block[1].content.replace("\\", "") for block in top if block[0].tag == "h1"), ""),
        contents=contents,
        top=rendered(list(chain(*top))),
        body=rendered(sections(rest)),
        curves=json.dumps(curves or {}, allow_nan=False).replace("<", "\\u003c"),
    )


def blocks(tokens: Sequence[Token]) -> list[Block]:
    """Return the tokens of each block of the first level together."""
    found: list[Block] = []
    for token in tokens:
        if token.level == 0 and token.nesting >= 0:
            found.append([])
        found[-1].append(token)
    return found


def first_screen(page: list[Block]) -> tuple[list[Block], list[Block]]:
    """Return what stands on the first screen, and what follows.

    The former is what stands before the second heading; the comparison, with its caption, and how the run ended
    follow the first sentence. The line of contents goes, for the page has its own.
    """
    start = next((place for place, block in enumerate(page) if block[0].tag == "h2"), len(page))
    top, rest = page[:start], page[start:]
    top = [block for block in top if not begins_with(block, "link_open")]
    moved: list[Block] = []
    for place, block in enumerate(rest):
        if begins_with(block, "image") and (block[1].children or [])[0].attrs["src"] == COMPARISON:
            moved = [[html("<figure>")], *rest[place : place + 2], [html("</figure>")]]
            del rest[place : place + 2]
            break
    if rest and rest[0][1].content == ENDED:
        moved.append(ended := rest.pop(1))
        if len(rest) == 1 or rest[1][0].tag == "h2":  # nothing else is said of it
            ended[0].attrSet("id", str(rest.pop(0)[0].attrs["id"]))
    return [*top[:2], *moved, *top[2:]], rest


def begins_with(block: Block, kind: str) -> bool:
    """Return whether a paragraph begins with an image, a link, ..."""
    return block[0].type == "paragraph_open" and (block[1].children or [block[0]])[0].type == kind


def sections(page: list[Block]) -> list[Token]:
    """Return the tokens with a section around each heading and what follows, folded where it holds details."""
    made: list[Token] = []
    ends: list[tuple[str, str]] = []  # of the sections that are open: the tag of the heading, the end
    for block in page:
        tag = block[0].tag
        if block[0].type == "heading_open":
            while ends and ends[-1][0] >= tag:
                made.append(html(ends.pop()[1]))
            if tag == "h4" or block[1].content in FOLDED:
                ends.append((tag, "</details>"))
                block = [html("<details><summary>"), *block, html("</summary>")]
            else:
                ends.append((tag, "</section>"))
                block = [html("<section>"), *block]
        made += block
    return [*made, *(html(end) for _, end in reversed(ends))]


def html(text: str) -> Token:
    """Return a token that is rendered as it is."""
    return Token("html_block", "", 0, content=text + "\n")


def embed_picture(
    renderer: RendererProtocol,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: MutableMapping[str, Any],
) -> str:
    """Render a picture with its bytes in the page, in a box that scrolls on narrow screens."""
    token = tokens[index]
    source = str(token.attrs["src"])
    picture = env["folder"] / source
    description = escape(token.content.replace("\\", ""))
    if not picture.is_file():
        return f"<em>{description} (picture missing)</em>"
    width = round(int.from_bytes(picture.read_bytes()[16:20]) * 100 / DOTS_PER_INCH)  # 100 pixels to the inch
    image = f'<img alt="{description}" width="{width}" src="{data_uri(picture)}">'
    if source == COMPARISON:
        return image  # it is always to be seen as a whole
    asked = f' data-curves="{escape(source)}"' if source in env["curves"] else ""
    return f'<span class="scroll" tabindex="0"{asked}>{image}</span>'


def page_of(template: str, script: str | None = None, **values: Any) -> str:
    """Return a page made of a template that escapes HTML; `script` names the only one that may run there."""
    templates = html_templates()
    code = script and TEMPLATES.get_source(templates, script)[0]
    digest = base64.b64encode(hashlib.sha256((code or "").encode()).digest()).decode()
    return templates.get_template(template).render(script=code, digest=digest, **values)


@functools.cache
def html_templates() -> jinja2.Environment:
    """Return the templates of pages."""
    return jinja2.Environment(
        loader=TEMPLATES, autoescape=True, keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True
    )
