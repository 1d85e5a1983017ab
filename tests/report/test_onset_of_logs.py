"""The onset of a training that others ran, by its log."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.report.onset_of_logs import command

RISING = [1 + (0.05 * (12 - t) if t < 12 else 0.02 * (t - 12)) for t in range(1, 31)]
FALLING = [1 / t for t in range(1, 31)]


def said(capsys: pytest.CaptureFixture[str], *logs: Path, png: Path | None = None) -> tuple[int, str, str]:
    """Exit code, output and errors of the command."""
    code = command(*logs, png=png)
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_a_log_of_keras(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A CSVLogger file: the columns used are named, the verdict follows, the picture is drawn."""
    rows = [f"{t},{loss},{val}" for t, (loss, val) in enumerate(zip(FALLING, RISING, strict=True))]
    log, png = tmp_path / "keras.csv", tmp_path / "keras.png"
    log.write_text("\n".join(["epoch,loss,val_loss", *rows]))
    code, out, _ = said(capsys, log, png=png)
    assert code == 0
    assert out.startswith(f"{log} (val_loss, loss): Overfits: the validation loss rises from epoch 13 on")
    assert png.stat().st_size > 0


def test_the_command(tmp_path: Path) -> None:
    """`python -m tasks.evaluation.onset` answers, though the room of sentences lies above that module's."""
    log = tmp_path / "losses.json"
    log.write_text(json.dumps({"val_loss": RISING}))
    command_line = [sys.executable, "-m", "tasks.evaluation.onset", str(log)]
    ended = subprocess.run(command_line, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(f"{log} (val_loss alone, no train loss of as many epochs): Overfits: ")


def test_a_log_of_lightning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """metrics.csv has a row for each thing measured, the other cells are empty."""
    rows = [f"{t},{loss},\n{t},,{val}" for t, (loss, val) in enumerate(zip(FALLING, RISING, strict=True))]
    log = tmp_path / "metrics.csv"
    log.write_text("\n".join(["epoch,train_loss_epoch,val_loss", *rows]))
    assert "(val_loss, train_loss_epoch): Overfits" in said(capsys, log)[1]


def test_a_json_of_two_losses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A list for each loss; a training loss that rises too is no overfitting."""
    log = tmp_path / "losses.json"
    log.write_text(json.dumps({"training_loss": RISING, "validation_loss": RISING}))
    assert "(validation_loss, training_loss): Degrading" in said(capsys, log)[1]


def test_names_in_a_file_do_not_steer_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Columns are named as their escapes, in one line."""
    log = tmp_path / "log.csv"
    log.write_text("\x1b[2Jloss\n1\n", encoding="utf-8")
    assert said(capsys, log)[2].endswith("found \\x1b[2Jloss.\n")


def test_wrong_files_have_a_line_each_and_the_others_an_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is not there, one without the loss, one that is no JSON: exit code 2."""
    good, other, broken = (tmp_path / name for name in ("good.json", "other.csv", "broken.json"))
    good.write_text(json.dumps({"val_loss": RISING}))
    other.write_text("epoch,accuracy\n0,0.5\n")
    broken.write_text("[")
    code, out, errors = said(capsys, tmp_path / "none.csv", good, other, broken)
    assert code == 2
    assert out.count("\n") == 1
    assert "val_loss alone" in out
    assert [line.split(": ")[1][:18] for line in errors.splitlines()] == [
        "No such file or di",
        "no validation loss",
        "neither CSV nor JS",
    ]
