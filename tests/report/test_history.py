"""The history across runs."""

import logging
from pathlib import Path

import pandas as pd
import pytest
from hand_made import DATASET, PROVENANCE, network, onset, run, training
from synthetic import make_run

from tasks.report.history import (
    COLUMNS,
    HISTORY,
    rows_of,
    run_history,
    settings,
    update_history,
    with_removed_runs,
)
from tasks.results.enums import OnsetStatus
from tasks.results.file import RESULTS, read_results, write_results
from tasks.results.run import SCHEMA_VERSION


def test_one_line_per_run_model_and_seed(tmp_path: Path) -> None:
    """Oldest run first; each line has accuracy with its interval, onset and seconds as in results.json."""
    folder = make_run(tmp_path, models=("dense", "cnn"), seeds=(0, 1), test_images=100, name="20260102-b")
    make_run(tmp_path, models=("dense",), test_images=100, name="20260101-a")
    history = run_history(tmp_path)
    assert list(zip(history["run"], history["model"], history["seed"], strict=True)) == [
        ("20260101-a", "dense", 0),
        ("20260102-b", "dense", 0),
        ("20260102-b", "dense", 1),
        ("20260102-b", "cnn", 0),
        ("20260102-b", "cnn", 1),
    ]
    trained = read_results(folder).models["dense"].finished[1]
    line = history.iloc[2]
    assert line["accuracy"] == trained.test.accuracy
    assert (line["accuracy_low"], line["accuracy_high"]) == trained.test.accuracy_ci95
    assert (line["onset"], line["seconds"]) == (trained.onset.epoch, trained.seconds)


def test_a_failed_training_has_a_line_without_numbers(tmp_path: Path) -> None:
    """Its error is there, its accuracy is missing."""
    make_run(tmp_path, models=("cnn",), missing=("cnn",), test_images=100)
    line = run_history(tmp_path).iloc[0]
    assert line["error"] == "The training process was killed."
    assert pd.isna(line["accuracy"])


def test_a_damaged_run_is_left_out_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The other runs are listed, and the warning names the file."""
    make_run(tmp_path, models=("dense",), test_images=100)
    damaged = tmp_path / "runs" / "20260105-damaged" / RESULTS
    damaged.parent.mkdir()
    damaged.write_text("{")
    with caplog.at_level(logging.WARNING):
        assert len(run_history(tmp_path)) == 1
    assert str(damaged) in caplog.text


def test_runs_of_other_versions_are_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Years of old runs do not fill the log: they are counted, and the reason is given once."""
    for number in range(3):
        path = tmp_path / "runs" / f"2025010{number}-old" / RESULTS
        path.parent.mkdir(parents=True)
        path.write_text('{"schema_version": 1}')
    with caplog.at_level(logging.WARNING):
        assert len(run_history(tmp_path)) == 0
    (message,) = caplog.messages
    assert "3 runs of other versions" in message
    assert f"schema version 1, and this version of the program reads {SCHEMA_VERSION}" in message


def test_degrading_is_no_onset() -> None:
    """The epoch from which a training fails altogether is not in the column of onsets."""
    model = network(training(onset=onset(OnsetStatus.DEGRADING, 9)))
    (line,) = rows_of("run", run({"cnn": model}))
    assert line["onset_status"] == "degrading"
    assert [line[column] for column in ("onset", "onset_first", "onset_last")] == [None] * 3


def test_without_runs_the_history_is_empty(tmp_path: Path) -> None:
    """No run: the columns, and no line."""
    history = run_history(tmp_path)
    assert (list(history.columns), len(history)) == (list(COLUMNS), 0)


def test_the_csv_is_read_back(tmp_path: Path) -> None:
    """history.csv lies in the artifacts folder and holds the same lines to six digits, the trend beside it."""
    folder = make_run(tmp_path, test_images=100)
    path = update_history(folder, read_results(folder))
    assert path.read_bytes().startswith(b"\x89PNG")
    written, history = pd.read_csv(tmp_path / "history.csv"), run_history(tmp_path)
    assert list(written.columns) == list(COLUMNS)
    assert written["accuracy_low"].tolist() == pytest.approx(history["accuracy_low"].tolist(), rel=1e-5)


