"""The page of a run that goes on: what it says of each training, when it is written, how it ends."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
from specified import specified
from synthetic import make_run

from tasks.evaluation.evaluate import EvaluatedTraining
from tasks.files import read_json, write_json
from tasks.report import live
from tasks.report.live import LivePage, live_page
from tasks.report.live_curves import live_curves
from tasks.training.progress import ProgressRecord, Stage

SPECIFICATIONS = [specified("dense"), specified("cnn")]


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """The folder of a run of two networks of which nothing has begun."""
    for name in ("progress", "trainings"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture(autouse=True)
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What Prefect is asked to show."""
    shown: list[str] = []
    monkeypatch.setattr(live.LiveArtifact, "show", lambda artifact, markdown: shown.append(markdown))
    return shown


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages may follow each other at once."""
    monkeypatch.setattr(live, "SECONDS_BETWEEN_PAGES", 0.0)


def note(run_folder: Path, name: str, **progress: Any) -> None:
    """Write the record that a training writes."""
    record = ProgressRecord(**progress)
    write_json(run_folder / "progress" / f"{name}.json", record.model_dump(mode="json"))


def page_of(run_folder: Path) -> str:
    """The page as it stands there."""
    return (run_folder / "report.html").read_text()


def test_what_waits_and_what_runs(run_folder: Path) -> None:
    """A training without a record waits; of one that runs the page tells the present epoch and the time left."""
    note(run_folder, "dense-0", stage=Stage.RUNNING, epochs_done=10.5, epoch_seconds=2.0)
    page = LivePage(run_folder, SPECIFICATIONS)
    assert page.branch(SPECIFICATIONS[0]).cells == ["dense", 0, "runs", "11 of 50", "about 79 s", None, None]
    assert page.branch(SPECIFICATIONS[1]).cells == ["cnn", 0, "waits", None, None, None, None]


def test_a_result_is_shown_before_the_run_ends(run_folder: Path, tmp_path: Path) -> None:
    """Once a training is evaluated, accuracy and onset stand there with their intervals."""
    made = make_run(tmp_path / "other", models=["dense"], test_images=200) / "trainings" / "dense-0.json"
    (run_folder / "trainings" / "dense-0.json").write_bytes(made.read_bytes())
    note(run_folder, "dense-0", stage=Stage.DONE, epochs_done=50)
    low, high = EvaluatedTraining.model_validate(read_json(made)).training.test.accuracy_ci95
    *_, state, epoch, left, accuracy, onset = (
        LivePage(run_folder, SPECIFICATIONS).branch(SPECIFICATIONS[0]).cells
    )
    assert (state, epoch, left) == ("done, trained", "50 of 50", None)
    assert f"({100 * low:.2f} to {100 * high:.2f})" in str(accuracy)
    assert str(onset).startswith("epoch ")


def test_words_of_others_are_text(run_folder: Path) -> None:
    """The reason of a failure is shown, and is no markup."""
    note(run_folder, "dense-0", stage=Stage.FAILED, reason="<b>out of memory</b>")
    LivePage(run_folder, SPECIFICATIONS).write()
    assert "failed: &lt;b&gt;out of memory&lt;/b&gt;" in page_of(run_folder)


@pytest.mark.usefixtures("no_pause")
def test_written_when_something_changes(run_folder: Path) -> None:
    """The page is written anew for what is new, and else left alone."""
    page = LivePage(run_folder, SPECIFICATIONS)
    page.write()
    note(run_folder, "cnn-0", stage=Stage.RUNNING)
    page.update()
    assert "cnn, seed 0: epoch 1 of 20" in page_of(run_folder)
    page.path.unlink()
    page.update()
    assert not page.path.exists()


@pytest.mark.usefixtures("no_pause")
def test_what_is_half_written_or_damaged(run_folder: Path) -> None:
    """A record that is being written is not looked at, and a damaged one costs no run."""
    page = LivePage(run_folder, SPECIFICATIONS)
    (run_folder / "progress" / ".mnist-pipeline-x.tmp.json").symlink_to("gone")
    (run_folder / "progress" / "dense-0.json").write_text("{")
    page.update()
    assert page.branch(SPECIFICATIONS[0]).state == "waits"


@pytest.mark.usefixtures("no_pause")
def test_written_from_time_to_time(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that nothing changes is written anew before it looks as if the run were dead."""
    monkeypatch.setattr(live, "SECONDS_OF_A_PAGE", 0.0)
    LivePage(run_folder, SPECIFICATIONS).update()
    assert "report stands here" in page_of(run_folder)


def test_a_stopped_run(run_folder: Path) -> None:
    """A run that is stopped leaves a page that says so and does not reload; its records of progress go."""
    with contextlib.suppress(KeyboardInterrupt), live_page(run_folder, SPECIFICATIONS):
        assert "location.reload" in page_of(run_folder)
        raise KeyboardInterrupt
    assert "This run was stopped before it had a report." in page_of(run_folder)
    assert "reload" not in page_of(run_folder)
    assert 'http-equiv="refresh"' not in page_of(run_folder)
    assert not (run_folder / "progress").exists()


def test_prefect_is_asked_seldom(run_folder: Path, shown: list[str]) -> None:
    """Pages that follow each other at once are shown in Prefect once, the last state when the run has ended."""
    with live_page(run_folder, SPECIFICATIONS) as page:
        note(run_folder, "dense-0", stage=Stage.RUNNING, epochs_done=2.0)
        page.write()
        note(run_folder, "dense-0", stage=Stage.DONE, epochs_done=50.0, train_nll=[0.9], val_nll=[0.8])
    first, last = shown
    assert "| dense | 0 | waits |" in first
    assert "data:image/png" not in first  # no curves yet
    assert "data:image/png;base64," in last
    assert "| dense | 0 | trained, is being evaluated | 50 of 50 |" in last


def test_what_is_shown_in_prefect_is_cheap(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where drawing and sending take long, they are done more seldom: a hundredth of the time at most."""
    now = iter([100.0, 103.0])
    monkeypatch.setattr(live.time, "monotonic", lambda: next(now))
    page = LivePage(run_folder, SPECIFICATIONS)
    page.upload("")
    assert page.upload_after == pytest.approx(103 + 300)


def test_a_finished_run_keeps_its_report(run_folder: Path) -> None:
    """What the run wrote in the page's place stays."""
    with live_page(run_folder, SPECIFICATIONS) as page:
        page.path.write_text("the report")
    assert page_of(run_folder) == "the report"


def test_a_report_is_not_overwritten(run_folder: Path) -> None:
    """What goes wrong after the report was written leaves it where it is."""
    with contextlib.suppress(RuntimeError), live_page(run_folder, SPECIFICATIONS) as page:
        (run_folder / "report.md").touch()
        page.path.write_text("the report")
        raise RuntimeError
    assert page_of(run_folder) == "the report"


def test_a_full_disk_costs_the_page_alone(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that cannot be written is no fault of the run."""

    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(live, "write_text", full)
    with live_page(run_folder, SPECIFICATIONS):
        pass


def test_curves_by_hand() -> None:
    """Losses 1.0 and 0.5 on an axis of two epochs: the first is cut where the axis ends, at 0.54."""
    svg = live_curves("loss", 2, [([1.0, 0.5], [None, None])])
    assert svg.count("<circle") == 1  # nothing is drawn of a curve without finite values
    assert 'd="M113.0 24.0L' in svg  # (0.5 of 2 epochs) * 292 + 40; the upper margin
    assert ">0.54<" in svg
