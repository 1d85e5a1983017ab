"""`python tests/screenshots.py RUN_FOLDER FOLDER`: pictures of a run's page, in Chromium, for docs/images.

report.png and report-phone.png show the report of the run; live.png what stood there when its second training was
half done, made again from its numbers.
"""

import sys
import tempfile
from pathlib import Path

from chromium import headless_browser
from specified import specified

from tasks.files import write_json
from tasks.report.live import LivePage
from tasks.results.file import read_results
from tasks.training.progress import ProgressRecord, Stage


def half_done(run_folder: Path, folder: Path) -> Path:
    """Write the page of a run of which the first training is done and the second half done; return its path."""
    folder = folder / run_folder.resolve().name
    for name in ("progress", "trainings"):
        (folder / name).mkdir(parents=True)
    models = read_results(run_folder).models
    page = LivePage(folder, [specified(name, epochs=model.epochs) for name, model in models.items()])
    page.upload_after = float("inf")  # nothing is shown in Prefect
    (first, done), (second, going), *_ = [(name, model.finished[0]) for name, model in models.items()]
    half = len(going.history.val_nll) // 2
    record = ProgressRecord(
        stage=Stage.RUNNING,
        epochs_done=half + 0.3,
        epoch_seconds=going.epoch_seconds[0],
        train_nll=going.history.train_nll[:half],
        val_nll=going.history.val_nll[:half],
    )
    page.results[first, 0] = done
    finished = ProgressRecord(stage=Stage.DONE, epochs_done=len(done.history.val_nll))
    for name, each in ((first, finished), (second, record)):
        write_json(page.progress / f"{name}-0.json", each.model_dump(mode="json"))
    page.write()
    return page.path


def main(run_folder: Path, pictures: Path) -> None:
    """Take the pictures."""
    with tempfile.TemporaryDirectory() as folder, headless_browser() as browser:
        live, report = half_done(run_folder, Path(folder)), run_folder.resolve() / "report.html"
        for name, path, width, height, scheme in (
            ("report", report, 1280, 800, "light"),
            ("report-phone", report, 375, 700, "dark"),
            ("live", live, 1280, 640, "light"),
        ):
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto(f"{path.as_uri()}#held" if path == live else path.as_uri())
            page.screenshot(path=pictures / f"{name}.png")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