def test_the_trend_shows_the_runs_of_one_deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of other deployments and on other data are in history.csv, but not in the picture."""
    drawn: list[pd.DataFrame] = []

    def draw(rows: pd.DataFrame, path: Path) -> Path:
        drawn.append(rows)
        return path

    monkeypatch.setattr("tasks.report.history.draw_trend", draw)
    pictures = []
    made = {"1-a": None, "2-b": "nightly", "3-c": "nightly", "4-d": "every minute", "5-e": "nightly"}
    for name, deployment in made.items():
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        provenance = PROVENANCE.model_copy(update={"run": name, "deployment": deployment})
        dataset = DATASET.model_copy(update={"digest": "other data" if name == "3-c" else "usual data"})
        results = run({"dense": network()}, provenance=provenance, dataset=dataset)
        write_results(folder, results)
        pictures.append(update_history(folder, results).name)
    nightly = "trend-nightly.png"
    assert pictures == ["trend-scripts.png", nightly, nightly, "trend-every-minute.png", nightly]
    assert [list(rows["run"]) for rows in drawn] == [["1-a"], ["2-b"], ["3-c"], ["4-d"], ["2-b", "5-e"]]
    assert list(pd.read_csv(tmp_path / "history.csv")["run"]) == list(made)


def test_other_data_has_a_picture_of_its_own(tmp_path: Path) -> None:
    """A run on a person's own data draws no trend over that of MNIST."""
    folder = tmp_path / "runs" / "1-a"
    folder.mkdir(parents=True)
    dataset = DATASET.model_copy(update={"name": "my digits/2", "is_mnist": False})
    provenance = PROVENANCE.model_copy(update={"run": "1-a", "deployment": None})
    results = run({"dense": network()}, provenance=provenance, dataset=dataset)
    write_results(folder, results)
    assert update_history(folder, results).name == "trend-scripts-my-digits-2.png"


def test_settings() -> None:
    """Runs of other networks, seeds or gates have equal settings, those of other epochs have not."""
    night, gated = (
        '{"epochs": 5, "models": ["dense"]}',
        '{"max_accuracy_drop": 0.1, "models": [], "epochs": 5}',
    )
    assert settings(night) == settings(gated) != settings('{"epochs": 25, "models": ["dense"]}')
    assert [settings(each) for each in ("[]", "{", None)] == ["[]", "{", "None"]


def test_the_lines_of_removed_runs_stay(tmp_path: Path) -> None:
    """A run that is gone keeps its lines, in their place; those of a run that is there are made anew."""
    folders = [
        make_run(tmp_path, models=("dense",), test_images=100, name=f"2026010{day}-{day}")
        for day in (1, 2, 3)
    ]
    update_history(folders[0], read_results(folders[0]))
    text = (tmp_path / HISTORY).read_text()
    (tmp_path / HISTORY).write_text(text.replace("20260103-3,", "changed by hand,"))
    (folders[1] / RESULTS).unlink()
    (folders[0] / RESULTS).write_text("damaged since then")
    update_history(folders[2], read_results(folders[2]))
    written = pd.read_csv(tmp_path / HISTORY, dtype=str)
    assert written["run"].tolist() == ["20260101-1", "20260102-2", "20260103-3", "changed by hand"]
    again = (tmp_path / HISTORY).read_text()
    update_history(folders[2], read_results(folders[2]))
    assert (tmp_path / HISTORY).read_text() == again
    assert text.splitlines()[:3] == again.splitlines()[:3]


def test_text_that_looks_like_a_number_stays_text(tmp_path: Path) -> None:
    """A commit such as 12e4567 or a deployment of the name NA is read back from history.csv as it was written."""
    folder = tmp_path / "runs" / "1-a"
    folder.mkdir(parents=True)
    provenance = PROVENANCE.model_copy(update={"run": "1-a", "commit": "0012e45", "deployment": "NA"})
    results = run({"dense": network()}, provenance=provenance)
    write_results(folder, results)
    update_history(folder, results)
    (folder / RESULTS).unlink()
    update_history(folder, results)
    [line] = with_removed_runs(run_history(tmp_path), tmp_path).to_dict("records")
    assert (line["commit"], line["deployment"]) == ("0012e45", "NA")


@pytest.mark.parametrize(
    "damage", ["", "one,two\n1,2\n", 'run,model,seed\n"', "run,model,seed\na,b,c\n", "\udcff"]
)
def test_a_history_that_cannot_be_read_is_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    """It may be the only place that has the numbers of removed runs, so it is not overwritten."""
    folder = make_run(tmp_path, models=("dense",), test_images=100)
    (tmp_path / HISTORY).write_bytes(damage.encode(errors="surrogateescape"))
    update_history(folder, read_results(folder))
    [aside] = (tmp_path / "damaged").iterdir()
    assert aside.read_bytes() == damage.encode(errors="surrogateescape")
    assert str(aside) in caplog.text
    assert len(pd.read_csv(tmp_path / HISTORY)) == 1
