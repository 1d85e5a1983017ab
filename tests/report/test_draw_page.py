"""The page to draw on: its networks against Keras's, its drawings against tasks.recognition, in Chromium."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import MILLISECONDS, headless_browser, in_chromium, violations
from hand_made import network, run, training
from PIL import Image
from pipeline_runs import Run

from tasks.recognition.handwriting import mnist_form
from tasks.report import draw_page
from tasks.report.draw_page import page_layers, read_network
from tasks.report.write import write_report
from tasks.results.file import read_results

pytest_plugins = ["chromium"]
MODELS = ("dense", "cnn", "regularized_cnn", "challenger", "sprinter")
# Strokes as fractions of the canvas: a seven and a one.
SEVEN = [[(0.25, 0.2), (0.75, 0.2), (0.45, 0.85)]]
ONE = [[(0.5, 0.15), (0.5, 0.85)]]


def test_batch_normalisation() -> None:
    """By hand: 2 (x - 1) / sqrt(4) + 5 is x + 4."""
    layer = {"class_name": "BatchNormalization", "config": {"epsilon": 0.0}}
    [made] = page_layers([layer], [np.array([value], np.float32) for value in (2, 5, 1, 4)])
    assert (made["factor"].item(), made["bias"].item()) == (1, 4)


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        ("LSTM", {}, "LSTM"),
        ("Cropping2D", {"cropping": [[2, 2], [1, 1]]}, "cropping"),
        ("MaxPooling2D", {"pool_size": [3, 3], "strides": [2, 2]}, "strides"),
        ("ReLU", {"max_value": 6.0}, "max_value"),
        ("BatchNormalization", {"scale": False}, "scale"),
    ],
)
def test_unknown_layer(kind: str, settings: dict[str, Any], words: str) -> None:
    """A layer that the page cannot compute is an error when the page is written, not a wrong answer in it."""
    with pytest.raises(ValueError, match=words):
        page_layers([{"class_name": kind, "config": settings}], [])


def test_a_layer_that_is_called_like_one_of_kerass() -> None:
    """A layer of one's own is none that the page knows, whatever its name."""
    with pytest.raises(ValueError, match=r"example\.Dense"):
        page_layers([{"class_name": "Dense", "module": "example", "config": {}}], [])


def test_a_network_that_is_left_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page says which network it cannot compute, and why; if there is no other, there is no page."""

    def read(folder: Path) -> list[dict[str, Any]]:
        own: Any = {"class_name": "Residual", "module": "example<b>", "config": {}}
        page_layers([own] if folder.name == "bad" else [], [])
        return []

    monkeypatch.setattr(draw_page, "read_network", read)
    models = {name: network(training(folder=f"trainings/{name}")) for name in ("good", "bad")}
    folder = tmp_path / "runs" / "run"
    draw_page.write_draw_page(folder, run(models))
    page = (folder / "draw.html").read_text()
    assert "<p>bad is left out: draw.html cannot compute a layer example&lt;b&gt;.Residual.</p>" in page
    assert "good is left out" not in page
    draw_page.write_draw_page(folder, run({"bad": models["bad"]}))
    assert not (folder / "draw.html").exists()


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory, mnist: Path) -> Path:
    """A run of five networks, each trained for three epochs on 5,000 images in float32."""
    folder = tmp_path_factory.mktemp("draw")
    artifacts = folder / "artifacts"
    (artifacts / "data").mkdir(parents=True)
    (artifacts / "data" / "mnist.npz").symlink_to(mnist)
    flags = ("--models", *MODELS, "--train-samples", "5000", "--epochs", "3", "--precision", "float32")
    run = Run(artifacts, flags, folder / "log.txt")
    assert run.wait() == 0, run.output
    return (artifacts / "latest").resolve()


@pytest.mark.long
def test_left_out_where_trainings_are_gone(run_folder: Path, tmp_path: Path) -> None:
    """A report is made again from its folder alone; the page is left out where the networks are not kept."""
    elsewhere = tmp_path / "somewhere" / "else" / "run"
    shutil.copytree(run_folder, elsewhere, ignore=shutil.ignore_patterns("draw.html"))
    write_report(elsewhere, read_results(elsewhere))
    assert not (elsewhere / "draw.html").exists()
    with pytest.raises(FileNotFoundError):
        read_network(elsewhere / "trainings" / "dense-0")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium."""
    with headless_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def page(browser: Any, run_folder: Path) -> Iterator[Any]:
    """The page of the run, from its file; it may reach nothing else."""
    page = browser.new_page(viewport={"width": 1000, "height": 700})
    page.set_default_timeout(MILLISECONDS)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto((run_folder / "draw.html").as_uri())
    yield page
    assert len(requests) == 1, requests


