"""The flow recognize-digit: who decides, what is printed, and the script as a person runs it."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flows.cli import recognize_command
from flows.recognize_digit import recognize_digit
from tasks import files
from tasks.errors import UserError
from tasks.recognition import predict, recognize
from tasks.recognition.answers import Answer, Answers, Asked, AskedRun, Opinion, read_answers, write_answers
from tasks.recognition.recognize import Pictures
from tasks.recognition.show import (
    answers_markdown,
    for_programs,
    introduction,
    sentence,
    terminal_table,
    write_pictures,
)
from tasks.store.sealed import write_record

PROJECT = Path(__file__).resolve().parents[2]
SCRIPT = PROJECT / "flows" / "recognize_digit.py"
DEADLINE = 900  # seconds; generous, because nothing here is about speed
NETWORKS = [Asked("dense", ["d"], 0.97, 0.1), Asked("cnn", ["c"], 0.99, 0.2)]
REFUSED = {"file": "blank.png", "digit": None, "models": {}, "error": "no digit is to be seen."}


def probabilities(digit: int, certain: float) -> list[float]:
    """Ten probabilities; the rest of the certainty is spread evenly."""
    return [certain if each == digit else (1 - certain) / 9 for each in range(10)]


@pytest.fixture
def found() -> Answers:
    """The answers to a clear 7, a refused picture, and a digit on which the networks disagree."""
    pictures = Pictures("images.npz", ["a/seven.png", "blank.png", "o$ne.jpg"], {1: REFUSED["error"]})
    said = {
        "dense": [probabilities(7, 0.9), probabilities(1, 0.6)],
        "cnn": [probabilities(7, 0.99999), probabilities(4, 0.7)],
    }
    return Answers(AskedRun("runs/run", NETWORKS, 3), recognize.answers(pictures, NETWORKS, said))


def test_introduction(found: Answers) -> None:
    """It is said which run was asked, how it was found, and how good its best network is."""
    good = "cnn recognises 99.00 % of its validation images."
    assert introduction(found.asked) == f"The networks of runs/run are asked, the best of 3 runs: {good}"
    named = replace(found.asked, chosen_from=None)
    assert introduction(named) == f"The networks of runs/run are asked: {good}"


def test_answers_are_read_back(found: Answers, tmp_path: Path) -> None:
    """answers.json holds the run that was asked, and all that is known of each picture."""
    write_answers(tmp_path / "answers.json", found)
    assert read_answers(tmp_path / "answers.json") == found
    content = files.read_json(tmp_path / "answers.json")
    assert content["run"] == "runs/run"
    assert content["answers"][1] == REFUSED


def test_answers(found: Answers) -> None:
    """The digit is that of the network best on validation; a refused picture keeps its place and its reason."""
    assert [answer.digit for answer in found.pictures] == [7, None, 4]
    assert found.pictures[1].error == REFUSED["error"]
    assert found.pictures[2].best == "cnn"


def test_json(found: Answers) -> None:
    """--json has one object for each picture, in the order of the call, with these keys."""
    printed = json.loads(json.dumps(for_programs(found.pictures)))
    assert printed[0] == {
        "file": "a/seven.png",
        "models": {
            "dense": {"digit": 7, "probability": pytest.approx(0.9)},
            "cnn": {"digit": 7, "probability": pytest.approx(0.99999)},
        },
        "digit": 7,
    }
    assert printed[1] == REFUSED


def test_words(found: Answers) -> None:
    """In words: agreement, disagreement and who decides, refusal, a single network."""
    assert sentence(found.pictures[0]) == "7. Both networks agree."
    assert sentence(found.pictures[2]) == (
        "4, but the networks disagree: dense says 1; cnn says 4. cnn was best on validation images."
    )
    assert sentence(found.pictures[1]) == "not answered, because no digit is to be seen."
    alone = replace(found.pictures[0], models={"cnn": found.pictures[0].models["cnn"]})
    assert sentence(alone) == "7, says cnn, the only network of the run."


def test_table(found: Answers) -> None:
    """The table has the top three of each network; a refused picture has none."""
    header, dense, cnn = terminal_table(found.pictures[2])
    assert header.split() == ["network", "first", "second", "third"]
    assert dense.split()[:8] == ["dense", "1", "at", "60.00", "%", "9", "at", "4.44"]
    assert cnn.split()[:4] == ["cnn", "4", "at", "70.00"]
    assert "> 99.99 %" in terminal_table(found.pictures[0])[2]
    assert terminal_table(found.pictures[1]) == []


def test_markdown(found: Answers, tmp_path: Path) -> None:
    """The artifact has sentences, table and picture; a file's name is shown as it is."""
    seen = write_pictures(found.pictures, np.zeros((2, 28, 28), dtype=np.uint8), tmp_path)
    text = answers_markdown(found, seen)
    assert "the best of 3 runs" in text
    assert "`blank.png`: not answered" in text
    assert "| `o$ne.jpg` | cnn | 4 at 70.00 %" in text
    assert "data:image/png;base64," in text


def test_no_opinion() -> None:
    """A network of which no training could be asked has no say, even if it was the best."""
    pictures = Pictures("images.npz", ["7.png"], {})
    [answer] = recognize.answers(pictures, NETWORKS, {"dense": [probabilities(7, 0.9)]})
    assert (answer.digit, answer.best) == (7, "dense")


