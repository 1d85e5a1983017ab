"""Networks of one's own in real runs, beside one of ours: killed, resumed, changed, and unfit to be trained."""

from pathlib import Path
from typing import Any

import pytest
from own_files import edit, write_files
from pipeline_runs import Run, bits_of, checkpoints, few_digits, finished, record_of, results_of, wait_for

pytestmark = pytest.mark.long

EPOCHS = 60  # short ones; enough to come in between


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the networks `wide` and `deep`, which the tests edit one after another."""
    path = write_files(tmp_path_factory.mktemp("files"))
    edit(path, "hidden(WIDTH),", "hidden(WIDTH), Twice(), keras.layers.Dropout(0.5),")
    return path


@pytest.fixture(scope="module")
def flags(file: Path, mnist: Path) -> tuple[str, ...]:
    """What is run: ours and one's own, on few images."""
    digits = few_digits(mnist, file.with_name("digits.npz"))
    samples = ("--train-samples", "500", "--epochs", str(EPOCHS))
    return ("--models", "dense", f"{file}:wide", "--dataset", str(digits), *samples)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, flags: tuple[str, ...]) -> Path:
    """The artifacts of a run that was killed in the midst of one's own network's training, and of the next one."""
    folder = tmp_path_factory.mktemp("killed")
    run = Run(folder / "artifacts", flags, folder / "log")
    wait_for(lambda: "wide-" in str(checkpoints(run.artifacts)) or not run.alive, pause=0.01)
    assert run.alive, run.output
    run.kill_everything()
    (name,) = (name for name in checkpoints(run.artifacts) if name.startswith("wide-"))
    assert not (run.artifacts / "trainings" / name / "training.json").exists(), "it had ended before the kill"
    return finished(folder, flags)


def origins(artifacts: Path) -> dict[str, str]:
    """Where the trainings of the newest run came from."""
    return {name: model["trainings"][0]["origin"] for name, model in results_of(artifacts)["models"].items()}


def again(artifacts: Path, flags: tuple[str, ...], log: Path) -> dict[str, str]:
    """Run once more; return where the trainings came from."""
    run = Run(artifacts, flags, log)
    assert run.wait() == 0, run.output
    return origins(artifacts)


def test_killed_and_resumed(killed: Path, flags: tuple[str, ...], tmp_path: Path) -> None:
    """Killed in mid-training of one's own network, both end with the bits of a run that nobody killed."""
    assert origins(killed)["wide"] == "resumed"
    (wide,) = (killed / "trainings").glob("wide-0-*")
    assert record_of(wide)["resumed_after"]
    assert bits_of(killed) == bits_of(finished(tmp_path, flags))


def test_a_comment_retrains_nothing(killed: Path, file: Path, flags: tuple[str, ...], tmp_path: Path) -> None:
    """A comment in the file, and another network in it, change no training of `wide`."""
    edit(file, "import keras\n", "import keras  # a comment\n")
    edit(file, "Twice(), output(classes)", "output(classes)")
    assert again(killed, flags, tmp_path / "log") == {"dense": "reused", "wide": "reused"}


def test_a_module_that_it_imports(killed: Path, file: Path, flags: tuple[str, ...], tmp_path: Path) -> None:
    """A statement changed in a module of a module retrains one's own network, and says why; ours is reused."""
    edit(file.with_name("deeper.py"), "relu", "elu")
    assert again(killed, flags, tmp_path / "log") == {"dense": "reused", "wide": "trained"}
    training = results_of(killed)["models"]["wide"]["trainings"][0]
    assert training["origin_reason"] == "differs from the nearest kept training: code of deeper.py changed"


def test_the_others_run(killed: Path, file: Path, flags: tuple[str, ...], tmp_path: Path) -> None:
    """Networks that are not there, raise or do not fit are failures of their branches, each with one line."""
    file.with_name("bad.py").write_text(
        "import keras\n\ndef raises(input_shape, classes):\n    1 / 0\n\n"
        "def unfit(input_shape, classes):\n    return keras.Sequential([keras.Input(input_shape)])\n"
    )
    bad = [f"{file.with_name('bad.py')}:{name}" for name in ("raises", "unfit", "absent")]
    run = Run(killed, ("--models", "dense", *bad, *flags[3:]), tmp_path / "log")
    assert run.wait() == 1
    results: dict[str, Any] = results_of(killed)
    reasons = {failure["model"]: failure["error"] for failure in results["failures"]}
    assert origins(killed) == {"dense": "reused"}
    assert "raised ZeroDivisionError in line 4 of bad.py" in reasons["raises"]
    assert "Expected a keras.Sequential" in reasons["unfit"]
    assert "does not define absent; it defines raises and unfit" in reasons["absent"]
    report = (killed / "latest" / "report.md").read_text()
    assert all(f"train {name} (seed 0)" in text for name in reasons for text in (report, run.output))
    assert "Traceback" not in run.output
    alone = Run(killed, ("--models", *bad[:2], *flags[3:]), tmp_path / "alone.log")
    assert alone.wait() == 2
