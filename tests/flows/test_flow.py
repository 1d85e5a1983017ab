"""The whole pipeline, run as its users run it: a subprocess, another folder, no server, an empty Prefect home."""

import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from pipeline_runs import DEADLINE, PROJECT, SCRIPT, results_of
from prefect.exceptions import ParameterTypeError
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.cli import pipeline_command
from flows.cli.script import prefect_server
from flows.mnist_pipeline import mnist_pipeline, run_name
from tasks.errors import UserError
from tasks.printable import printable


def pipeline(artifacts: Path, environment: dict[str, str], *flags: str) -> subprocess.CompletedProcess[str]:
    """Run the script from another folder and wait for its end."""
    return subprocess.run(
        [sys.executable, str(SCRIPT), "--artifacts-dir", str(artifacts), *flags],
        cwd=artifacts.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )


def test_a_server_that_does_not_answer() -> None:
    """One line says which server was asked for in vain, and what to do."""
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        pytest.raises(UserError, match=r"No Prefect server answers at http://127\.0\.0\.1:9/api"),
        prefect_server(),
    ):
        pass


def test_a_gate_for_a_network_called_all() -> None:
    """A deployment cannot ask for a limit that would hold for no network."""
    with pytest.raises(ParameterTypeError):
        mnist_pipeline.validate_parameters({"min_test_accuracy": {"all": 0.97}})
    assert mnist_pipeline.validate_parameters({"min_test_accuracy": {"cnn": 0.97}})["min_test_accuracy"]


