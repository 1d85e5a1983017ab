"""The steps of recognize-digit: pictures to MNIST's form, networks to opinions, opinions to an answer."""

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from tasks.errors import UserError
from tasks.files import atomic_write, read_json, write_json
from tasks.recognition.handwriting import mnist_form
from tasks.recognition.picture_files import read_picture
from tasks.recognition.show import Answer, publish, sentence, write_pictures
from tasks.report.cells import sound
from tasks.report.write import read_results
from tasks.training.process import tensorflow_environment

IMAGES, ANSWERS = "images.npz", "answers.json"


@dataclass(frozen=True)
class Asked:
    """A network that is asked: the folders of its trainings, and how good they were on validation images."""

    name: str
    folders: list[str]  # absolute paths, one for each seed
    rank: tuple[float, float]  # mean accuracy and minus mean NLL on validation: the highest is the best


@dataclass(frozen=True)
class Pictures:
    """The pictures of one call: those that could be prepared are in an npz file, the others have a reason."""

    path: str  # npz: images, uint8 (n, 28, 28)
    files: list[str]  # all, in the order of the call
    errors: dict[int, str]  # by place in `files`: why a picture was refused


def networks_of(run_folder: Path) -> list[Asked]:
    """Return the networks of a run that finished and did not diverge, in the order of its report.

    Raises UserError if the folder holds no run that this version reads, or none of its trainings is there.
    """
    if not (run_folder / "results.json").is_file():
        raise UserError(
            f"{run_folder} holds no run. Train first (python flows/mnist_pipeline.py), or name the folder of a "
            "run with --run."
        )
    artifacts = run_folder.resolve().parent.parent
    asked = []
    for name, model in read_results(run_folder)["models"].items():
        kept = [each for each in sound(model) if (artifacts / each["folder"] / "training.json").is_file()]
        if kept:
            accuracy, nll = (mean(each["validation"][key] for each in kept) for key in ("accuracy", "nll"))
            folders = [str((artifacts / each["folder"]).resolve()) for each in kept]
            asked.append(Asked(name, folders, (accuracy, -nll)))
    if not asked:
        raise UserError(
            f"No finished training of the run in {run_folder} is kept here. Name another run with --run, or run "
            "the pipeline again: it trains what is missing."
        )
    return asked


def new_folder(artifacts: Path, name: str) -> Path:
    """Make and return the folder of this call in `artifacts/recognized`. Raises UserError if it cannot be."""
    name = re.sub(r"[^\w.-]+", "-", name)
    try:
        (artifacts / "recognized").mkdir(parents=True, exist_ok=True)
        for number in range(1, 1000):
            folder = artifacts / "recognized" / (name if number == 1 else f"{name}-{number}")
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                return folder
    except OSError as error:
        raise UserError(
            f"The artifacts folder {artifacts} cannot be written ({error.strerror}). "
            "Choose another one with --artifacts-dir."
        ) from error
    raise UserError(f"{artifacts / 'recognized'} is full of folders named {name}. Remove old ones.")


@task(name="prepare-pictures", task_run_name="prepare-pictures", cache_policy=NO_CACHE, persist_result=False)
def prepare_pictures(paths: list[str], folder: str) -> Pictures:
    """Bring each picture to MNIST's form and keep them in the folder; note why one cannot be."""
    images, errors = [], {}
    for place, path in enumerate(paths):
        try:
            images.append(mnist_form(read_picture(Path(path))))
        except UserError as error:
            errors[place] = str(error)
    stored = Path(folder) / IMAGES
    with atomic_write(stored) as temporary:
        np.savez(temporary, images=np.array(images, dtype=np.uint8).reshape(-1, 28, 28))
    return Pictures(str(stored), paths, errors)


@task(name="ask-networks", task_run_name="ask-networks", cache_policy=NO_CACHE, persist_result=False)
def ask_networks(pictures: Pictures, networks: list[Asked]) -> dict[str, list[list[float]]]:
    """Return what each network says, {name: (n, 10) probabilities}; several seeds of one are averaged.

    One process loads TensorFlow for all of them. A training that is damaged is left out with a warning. Raises
    UserError if the process fails or no training is sound.
    """
    if len(pictures.errors) == len(pictures.files):
        return {network.name: [] for network in networks}
    command = [sys.executable, "-m", "tasks.recognition.predict", pictures.path]
    command += [folder for network in networks for folder in network.folders]
    done = subprocess.run(command, env=tensorflow_environment(), capture_output=True, text=True)
    answer = json.loads(done.stdout) if done.stdout else {}
    if "probabilities" not in answer:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise UserError(answer.get("error") or f"The process that asks the networks failed: {last}")
    by_folder = answer["probabilities"]
    if not by_folder:
        raise UserError(answer["left_out"][0])
    for reason in answer["left_out"]:
        get_run_logger().warning("Left out: %s", reason)
    said = {}
    for network in networks:
        if values := [by_folder[folder] for folder in network.folders if folder in by_folder]:
            said[network.name] = np.mean(values, axis=0).tolist()
    return said


def answers(
    pictures: Pictures, networks: Sequence[Asked], said: dict[str, list[list[float]]]
) -> list[Answer]:
    """Return what is known of each picture, in the order of the call.

    {"file", "digit", "models": {name: {"digit", "probability", "probabilities"}}, "best": name of the network best
    on validation, whose digit is the answer}; for a refused picture digit None, no models, and "error".
    """
    best = max((each for each in networks if each.name in said), key=lambda network: network.rank).name
    found: list[Answer] = []
    number = 0
    for place, file in enumerate(pictures.files):
        if place in pictures.errors:
            found.append({"file": file, "digit": None, "models": {}, "error": pictures.errors[place]})
            continue
        models = {}
        for name, probabilities in said.items():
            digit = int(np.argmax(probabilities[number]))
            probability = min(1.0, probabilities[number][digit])
            models[name] = {
                "digit": digit,
                "probability": probability,
                "probabilities": probabilities[number],
            }
        found.append({"file": file, "digit": models[best]["digit"], "models": models, "best": best})
        number += 1
    return found


@task(name="answer", task_run_name="answer", cache_policy=NO_CACHE, persist_result=False)
def answer(
    pictures: Pictures, networks: list[Asked], said: dict[str, list[list[float]]], run_folder: str
) -> str:
    """Write answers.json and the picture of what the networks saw, and publish them; return the former's path."""
    path = Path(pictures.path).with_name(ANSWERS)
    found = answers(pictures, networks, said)
    write_json(path, {"run": run_folder, "answers": found})
    with np.load(pictures.path, allow_pickle=False) as stored:
        seen = write_pictures(found, stored["images"], path.parent)
    for each in found:
        get_run_logger().info("%s: %s", each["file"], sentence(each))
    publish(found, seen, run_folder)
    return str(path)


def read_answers(path: str) -> list[Answer]:
    """Return the answers that `answer` wrote."""
    found: list[Answer] = read_json(Path(path))["answers"]
    return found
