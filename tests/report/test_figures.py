"""Figures: what is drawn, from invented runs, and that no text covers another."""

import math
import os
import struct
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hand_made import DATASET, mistake, network_with, on_test
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from synthetic import make_run

from tasks.pictures import plain
from tasks.report.charts import curve, onset_of, zoom_start
from tasks.report.figure_comparison import draw_comparison, onset_label, upper_limit
from tasks.report.figure_mistakes import draw_confusion, draw_mistakes
from tasks.report.figure_network import draw_curves
from tasks.report.figures import day_of, draw_figures, draw_trend
from tasks.report.names import pictures_of
from tasks.results.enums import OnsetStatus
from tasks.results.file import read_results
from tasks.results.run import Results

DIGITS = DATASET.model_copy(update={"class_names": list("0123456789")})
LONG_NAME = "a_network_whose_name_goes_on_and_on_and_would_not_fit_anywhere_$x^2$"
SIX = ("dense", "cnn", "regularized_cnn", "deep_cnn", "challenger", LONG_NAME)
CASES: dict[str, dict[str, Any]] = {
    "one network, two epochs": {"models": ["cnn"], "epochs": 2},
    "one epoch": {"epochs": 1},
    "six networks, 200 epochs": {"models": SIX, "epochs": 200},
    "one failed, one diverged": {"models": SIX, "missing": ["cnn"], "diverged": ["dense"]},
    "all failed": {"missing": ["dense", "cnn", "regularized_cnn"]},
    "five seeds": {"seeds": range(5), "diverged": ["cnn"]},
}


@pytest.fixture(scope="module", params=CASES)
def results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The results of an invented run, for each case."""
    return read_results(make_run(tmp_path_factory.mktemp("run"), test_images=200, **CASES[request.param]))


def drawn_texts(figure: Figure, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Bbox]]:
    """Return the texts that are really drawn (an axis also holds labels outside its limits), with their boxes."""
    drawn: list[Text] = []
    draw = Text.draw

    def record(text: Text, renderer: RendererBase, *rest: Any, **named: Any) -> None:
        drawn.append(text)
        draw(text, renderer, *rest, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Text, "draw", record)
        figure.draw_without_rendering()
    return [
        (text.get_text(), text.get_window_extent())
        for text in drawn
        if text.get_visible() and text.get_text().strip()
    ]


def overlapping(texts: list[tuple[str, Bbox]]) -> list[tuple[str, str]]:
    """Return the pairs of texts that cover each other by more than a pixel."""
    return [
        (first, second)
        for (first, a), (second, b) in combinations(texts, 2)
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 1
    ]


def test_comparison_texts(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the comparison no text covers another or leaves the figure, however many networks, epochs and seeds."""
    figure = draw_comparison(results.models)
    texts = drawn_texts(figure, monkeypatch)
    width, height = figure.get_size_inches() * figure.dpi
    assert overlapping(texts) == []
    assert [
        text for text, box in texts if box.x0 < 0 or box.y0 < 0 or box.x1 > width + 1 or box.y1 > height + 1
    ] == []