def draw(page: Any, strokes: list[list[tuple[float, float]]]) -> None:
    """Draw strokes on the empty canvas with the mouse, and wait until the page has answered."""
    page.get_by_role("button", name="Clear").click()
    box = page.locator("#paper").bounding_box()
    for stroke in strokes:
        for number, (x, y) in enumerate(stroke):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=10)
            if number == 0:
                page.mouse.down()
        page.mouse.up()
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def percentages(page: Any, model: str) -> list[str]:
    """What a network says of the ten digits."""
    return page.locator(f"section[data-network={model}] .row span:last-child").all_inner_texts()


@pytest.mark.long
@in_chromium
@pytest.mark.parametrize("model", MODELS)
def test_predictions_are_kerass(page: Any, run_folder: Path, mnist: Path, model: str) -> None:
    """On 100 test images the page's probabilities are Keras's, within 0.001."""
    [training] = read_results(run_folder).models[model].finished
    with np.load(run_folder.parent.parent / training.folder / "predictions.npz") as stored:
        expected = np.exp(stored["final_test"][:100])
    with np.load(mnist) as stored:
        pixels = stored["x_test"][:100].reshape(100, -1).tolist()
    script = "([name, all]) => all.map(one => probabilities(NETWORKS.find(n => n.name === name), one))"
    found = np.array(page.evaluate(script, [model, pixels]))
    assert expected.std(axis=0).max() > 0.05  # the network has learnt something
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.long
@in_chromium
@pytest.mark.parametrize("strokes", [SEVEN, ONE], ids=["seven", "one"])
def test_preparation_is_pythons(page: Any, strokes: list[list[tuple[float, float]]]) -> None:
    """What the networks see of a drawing is what recognize-digit makes of a picture of it, nearly."""
    draw(page, strokes)
    ink = page.evaluate("Array.from(pen.getImageData(0, 0, 280, 280).data.filter((_, i) => i % 4 === 3))")
    picture = 1 - np.array(ink, dtype=np.float64).reshape(280, 280) / 255
    seen = page.evaluate("Array.from(form)")
    expected = mnist_form(np.pad(picture, 40, constant_values=1))  # paper around it, as in a photo
    difference = np.abs(np.array(seen).reshape(28, 28) - expected.astype(float)) / 255
    assert difference.mean() < 0.02
    assert np.array(seen).max() > 240