def test_networks_of_a_deployment() -> None:
    """A deployment takes a function in a file as a network; another word is refused before a run begins."""
    for models in (["dense", "networks/example.py:wide"], ["all"]):
        assert mnist_pipeline.validate_parameters({"models": models})["models"] == models
    with pytest.raises(ParameterTypeError, match=r"FILE\.py:FUNCTION"):
        mnist_pipeline.validate_parameters({"models": ["networks/example.py"]})
    assert "pattern" in str(mnist_pipeline.parameters.properties["models"])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "mnist-dense-cnn-seed-0"),
        (
            {"seeds": [3, 1], "epochs": 5, "train_samples": 2000},
            "mnist-dense-cnn-2-seeds-5-epochs-2000-images",
        ),
        ({"dataset": "../my data/숫자.npz", "models": ["dense"]}, "숫자-dense-seed-0"),
    ],
)
def test_run_names(given: dict[str, Any], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run's name tells it from runs of other networks, seeds, epochs and images, and holds no path."""
    usual = {
        "dataset": "mnist",
        "models": ["dense", "cnn"],
        "seeds": [0],
        "epochs": None,
        "train_samples": None,
    }
    monkeypatch.setattr("flows.mnist_pipeline.flow_run", SimpleNamespace(parameters=usual | given))
    assert run_name() == expected


def test_run_and_run_again(artifacts: Path, environment: dict[str, str]) -> None:
    """A run of the three networks ends with a report, figures and results; a second one reuses every training."""
    flags = ("--train-samples", "1000", "--epochs", "2")
    first = pipeline(artifacts, environment, *flags)
    assert first.returncode == 0, first.stderr
    results = results_of(artifacts)
    assert results["status"] == "completed"
    assert list(results["models"]) == ["dense", "cnn", "regularized_cnn"]
    counts = [model["parameter_count"] for model in results["models"].values()]
    assert counts == [51_450, 95_946, 175_210]
    for model in results["models"].values():
        (training,) = model["trainings"]
        assert training["origin"] == "trained"
        assert training["test"]["n"] == 10_000
        assert {len(curve) for curve in training["history"].values()} == {2}
        assert training["onset"]["status"] == "too_short"
    for name in ("report.md", "report.html", "comparison.png"):
        assert (artifacts / "latest" / name).stat().st_size > 1000
    assert f"Report: {(artifacts / 'latest').resolve() / 'report.md'}" in first.stdout
    assert len(first.stdout.splitlines()) <= 6
    assert "epoch 2/2" in first.stderr  # plain lines when nobody watches in a terminal
    assert "Traceback" not in first.stderr

    second = pipeline(artifacts, environment, *flags)
    assert second.returncode == 0, second.stderr
    again = results_of(artifacts)
    assert again["provenance"]["run"] != results["provenance"]["run"]
    assert again["provenance"]["digest"] == results["provenance"]["digest"]
    origins = [training["origin"] for model in again["models"].values() for training in model["trainings"]]
    assert origins == ["reused"] * 3
    assert "Cached" in second.stderr
    assert not list(artifacts.rglob("*.tmp*"))


@pytest.mark.long
def test_killed_branches(artifacts: Path, environment: dict[str, str]) -> None:
    """Two branches whose processes end by different signals are each named with their own reason."""
    flags = ["--train-samples", "500", "--epochs", "3", "--artifacts-dir", str(artifacts)]
    with subprocess.Popen(
        [sys.executable, str(SCRIPT), *flags],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as script:
        process_of("dense-0-", script.pid).kill()
        process_of("cnn-0-", script.pid).terminate()
        lines, errors = script.communicate(timeout=DEADLINE)
    assert script.returncode == 1
    results = results_of(artifacts)
    assert results["status"] == "failed"
    failures = [(failure["model"], failure["seed"]) for failure in results["failures"]]
    assert failures == [("dense", 0), ("cnn", 0)]
    assert results["models"]["regularized_cnn"]["trainings"][0]["test"]["n"] == 10_000
    report = (artifacts / "latest" / "report.md").read_text()
    for said in (lines, errors.splitlines()[-1], report):
        for network, reason in (("dense", "was killed (signal 9)"), ("cnn", "was ended by signal 15")):
            (sentence,) = [part for part in re.split(r"; |\n", said) if network in part and "signal" in part][
                :1
            ]
            assert reason in sentence
    assert "Traceback" not in errors


def process_of(folder_prefix: str, parent: int, recursive: bool = False) -> psutil.Process:
    """Wait for the training process whose folder begins like this, and return it."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        for process in psutil.Process(parent).children(recursive):
            try:
                if "tasks.training.fit" in (words := process.cmdline()) and Path(words[3]).name.startswith(
                    folder_prefix
                ):
                    return process
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.05)
    raise TimeoutError(f"no training process for {folder_prefix}")


@pytest.mark.long
def test_missing_dataset(artifacts: Path, environment: dict[str, str]) -> None:
    """A data set that is not there is one clear line and leaves no run behind."""
    done = pipeline(artifacts, environment, "--dataset", "/nowhere/mnist.npz")
    assert done.returncode == 2
    assert "no file or folder /nowhere/mnist.npz" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not (artifacts / "runs").exists()


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("--epochs 0", "greater than or equal to 1"),
        ("--dask bad", "--dask is 'bad'; expected"),
        ("--training-timeout inf", "finite"),
        ("--epochs x", "--epochs"),
        ("--validation-split 1.5", "less than 1"),
        ("--models nonsense", "regularized_cnn"),
        ("--models", "at least 1"),
        ("--batch-size -1", "greater than or equal to 1"),
        ("--learning-rate nan", "--learning-rate is nan"),
        ("--train-samples 3", "greater than or equal to 10"),
        ("--seeds -1", "greater than or equal to 0"),
        ("--pixel-scaling half", "unit"),
        ("--training-timeout 0", "greater than 0"),
        ("--min-test-accuracy 7", "from 0 to 1"),
        ("--min-test-accuracy lenet=0.9", "names lenet, which this run does not train"),
        ("--min-test-accuracy le-net=0.9", "name=number"),
        ("--models nowhere.py:wide", "There is no file"),
        ("--models dense networks/example.py:cnn", "there is another network cnn (one of ours)"),
        ("--min-test-accuracy dense=0.9 dense=0", "once for each network"),
        ("--models dense --min-test-accuracy cnn=0.9 dense=0.9", "names cnn, which this run does not train"),
        ("--min-test-accuracy challenger=0", "(--models dense cnn regularized_cnn)"),
        ("--parallel 0", "1 or more"),
        ("--nonsense", "--nonsense"),
        ("--dataset d\udcff.npz", "is no UTF-8 text"),
        ("--dataset \x1b]8;;http://x\x07d\x1b[2J.npz", r"\x1b]8;;http://x\x07d\x1b[2J.npz holds a control"),
        ("--artifacts-dir \u202eslaml\u2066", r"\u202eslaml\u2066 holds a control character"),
        ("--nonsense=\x9b31m", r"--nonsense=\x9b31m"),
    ],
)
def test_bad_flags(
    flags: str, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A flag outside its limits is one line that says what was expected, and exit code 2."""
    monkeypatch.setattr(sys, "argv", ["mnist_pipeline.py", *flags.split()])
    with pytest.raises(SystemExit) as stopped:
        pipeline_command.main(mnist_pipeline)
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert len(message.splitlines()) <= 2
    assert printable(message) == message
    assert expected in message


def test_gate_flag() -> None:
    """--min-test-accuracy takes one number, or one for each network."""
    assert pipeline_command.gate(["0.97"]) == 0.97
    assert pipeline_command.gate(["dense=0.97", "cnn=0.98"]) == {"dense": 0.97, "cnn": 0.98}


def test_flow_does_not_load_tensorflow() -> None:
    """Importing the flow does not import TensorFlow, so --help and a deploy are quick."""
    code = "import sys, flows.mnist_pipeline; sys.exit(bool({'tensorflow', 'keras', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT).returncode == 0


def test_help(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """--help names every parameter of the flow and what it means."""
    monkeypatch.setattr(sys, "argv", ["mnist_pipeline.py", "--help"])
    with pytest.raises(SystemExit) as stopped:
        pipeline_command.main(mnist_pipeline)
    assert stopped.value.code in (0, None)
    text = capsys.readouterr().out
    for name in pipeline_command.signature(mnist_pipeline).parameters:
        assert "--" + name.replace("_", "-") in text
    assert "images per optimizer step" in " ".join(text.replace("│", " ").split())
