"""The curves of trainings that go on, as SVG: small, and drawn in a millisecond, unlike the report's figures."""

from collections.abc import Sequence
from html import escape

from tasks.pictures import TRAIN, VALIDATION
from tasks.results.training import Losses

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 340, 220, 40, 8, 24, 32  # pixels; the last four are margins
STYLES = (
    (f"var(--train, {TRAIN})", "5 3"),
    (f"var(--validation, {VALIDATION})", "none"),
)  # colour and dashes


def live_curves(title: str, epochs: int, trainings: Sequence[tuple[Losses, Losses]]) -> str:
    """Return the loss on train and validation images after each epoch, a pair of lines for each seed.

    There is room for all `epochs`. The axis of the loss begins at 0 and ends above all values but those of the
    first epoch, which may be many times the rest. Colours are the page's; where there is none, they fit white.
    """
    curves = [(curve, style) for pair in trainings for curve, style in zip(pair, STYLES, strict=True)]
    first, later = (
        [loss for curve, _ in curves for loss in curve[part] if loss is not None]
        for part in (slice(1), slice(1, None))
    )
    top = 1.08 * max(later or first, default=0.0) or 1.0

    def place(epoch: float, loss: float) -> tuple[float, float]:
        x = LEFT + (WIDTH - LEFT - RIGHT) * (epoch - 0.5) / epochs
        return x, HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(loss / top, 1.0)

    marks = [
        '<svg xmlns="http://www.w3.org/2000/svg" role="img" font-family="sans-serif" font-size="11"'
        f' viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"><title>{escape(title)}</title>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="var(--paper, #ffffff)"/>',
        text(2, 12, "loss (nats per image)"),
        text(WIDTH - RIGHT - 62, 12, "train", "end", STYLES[0][0]),
        text(WIDTH - RIGHT, 12, "validation", "end", STYLES[1][0]),
        text(WIDTH - RIGHT, HEIGHT - 3, "epoch", "end"),
    ]
    for share in (0.0, 0.5, 1.0):
        y = place(1, share * top)[1]
        marks.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="var(--rule, #d9d9d9)"/>')
        if first or not share:
            marks.append(text(LEFT - 4, y + 4, f"{share * top:.2g}", "end"))
    for epoch in sorted({1, (epochs + 1) // 2, epochs}):
        marks.append(text(place(epoch, 0)[0], HEIGHT - BOTTOM + 13, str(epoch), "middle"))
    if not first:
        marks.append(text(LEFT + 8, HEIGHT / 2, "no epoch yet"))
    for curve, (colour, dashes) in curves:
        points = [place(epoch, loss) for epoch, loss in enumerate(curve, 1) if loss is not None]
        if points:
            line = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
            end = 'cx="{:.1f}" cy="{:.1f}"'.format(*points[-1])
            marks.append(
                f'<path d="M{line}" fill="none" stroke="{colour}" stroke-width="1.8" stroke-dasharray="{dashes}"/>'
                f'<circle {end} r="2.5" fill="{colour}"/>'
            )
    return "\n".join([*marks, "</svg>"])


def text(x: float, y: float, words: str, anchor: str = "start", colour: str = "var(--text, #1f2328)") -> str:
    """Return words of an SVG."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'