@pytest.mark.long
@in_chromium
def test_drawing(page: Any) -> None:
    """Strokes give every network ten bars that sum to 100 %; Clear empties paper and answers."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    draw(page, SEVEN)
    for model in MODELS:
        shown = [float(each.removesuffix(" %")) for each in percentages(page, model)]
        assert (len(shown), sum(shown)) == (10, pytest.approx(100, abs=0.6))
        assert page.locator(f"section[data-network={model}] .first").count() == 1
    of_the_seven = percentages(page, "cnn")
    draw(page, ONE)
    assert percentages(page, "cnn") != of_the_seven
    page.get_by_role("button", name="Clear").click()
    assert not "".join(page.locator(".row span:last-child").all_inner_texts())
    assert page.locator(".first").count() == 0
    assert not errors


@pytest.mark.long
@in_chromium
def test_in_words(page: Any) -> None:
    """Who says what, in one sentence, and one for each network that doubts, with its second thought."""
    shares = {7: [0.0] * 7 + [0.95, 0.05, 0.0], 1: [0.0, 0.6, 0, 0, 0, 0, 0, 0.4, 0, 0]}
    given = [
        {
            "name": name,
            "shares": shares[best],
            "best": best,
            "next": 7 if best == 1 else 8,
            "doubts": best == 1,
        }
        for name, best in (("dense", 7), ("cnn", 7), ("deep_cnn", 1))
    ]
    said = [page.evaluate("inWords", answers) for answers in (given, given[:2], given[2:])]
    doubt = "deep_cnn doubts: 1 at 60.0 %, 7 at 40.0 %."
    assert said == [
        f"The networks disagree: dense and cnn say 7; deep_cnn says 1. {doubt}",
        "All 2 networks say 7.",
        f"deep_cnn says 1. {doubt}",
    ]


@pytest.mark.long
@in_chromium
def test_a_drawing_is_kept(page: Any, tmp_path: Path) -> None:
    """A picture named by its digit: grey, 28 x 28, ink 255, as the networks see it."""
    draw(page, SEVEN)
    with page.expect_download() as download:
        page.get_by_role("button", name="7", exact=True).click()
    download.value.save_as(tmp_path / "kept.png")
    assert re.fullmatch(r"7-\d{8}T\d{9}Z\.png", download.value.suggested_filename)
    with Image.open(tmp_path / "kept.png") as picture:
        assert (picture.mode, picture.size) == ("L", (28, 28))
        assert np.asarray(picture).ravel().tolist() == page.evaluate("Array.from(form)")
    page.get_by_role("button", name="Clear").click()
    assert page.get_by_role("button", name="7", exact=True).is_disabled()


@pytest.mark.long
@in_chromium
def test_keyboard(page: Any) -> None:
    """Arrow keys draw while the pen is down; the answer is said to a screen reader; Delete clears."""
    page.get_by_role("button", name="Clear").click()
    page.locator("#paper").focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("form") is None
    for key in ["Space", *["ArrowUp"] * 9, "Space", "ArrowLeft"]:
        page.keyboard.press(key)
    ink = page.evaluate("Array.from(pen.getImageData(0, 0, 280, 280).data.filter((_, i) => i % 4 === 3))")
    rows, columns = np.nonzero(np.array(ink).reshape(280, 280))
    assert (np.ptp(rows), np.ptp(columns)) == (pytest.approx(114, abs=2), pytest.approx(24, abs=2))
    assert re.match(r"(All 5 networks say|The networks disagree)", page.get_by_role("status").inner_text())
    page.keyboard.press("Delete")
    assert page.get_by_role("status").inner_text() == "Draw, and 5 networks answer."


@pytest.mark.long
@in_chromium
def test_what_an_answer_rests_on(page: Any) -> None:
    """Each 4 x 4 patch has the share by which the probability falls without it; without ink, none."""
    draw(page, [[(0.3, 0.25), (0.62, 0.2), (0.66, 0.4), (0.35, 0.5), (0.35, 0.2)], [(0.6, 0.4), (0.5, 0.8)]])
    section = page.locator("section[data-network=cnn][data-marks]")
    section.wait_for()
    marks = np.array(section.get_attribute("data-marks").split(","), dtype=float).reshape(7, 7)
    seen = np.array(page.evaluate("Array.from(form)")).reshape(7, 4, 7, 4)
    assert marks[seen.max(axis=(1, 3)) == 0].tolist() == [0.0] * int((seen.max(axis=(1, 3)) == 0).sum())
    row, column = np.unravel_index(marks.argmax(), marks.shape)
    seen[row, :, column] = 0
    before, after = (
        page.evaluate("pixels => probabilities(NETWORKS[1], pixels)[answers[1].best]", pixels)
        for pixels in (page.evaluate("Array.from(form)"), seen.ravel().tolist())
    )
    assert marks.max() == pytest.approx(max(0, 1 - after / before), abs=1e-3)


@pytest.mark.long
@in_chromium
def test_touch(browser: Any, run_folder: Path) -> None:
    """A finger draws too, on a screen as narrow as a phone's, and nothing runs out of the screen."""
    page = browser.new_page(viewport={"width": 375, "height": 700}, has_touch=True)
    page.goto((run_folder / "draw.html").as_uri())
    box = page.locator("#paper").bounding_box()
    page.touchscreen.tap(box["x"] + 140, box["y"] + 140)
    page.locator(".first").first.wait_for(timeout=MILLISECONDS)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.long
@in_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_accessible(browser: Any, axe: str, run_folder: Path, width: int, scheme: str) -> None:
    """axe-core finds no violation: on the empty paper, and with answers."""
    page = browser.new_context(viewport={"width": width, "height": 700}, color_scheme=scheme).new_page()
    page.goto((run_folder / "draw.html").as_uri())
    assert violations(page, axe) == []
    draw(page, SEVEN)
    page.locator("section[data-network=cnn][data-marks]").wait_for(timeout=MILLISECONDS)
    assert violations(page, axe) == []
