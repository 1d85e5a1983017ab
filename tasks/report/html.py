"""report.md to report.html: one file that opens offline, on a phone, by day and by night."""

import base64
import functools
import hashlib
from collections.abc import MutableMapping, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

import jinja2
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from mdit_py_plugins.anchors import anchors_plugin

from tasks.pictures import DOTS_PER_INCH, data_uri
from tasks.report.page import TEMPLATES


def html_page(markdown: str, folder: Path) -> str:
    """Return the Markdown as an HTML page, its pictures taken from `folder` and embedded.

    HTML in the Markdown is shown as text. A picture that is missing is shown by its description.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").use(anchors_plugin, max_level=3)
    parser.add_render_rule("image", embed_picture)
    tokens = parser.parse(markdown)
    title = next((after.content for token, after in pairwise(tokens) if token.tag == "h1"), "")
    body = parser.renderer.render(tokens, parser.options, {"folder": folder})
    # A table gets a box that scrolls on narrow screens; what looks like a tag in the text is escaped by now.
    body = body.replace("<table>", '<div class="scroll"><table>').replace("</table>", "</table></div>")
    return page_of("report.html.jinja", title=title.replace("\\", ""), body=body)


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


def embed_picture(
    renderer: RendererProtocol,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: MutableMapping[str, Path],
) -> str:
    """Render a picture with its bytes in the page, in a box that scrolls on narrow screens."""
    token = tokens[index]
    picture = env["folder"] / str(token.attrs["src"])
    description = escape(token.content.replace("\\", ""))
    if not picture.is_file():
        return f"<em>{description} (picture missing)</em>"
    width = round(int.from_bytes(picture.read_bytes()[16:20]) * 100 / DOTS_PER_INCH)  # 100 pixels to the inch
    return f'<span class="scroll"><img alt="{description}" width="{width}" src="{data_uri(picture)}"></span>'