def test_curve_texts(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a network's curves no text covers another."""
    for name, model in list(results.finished.items())[:1]:
        assert overlapping(drawn_texts(draw_curves(name, model), monkeypatch)) == []


def test_draw_figures(tmp_path: Path) -> None:
    """A run of one network has five pictures; the comparison is 1440 pixels wide, for README width twice."""
    folder = make_run(tmp_path, models=["dense"], epochs=10, test_images=200)
    drawn = {path.relative_to(folder).as_posix() for path in draw_figures(folder, read_results(folder))}
    assert drawn == {
        "comparison.png",
        "figures/dense.png",
        "figures/dense-confusion.png",
        "figures/dense-mistakes.png",
        "figures/preview.png",
    }
    header = (folder / "comparison.png").read_bytes()[:24]
    assert struct.unpack(">I", header[16:20]) == (1440,)


def test_same_run_same_bytes(tmp_path: Path) -> None:
    """Drawing again gives the same bytes: no time or version is in the files."""
    folder = make_run(tmp_path, models=["dense"], epochs=3, test_images=200)
    results = read_results(folder)
    first = {path: path.read_bytes() for path in draw_figures(folder, results)}
    assert {path: path.read_bytes() for path in draw_figures(folder, results)} == first


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: os.truncate(path, 100)], ids=["lost", "damaged"])
def test_pictures_not_stored(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """Without the stored pictures all figures are drawn all the same, so that no link leads nowhere."""
    folder = make_run(tmp_path, models=["dense"], epochs=2, test_images=200)
    spoil(folder / "images.npz")
    spoil(folder / "trainings" / "dense-0.npz")
    assert len(draw_figures(folder, read_results(folder))) == 5


def test_no_empty_panel(tmp_path: Path) -> None:
    """Five networks leave one of six places free, and nothing is drawn there."""
    folder = make_run(tmp_path, models=SIX[:5], epochs=2, test_images=200)
    figure = draw_comparison(read_results(folder).models)
    assert sum(axes.axison for axes in figure.axes) == 2 + 5


def test_curve_of_seeds() -> None:
    """Over seeds: median, lowest and highest; a seed without a finite value does not count."""
    values = curve([[3.0, 1.0, 5.0, None], [1.0, 2.0, None, None], [2.0, 6.0]])
    assert values.median[:3].tolist() == [2.0, 2.0, 5.0]
    assert values.low[:3].tolist() == [1.0, 1.0, 5.0]
    assert values.high[:3].tolist() == [3.0, 6.0, 5.0]
    assert math.isnan(values.median[3])


@pytest.mark.parametrize(
    ("model", "epochs", "first"),
    [
        ("dense", 50, 11),
        ("cnn", 20, 2),
        ("regularized_cnn", 30, 6),
        ("dense", 20, 5),
        ("cnn", 3, 2),
        ("dense", 2, 1),
    ],
)
def test_zoom_start(model: str, epochs: int, first: int) -> None:
    """The zoom starts where the tutorial's does, in proportion to the epochs."""
    assert zoom_start(model, epochs) == first


def test_upper_limit_cuts_blow_ups() -> None:
    """A loss that explodes does not flatten the rest of the curve."""
    calm = np.array([1.0, 1.0, 1.0])
    assert upper_limit(calm, np.array([1.0, 1.0, 2.0])) == pytest.approx(1.08 * 2)
    assert upper_limit(calm, np.array([1.0, 1.0, 1e9])) == pytest.approx(1.08 * 4)
    assert upper_limit(calm, np.array([math.nan])) is None


def test_degrading_is_not_overfitting() -> None:
    """Where both losses rise, no onset of overfitting is marked."""
    assert onset_of(network_with(OnsetStatus.DEGRADING, 5)) == (None, None)
    assert onset_of(network_with(OnsetStatus.OVERFITS, 5)) == (5, (4, 6))


def test_onset_label() -> None:
    """A row says the epoch and its interval, or in words why there is none, in short lines."""
    assert onset_label(network_with(OnsetStatus.DIVERGED, 5)) == "diverged\nepoch 5 (4 to 6)"
    assert onset_label(network_with(OnsetStatus.TOO_SHORT)) == "too few epochs to judge"


def test_plain() -> None:
    """A name is wrapped after underscores, shortened, and never read as mathematics."""
    assert plain("regularized_cnn") == "regularized_cnn"
    assert plain("aaaa_bbbb_cccc", width=10) == "aaaa_bbbb_\ncccc"
    assert plain("x" * 30, width=10, lines=2).endswith("…")
    assert plain("$x$\x07") == r"\$x\$"


def test_odd_names_make_safe_paths() -> None:
    """Names that would leave the folder, collide, or break a link become safe, different file names."""
    names = ["../../etc/passwd", "a b", "a-b", "A B", "preview", "]("]
    assert [pictures.curves for pictures in pictures_of(names).values()] == [
        "figures/etc-passwd.png",
        "figures/a-b.png",
        "figures/a-b-2.png",
        "figures/A-B-3.png",
        "figures/preview-2.png",
        "figures/model.png",
    ]


def test_confusion_without_mistakes() -> None:
    """A network without a mistake, and a class without an image, can be drawn."""
    test = on_test(confusion=[(0, 0, 5)], per_class_n=[5, 0])
    texts = {text.get_text() for text in draw_confusion([test], ["cat", "dog"]).findobj(Text)}
    assert {"100.0 % of 5", "no image", "cat", "dog"} <= texts


def test_confusion_of_many_classes() -> None:
    """Of more than 20 classes the pairs are drawn that are most often confused, over all seeds."""
    names = [f"class {label}" for label in range(300)]
    test = on_test(confusion=[(299, 299, 4), (299, 0, 3), (7, 8, 5)], per_class_n=[10] * 300)
    texts = [text.get_text() for text in draw_confusion([test, test], names).findobj(Text)]
    assert {"class 7, taken for class 8", "class 299, taken for class 0", " 10 of 20", " 6 of 20"} <= set(
        texts
    )
    none = draw_confusion([on_test(confusion=[(0, 0, 5)], per_class_n=[5] * 300)], names)
    assert "no mistake to show" in [text.get_text() for text in none.findobj(Text)]


def test_pictures_in_colour_and_not_square() -> None:
    """They keep their shape and colours; grey ones that are no digits are not turned to their negative."""
    shirt = DATASET.model_copy(update={"is_mnist": False, "class_names": ["shirt", "shoe"]})
    listed = [mistake(truth=0, prediction=1, known_label_error=False)]
    [wide] = draw_mistakes(listed, np.full((1, 16, 32, 3), 200, np.uint8), shirt).findobj(AxesImage)
    left, right, bottom, top = wide.get_extent()
    assert (right - left, bottom - top) == (28, 14)
    assert wide.get_array().shape == (16, 32, 3)
    [grey] = draw_mistakes(listed, np.zeros((1, 32, 16), np.uint8), shirt).findobj(AxesImage)
    [ink] = draw_mistakes(listed, np.zeros((1, 28, 28), np.uint8), DATASET).findobj(AxesImage)
    assert (grey.get_cmap().name, ink.get_cmap().name) == ("gray", "gray_r")


def test_mistakes_in_words() -> None:
    """A mistake is captioned with index, truth, prediction and probability; a known label error is named."""
    figure = draw_mistakes([mistake()], np.zeros((1, 28, 28), dtype=np.uint8), DIGITS)
    texts = [text.get_text() for text in figure.findobj(Text)]
    assert "#947: truth 8\nsaid 9 at > 99.99 %\nknown label error" in texts
    assert "no mistake to show" in [text.get_text() for text in draw_mistakes([], None, DIGITS).findobj(Text)]


OF_A_TREND = ["run", "model", "seed", "settings", "accuracy", "accuracy_low", "accuracy_high", "onset"]


@pytest.mark.parametrize("runs", [0, 1, 200])
def test_trend(runs: int, tmp_path: Path) -> None:
    """The trend over no run, one run and many runs is drawn, missing onsets and all."""
    rows = [
        (f"20260102T{run:06d}Z-x", model, 0, "{}", 0.9, 0.89, 0.91, 5 if run % 2 else None)
        for run in range(runs)
        for model in ("dense", LONG_NAME)
    ]
    path = draw_trend(pd.DataFrame(rows, columns=OF_A_TREND), tmp_path / "trend.png")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_trend_joins_equal_settings_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of runs of 5, 25 and 5 epochs a line joins the first and the third; the legend names the network once."""
    rows = [(f"{run}", "dense", 0, epochs, 0.9, 0.89, 0.91, 3) for run, epochs in enumerate(("5", "25", "5"))]
    figures: list[Figure] = []
    monkeypatch.setattr("tasks.report.figures.save", lambda figure, path: figures.append(figure) or path)
    draw_trend(pd.DataFrame(rows, columns=OF_A_TREND), tmp_path / "trend.png")
    upper = figures[0].axes[0]
    assert [list(np.asarray(line.get_xdata())) for line in upper.get_lines()] == [[1, 3], [2]]
    assert [text.get_text() for text in figures[0].legends[0].get_texts()] == ["dense"]


def test_day_of() -> None:
    """A run is labelled with its day and time."""
    assert day_of("20260102T030405Z-brave-otter") == "2026-01-02 03:04"
    assert day_of("something else") == "something else"