def test_many_pictures(tmp_path: Path) -> None:
    """Of very many pictures some are drawn, those on which the networks disagree before others."""
    seven, one = Opinion(7, 0.9, probabilities(7, 0.9)), Opinion(1, 0.9, probabilities(1, 0.9))
    agreed = Answer("7.png", 7, {"dense": seven, "cnn": seven}, "cnn")
    disputed = replace(agreed, models={"dense": one, "cnn": seven})
    images = np.zeros((80, 28, 28), dtype=np.uint8)
    few = write_pictures([agreed] * 60, images[:60], tmp_path / "few")
    many = write_pictures([agreed] * 79 + [disputed], images, tmp_path / "many")
    with Image.open(few) as one, Image.open(many) as other:
        assert one.size == other.size
        assert one.tobytes() != other.tobytes()  # the last of the 80 is there, in its frame


def test_damaged_model(tmp_path: Path) -> None:
    """A network's file that is not what its training wrote is refused before anything reads it."""
    (tmp_path / predict.MODEL).write_bytes(b"what was trained")
    write_record(tmp_path / "training.json", {"spec": {}}, [tmp_path / predict.MODEL])
    (tmp_path / predict.MODEL).write_bytes(b"something else")
    with pytest.raises(UserError, match=r"model\.keras does not agree with its digest"):
        predict.probabilities(tmp_path, np.zeros((1, 28, 28), dtype=np.uint8))
    with pytest.raises(UserError, match="no finished training"):
        predict.probabilities(tmp_path / "elsewhere", np.zeros((1, 28, 28), dtype=np.uint8))


def test_failed_process(tmp_path: Path) -> None:
    """What the process that asks the networks says is what the person reads."""
    pictures = Pictures(str(tmp_path / "images.npz"), ["7.png"], {})
    np.savez(pictures.path, images=np.zeros((1, 28, 28), dtype=np.uint8))
    with pytest.raises(UserError, match="no finished training"):
        recognize.ask_networks.fn(pictures, [Asked("cnn", [str(tmp_path)], 1, 0)])


def test_failed_process_without_an_answer(tmp_path: Path) -> None:
    """Where the process itself fails, the last line of its log is the reason."""
    pictures = Pictures(str(tmp_path / "nowhere.npz"), ["7.png"], {})
    with pytest.raises(UserError, match=r"asks the networks failed: FileNotFoundError: .*nowhere\.npz"):
        recognize.ask_networks.fn(pictures, NETWORKS)


def test_folders_of_calls(tmp_path: Path) -> None:
    """Two calls in one second have two folders."""
    folders = [recognize.folder_of_call(tmp_path, "now-some pictures") for _ in range(3)]
    assert [folder.name for folder in folders] == [f"now-some-pictures{end}" for end in ("", "-2", "-3")]


@pytest.mark.parametrize(("flag", "expected"), [("--json", "no picture is named"), ("--non", "--non")])
def test_bad_flags(
    flag: str, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A call that cannot be is one line and exit code 2."""
    monkeypatch.setattr(sys, "argv", ["recognize_digit.py", flag])
    with pytest.raises(SystemExit) as stopped:
        recognize_command.main(recognize_digit)
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert len(message.splitlines()) == 1
    assert expected in message


def test_flow_does_not_load_tensorflow() -> None:
    """Importing the flow does not import TensorFlow."""
    code = "import sys, flows.recognize_digit; sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT).returncode == 0


@pytest.mark.long
def test_script(
    artifacts: Path,
    environment: dict[str, str],
    tmp_path: Path,
    mnist: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Train, then recognise: good pictures are answered beside a refused one, as JSON and as a table."""

    def script(path: Path, *flags: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(path), "--artifacts-dir", str(artifacts), *flags]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=DEADLINE
        )

    pipeline = PROJECT / "flows" / "mnist_pipeline.py"
    done = script(pipeline, "--models", "dense", "--train-samples", "10000", "--epochs", "2")
    assert done.returncode == 0, done.stderr
    with np.load(mnist) as data:
        images, labels = data["x_test"][:10], data["y_test"][:10]
    names = [f"{number}.png" for number in range(10)]
    for name, image in zip(names, images, strict=True):
        Image.fromarray(255 - image).resize((300, 300), Image.Resampling.BICUBIC).save(tmp_path / name)
    (tmp_path / "text.png").write_text("seven")

    answered = script(SCRIPT, "text.png", *names, "--json")
    assert answered.returncode == 1
    assert answered.stderr.splitlines()[-1].startswith("text.png: not answered, because it cannot be read")
    assert "the best of 1 run" in answered.stderr
    assert "Traceback" not in answered.stderr
    refused, *printed = json.loads(answered.stdout)
    assert refused["digit"] is None
    assert [each["file"] for each in printed] == names
    assert sum(each["digit"] == label for each, label in zip(printed, labels, strict=True)) >= 8
    assert all(set(each["models"]["dense"]) == {"digit", "probability"} for each in printed)
    assert not list(artifacts.rglob("*.tmp*"))

    [answers] = artifacts.glob("recognized/*/answers.json")
    recognize_command.show(str(answers), as_json=False)
    introduced, first, *_, last = capsys.readouterr().out.splitlines()
    assert "are asked, the best of 1 run: dense recognises" in introduced
    assert first.startswith(f"0.png: {printed[0]['digit']}")
    with Image.open(last.removeprefix("What the networks saw: ")) as picture:
        assert picture.format == "PNG"
