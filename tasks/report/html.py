"""report.md to report.html: one file that opens offline, on a phone, by day and by night."""

from collections.abc import MutableMapping, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML, RendererProtocol
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from mdit_py_plugins.anchors import anchors_plugin

from tasks.pictures import DOTS_PER_INCH, data_uri

STYLE = """
:root { color-scheme: light dark; --text: #1f2328; --paper: #ffffff; --faint: #59636e; --rule: #d1d9e0;
  --wash: #f6f8fa; --link: #0550ae; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e8ea; --paper: #14171a; --faint: #9aa4ae;
  --rule: #3a424a; --wash: #1e2328; --link: #79b8ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1rem 1rem 4rem; color: var(--text);
  background: var(--paper); font: 1rem/1.55 system-ui, sans-serif; overflow-wrap: anywhere; }
h1, h2, h3 { line-height: 1.25; } h1 { font-size: 1.6rem; } h2 { font-size: 1.3rem; margin-top: 2.5rem;
  padding-top: .6rem; border-top: 1px solid var(--rule); } h3 { font-size: 1.1rem; margin-top: 2rem; }
h1 + p { font-size: 1.1rem; }
a { color: var(--link); }
p > em:only-child { color: var(--faint); font-style: normal; font-size: .93rem; }
.scroll { display: block; overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums;
  overflow-wrap: normal; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--rule); text-align: left; vertical-align: top; }
th, td:first-child, td[style*="right"] { white-space: nowrap; }
td { min-width: 6rem; } td[style*="right"] { min-width: 0; }
th { color: var(--faint); font-weight: 600; }
td:first-child, th:first-child { position: sticky; left: 0; background: var(--paper); }
code { font: .88em ui-monospace, monospace; background: var(--wash); padding: .1em .3em; border-radius: 3px; }
pre { overflow-x: auto; padding: .8rem; background: var(--wash); border-radius: 6px; font-size: .8rem;
  line-height: 1.3; overflow-wrap: normal; }
pre code { padding: 0; background: none; font-size: inherit; }
img { display: block; max-width: 100%; height: auto; background: #ffffff; border-radius: 4px; }
@media (max-width: 40rem) { body { padding: .6rem .8rem 3rem; } img { max-width: 40rem; } }
"""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}</body>
</html>
"""


def html_page(markdown: str, folder: Path) -> str:
    """Return the Markdown as an HTML page, its pictures taken from `folder` and embedded.

    HTML in the Markdown is shown as text. A picture that is missing is shown by its description.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").use(anchors_plugin, max_level=3)
    parser.add_render_rule("image", embed_picture)
    parser.add_render_rule("table_open", open_scroll_box)
    parser.add_render_rule("table_close", close_scroll_box)
    tokens = parser.parse(markdown)
    title = next((after.content for token, after in pairwise(tokens) if token.tag == "h1"), "")
    body = parser.renderer.render(tokens, parser.options, {"folder": folder})
    return PAGE.format(title=escape(title.replace("\\", "")), style=STYLE, body=body)


def embed_picture(
    renderer: RendererProtocol,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: MutableMapping[str, Any],
) -> str:
    """Render a picture with its bytes in the page, in a box that scrolls on narrow screens."""
    token = tokens[index]
    picture = env["folder"] / str(token.attrs["src"])
    description = escape(token.content.replace("\\", ""))
    if not picture.is_file():
        return f"<em>{description} (picture missing)</em>"
    width = round(int.from_bytes(picture.read_bytes()[16:20]) * 100 / DOTS_PER_INCH)  # 100 pixels to the inch
    return f'<span class="scroll"><img alt="{description}" width="{width}" src="{data_uri(picture)}"></span>'


def open_scroll_box(
    renderer: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: MutableMapping[str, Any],
) -> str:
    """Render the start of a table, in a box that scrolls on narrow screens."""
    return '<div class="scroll">' + renderer.renderToken(tokens, index, options, env)


def close_scroll_box(
    renderer: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: MutableMapping[str, Any],
) -> str:
    """Render the end of a table and of its box."""
    return renderer.renderToken(tokens, index, options, env) + "</div>\n"
