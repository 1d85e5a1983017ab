"""Pictures of any kind: size, colours, plain text, pictures in rows, saving.

Figures are made of `matplotlib.figure.Figure` alone: pyplot keeps global state, and tasks run in threads.
"""

import base64
import re
import textwrap
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from tasks.files import atomic_write

WIDTH = 9.0  # inches; a README shows it about 900 pixels wide, so 9 points are about 12 pixels there
DOTS_PER_INCH = 160
SMALL, NORMAL, LARGE = 8.0, 9.0, 10.5  # points

# Okabe and Ito's colours, told apart by colour-blind readers; one colour means one thing in all figures.
TRAIN, VALIDATION = "#0072B2", "#D55E00"  # blue, vermillion
MUTED, RULE = "#595959", "#D9D9D9"
COLUMNS = 6  # of pictures in a row
SIDE = 28  # of a picture, in the units in which pictures and their captions are laid out


def plain(text: str, width: int = 26, lines: int = 3) -> str:
    """Return text for a figure: no mathematics, no control characters, wrapped at "_" and blanks."""
    text = re.sub(r"[\x00-\x1f\x7f]+", " ", text)
    wrapped = textwrap.wrap(text.replace("_", "_\u200b").replace("\u200b", " \u200b"), width + 2) or [""]
    joined = [line.replace(" \u200b", "").replace("\u200b", "").strip() for line in wrapped]
    if len(joined) > lines:
        joined = [*joined[: lines - 1], joined[lines - 1][: width - 1] + "…"]
    return "\n".join(joined).replace("$", r"\$")


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """Return an empty white figure of `width` x `height` inches that lays itself out."""
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> Path:
    """Write a PNG atomically; the same figure gives the same bytes."""
    with atomic_write(path) as temporary:
        # The same bytes as of `savefig`, which draws every figure twice.
        FigureCanvasAgg(figure).print_png(temporary, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return path


def draw_pictures(
    pictures: npt.NDArray[np.uint8] | None,
    captions: list[str],
    framed: list[bool],
    if_none: str,
    ink_on_paper: bool = True,
) -> Figure:
    """Return pictures in rows of six, each above its caption: (k, height, width), in colour (k, height, width, 3).

    Grey ones are dark ink on white, or as they are stored, 255 being white.
    """
    rows = max(1, -(-len(captions) // COLUMNS))
    lines = max((caption.count("\n") + 1 for caption in captions), default=1)
    step = SIDE + 6
    text_height = 3 * lines + 4
    height, width = rows * (SIDE + text_height), COLUMNS * step
    figure = new_figure(WIDTH * height / width)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    for index, caption in enumerate(captions):
        top, left = (index // COLUMNS) * (SIDE + text_height) + 1, (index % COLUMNS) * step + 3
        high, wide = (SIDE, SIDE)
        if pictures is not None:
            high, wide = (SIDE * side / max(pictures.shape[1:3]) for side in pictures.shape[1:3])
            axes.imshow(
                pictures[index],
                cmap="gray_r" if ink_on_paper else "gray",
                vmin=0,
                vmax=255,
                extent=(left, left + wide, top + high, top),
            )
        colour = VALIDATION if framed[index] else "#D9D9D9"
        border = 2.0 if framed[index] else 0.6
        axes.add_patch(Rectangle((left, top), wide, high, fill=False, edgecolor=colour, linewidth=border))
        axes.text(left, top + SIDE + 1, caption, fontsize=SMALL, va="top", linespacing=1.15)
    if not captions:
        axes.text(width / 2, height / 2, if_none, ha="center", fontsize=LARGE, color=MUTED)
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="auto")
    return figure


def data_uri(picture: Path) -> str:
    """Return a PNG as a data URI."""
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode("ascii")
