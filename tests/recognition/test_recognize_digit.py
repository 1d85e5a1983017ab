"""The flow recognize-digit: who is asked, who decides, what is printed, and the script as a person runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from flows.cli import recognize_command
from tasks import files
from tasks.errors import UserError
from tasks.recognition import predict, recognize
from tasks.recognition.recognize import Asked, Pictures, networks_of
from tasks.recognition.show import answers_markdown, for_programs, sentence, terminal_table, write_pictures
from tasks.sealed import write_record

PROJECT = Path(__file__).resolve().parents[2]
SCRIPT = PROJECT / "flows" / "recognize_digit.py"
DEADLINE = 900  # seconds; generous, because nothing here is about speed


def training(seed: int, accuracy: float, nll: float | None, **changed: Any) -> dict[str, Any]:
    """What results.json says of a finished training, as far as it matters here."""
    return {
        "seed": seed,
        "folder": f"trainings/some-{seed}",
        "diverged": False,
        "history": {"val_nll": [nll]},
        "test": {"accuracy": 0.9},
        "validation": {"accuracy": accuracy, "nll": nll},
        **changed,
    }


def run_of(folder: Path, **models: list[dict[str, Any]]) -> Path:
    """A run folder whose results.json names these trainings."""
    run = folder / "runs" / "run"
    results = {"schema_version": 1, "models": {name: {"trainings": each} for name, each in models.items()}}
    files.write_json(run / "results.json", results)
    for each in (training for trainings in models.values() for training in trainings):
        files.write_json(folder / each["folder"] / "training.json", {})
    return run


def probabilities(digit: int, certain: float) -> list[float]:
    """Ten probabilities; the rest of the certainty is spread evenly."""
    return [certain if each == digit else (1 - certain) / 9 for each in range(10)]


@pytest.fixture
def found() -> list[dict[str, Any]]:
    """The answers to a clear 7, a refused picture, and a digit on which the networks disagree."""
    pictures = Pictures(
        "images.npz", ["a/seven.png", "blank.png", "o$ne.jpg"], {1: "no digit is to be seen."}
    )
    networks = [Asked("dense", ["d"], (0.97, -0.1)), Asked("cnn", ["c"], (0.99, -0.2))]
    said = {
        "dense": [probabilities(7, 0.9), probabilities(1, 0.6)],
        "cnn": [probabilities(7, 0.99999), probabilities(4, 0.7)],
    }
    return recognize.answers(pictures, networks, said)


def test_networks_of_a_run(tmp_path: Path) -> None:
    """All sound trainings are asked; the best is the most accurate on validation, then that of lower NLL."""
    failed = training(2, 0, None, history=None, test=None)
    run = run_of(
        tmp_path,
        dense=[training(0, 0.97, 0.1), training(1, 0.98, 0.1)],
        cnn=[training(0, 0.99, 0.2), failed],
        other=[training(0, 0.99, 0.1)],
        gone=[training(0, 0.1, None, diverged=True)],
    )
    networks = networks_of(run)
    assert [network.name for network in networks] == ["dense", "cnn", "other"]
    assert networks[0].folders == [str(tmp_path / "trainings" / f"some-{seed}") for seed in (0, 1)]
    assert len(networks[1].folders) == 1
    assert max(networks, key=lambda network: network.rank).name == "other"


def test_no_run(tmp_path: Path) -> None:
    """Without a run, or without a finished training in it, the error says what to do."""
    with pytest.raises(UserError, match=r"holds no run\. Train first"):
        networks_of(tmp_path / "latest")
    with pytest.raises(UserError, match="Name another run with --run"):
        networks_of(run_of(tmp_path, dense=[training(0, 0, None, history=None)]))
    run = run_of(tmp_path, dense=[training(0, 0.97, 0.1)])
    (tmp_path / "trainings" / "some-0" / "training.json").unlink()
    with pytest.raises(UserError, match="is kept here"):
        networks_of(run)


def test_answers(found: list[dict[str, Any]]) -> None:
    """The digit is that of the network best on validation; a refused picture keeps its place and its reason."""
    assert [answer["digit"] for answer in found] == [7, None, 4]
    assert found[1]["error"] == "no digit is to be seen."
    assert found[2]["best"] == "cnn"


def test_json(found: list[dict[str, Any]]) -> None:
    """--json has one object for each picture, in the order of the call, with these keys."""
    printed = json.loads(json.dumps(for_programs(found)))
    assert printed[0] == {
        "file": "a/seven.png",
        "models": {
            "dense": {"digit": 7, "probability": pytest.approx(0.9)},
            "cnn": {"digit": 7, "probability": pytest.approx(0.99999)},
        },
        "digit": 7,
    }
    assert printed[1] == {
        "file": "blank.png",
        "models": {},
        "digit": None,
        "error": "no digit is to be seen.",
    }


def test_words(found: list[dict[str, Any]]) -> None:
    """In words: agreement, disagreement and who decides, refusal, a single network."""
    assert sentence(found[0]) == "7. Both networks agree."
    assert sentence(found[2]) == (
        "4, but the networks disagree: dense says 1; cnn says 4. cnn was best on validation images."
    )
    assert sentence(found[1]) == "not answered, because no digit is to be seen."
    alone = {**found[0], "models": {"cnn": found[0]["models"]["cnn"]}}
    assert sentence(alone) == "7, says cnn, the only network of the run."


def test_table(found: list[dict[str, Any]]) -> None:
    """The table has the top three of each network; a refused picture has none."""
    header, dense, cnn = terminal_table(found[2])
    assert header.split() == ["network", "first", "second", "third"]
    assert dense.split()[:8] == ["dense", "1", "at", "60.00", "%", "9", "at", "4.44"]
    assert cnn.split()[:4] == ["cnn", "4", "at", "70.00"]
    assert "> 99.99 %" in terminal_table(found[0])[2]
    assert terminal_table(found[1]) == []


def test_markdown(found: list[dict[str, Any]], tmp_path: Path) -> None:
    """The artifact has sentences, table and picture; a file's name is shown as it is."""
    seen = write_pictures(found, np.zeros((2, 28, 28), dtype=np.uint8), tmp_path)
    text = answers_markdown(found, seen, "runs/run")
    assert "`blank.png`: not answered" in text
    assert "| `o$ne.jpg` | cnn | 4 at 70.00 %" in text
    assert "data:image/png;base64," in text


