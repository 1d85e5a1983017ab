"""The history across runs."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from synthetic import make_run

from tasks.files import digest_of, read_json, write_json
from tasks.report.history import COLUMNS, run_history, update_history, write_history


def write_results(path: Path, results: dict[str, Any]) -> None:
    """Write changed results with their new digest, as `compare` would."""
    content = {key: value for key, value in results.items() if key != "digest"}
    write_json(path, {**content, "digest": digest_of(content)})


def test_one_line_per_run_model_and_seed(tmp_path: Path) -> None:
    """Oldest run first; each line has accuracy with its interval, onset and seconds as in results.json."""
    run = make_run(tmp_path, models=("dense", "cnn"), seeds=(0, 1), test_images=100, name="20260102-b")
    make_run(tmp_path, models=("dense",), test_images=100, name="20260101-a")
    history = run_history(tmp_path)
    assert list(zip(history["run"], history["model"], history["seed"], strict=True)) == [
        ("20260101-a", "dense", 0),
        ("20260102-b", "dense", 0),
        ("20260102-b", "dense", 1),
        ("20260102-b", "cnn", 0),
        ("20260102-b", "cnn", 1),
    ]
    training = read_json(run / "results.json")["models"]["dense"]["trainings"][1]
    line = history.iloc[2]
    assert line["accuracy"] == training["test"]["accuracy"]
    assert [line["accuracy_low"], line["accuracy_high"]] == training["test"]["accuracy_ci95"]
    assert (line["onset"], line["seconds"]) == (training["onset"]["epoch"], training["seconds"])


def test_a_failed_training_has_a_line_without_numbers(tmp_path: Path) -> None:
    """Its error is there, its accuracy is missing."""
    make_run(tmp_path, models=("cnn",), missing=("cnn",), test_images=100)
    line = run_history(tmp_path).iloc[0]
    assert line["error"] == "The training process was killed."
    assert pd.isna(line["accuracy"])


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"models": 3}'])
def test_a_damaged_run_is_left_out_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    """The other runs are listed, and the warning names the file."""
    make_run(tmp_path, models=("dense",), test_images=100)
    damaged = tmp_path / "runs" / "20260105-damaged" / "results.json"
    damaged.parent.mkdir()
    damaged.write_text(content)
    with caplog.at_level(logging.WARNING):
        history = run_history(tmp_path)
    assert len(history) == 1
    assert str(damaged) in caplog.text


def test_an_altered_run_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One digit that changed on the disk is enough."""
    path = make_run(tmp_path, models=("dense",), test_images=100) / "results.json"
    results = read_json(path)
    results["models"]["dense"]["trainings"][0]["test"]["accuracy"] = 0.999
    write_json(path, results)
    with caplog.at_level(logging.WARNING):
        assert len(run_history(tmp_path)) == 0
    assert "own digest" in caplog.text


def test_degrading_is_no_onset(tmp_path: Path) -> None:
    """The epoch from which a training fails altogether is not in the column of onsets."""
    path = make_run(tmp_path, models=("dense",), test_images=100) / "results.json"
    results = read_json(path)
    onset = results["models"]["dense"]["trainings"][0]["onset"]
    onset |= {"status": "degrading", "epoch": 9, "interval": [8, 10]}
    write_results(path, results)
    line = run_history(tmp_path).iloc[0]
    assert line["onset_status"] == "degrading"
    assert line[["onset", "onset_first", "onset_last"]].isna().all()


def test_without_runs_the_history_is_empty(tmp_path: Path) -> None:
    """No run: the columns, and no line."""
    history = run_history(tmp_path)
    assert (list(history.columns), len(history)) == (list(COLUMNS), 0)


def test_the_csv_is_read_back(tmp_path: Path) -> None:
    """history.csv lies in the artifacts folder and holds the same lines to six digits."""
    make_run(tmp_path, test_images=100)
    path = write_history(tmp_path)
    assert path == tmp_path / "history.csv"
    written, history = pd.read_csv(path), run_history(tmp_path)
    assert list(written.columns) == list(COLUMNS)
    assert written["accuracy_low"].tolist() == pytest.approx(history["accuracy_low"].tolist(), rel=1e-5)


def test_the_trend_shows_the_runs_of_one_deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of other deployments and on other data are in history.csv, but not in the picture."""
    drawn: list[pd.DataFrame] = []

    def draw(rows: pd.DataFrame, path: Path) -> Path:
        drawn.append(rows)
        return path

    monkeypatch.setattr("tasks.report.history.draw_trend", draw)
    made = {"1-a": None, "2-b": "nightly", "3-c": "nightly", "4-d": "every minute"}
    results = {}
    for name, deployment in made.items():
        path = make_run(tmp_path, models=("dense",), test_images=100, name=name) / "results.json"
        results[name] = read_json(path)
        results[name]["provenance"]["deployment"] = deployment
        write_results(path, results[name])
    results["3-c"]["dataset"]["digest"] = "other data"
    write_results(tmp_path / "runs" / "3-c" / "results.json", results["3-c"])
    pictures = [update_history(tmp_path / "runs" / name, results[name]).name for name in made]
    assert pictures == [
        "trend-scripts.png",
        "trend-nightly.png",
        "trend-nightly.png",
        "trend-every-minute.png",
    ]
    assert [list(rows["run"]) for rows in drawn] == [["1-a"], ["2-b"], ["3-c"], ["4-d"]]
    assert list(pd.read_csv(tmp_path / "history.csv")["run"]) == list(made)


def test_a_run_updates_history_and_trend(tmp_path: Path) -> None:
    """Both files lie in the artifacts folder."""
    run = make_run(tmp_path, models=("dense",), test_images=100)
    path = update_history(run, read_json(run / "results.json"))
    assert path.read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "history.csv").is_file()