def test_no_opinion() -> None:
    """A network of which no training could be asked has no say, even if it was the best."""
    networks = [Asked("dense", ["d"], (0.97, -0.1)), Asked("cnn", ["c"], (0.99, -0.2))]
    pictures = Pictures("images.npz", ["7.png"], {})
    [answer] = recognize.answers(pictures, networks, {"dense": [probabilities(7, 0.9)]})
    assert (answer["digit"], answer["best"]) == (7, "dense")


def test_many_pictures(tmp_path: Path) -> None:
    """Of very many pictures some are drawn, those on which the networks disagree before others."""
    models = {name: {"digit": 7, "probability": 0.9} for name in ("dense", "cnn")}
    agreed = {"file": "7.png", "digit": 7, "models": models, "best": "cnn"}
    disputed = {**agreed, "models": {**models, "dense": {"digit": 1, "probability": 0.9}}}
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
        recognize.ask_networks.fn(pictures, [Asked("cnn", [str(tmp_path)], (1, 0))])


def test_folders_of_calls(tmp_path: Path) -> None:
    """Two calls in one second have two folders."""
    folders = [recognize.new_folder(tmp_path, "now-some pictures") for _ in range(3)]
    assert [folder.name for folder in folders] == [f"now-some-pictures{end}" for end in ("", "-2", "-3")]


@pytest.mark.parametrize(("flag", "expected"), [("--json", "no picture is named"), ("--non", "--non")])
def test_bad_flags(
    flag: str, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A call that cannot be is one line and exit code 2."""
    monkeypatch.setattr(sys, "argv", ["recognize_digit.py", flag])
    with pytest.raises(SystemExit) as stopped:
        recognize_command.main()
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert len(message.splitlines()) == 1
    assert expected in message


def test_flow_does_not_load_tensorflow() -> None:
    """Importing the flow does not import TensorFlow."""
    code = "import sys, flows.recognize_digit; sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT).returncode == 0


@pytest.mark.slow
def test_script(tmp_path: Path, mnist: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Train, then recognise: good pictures are answered beside a refused one, as JSON and as a table."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment = {**kept, "PREFECT_HOME": str(tmp_path / "prefect")}
    artifacts = tmp_path / "artifacts"
    (artifacts / "data").mkdir(parents=True)
    (artifacts / "data" / "mnist.npz").symlink_to(mnist)

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
    assert "Traceback" not in answered.stderr
    refused, *printed = json.loads(answered.stdout)
    assert refused["digit"] is None
    assert [each["file"] for each in printed] == names
    assert sum(each["digit"] == label for each, label in zip(printed, labels, strict=True)) >= 8
    assert all(set(each["models"]["dense"]) == {"digit", "probability"} for each in printed)
    assert not list(artifacts.rglob("*.tmp*"))

    [answers] = artifacts.glob("recognized/*/answers.json")
    recognize_command.show(str(answers), as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"0.png: {printed[0]['digit']}")
    with Image.open(lines[-1].removeprefix("What the networks saw: ")) as picture:
        assert min(picture.size) > 100
