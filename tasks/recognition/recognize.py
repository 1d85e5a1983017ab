"""The steps of recognize-digit: which run to ask, pictures to MNIST's form, what its networks say, the answer."""

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import numpy as np
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from tasks.errors import UserError, writing_to
from tasks.files import atomic_write, path_of
from tasks.printable import in_one_line
from tasks.recognition.answers import ANSWERS, Answer, Answers, Asked, AskedRun, Opinion, write_answers
from tasks.recognition.handwriting import mnist_form
from tasks.recognition.picture_files import read_picture
from tasks.recognition.show import publish, sentence, write_pictures
from tasks.results.enums import Status
from tasks.results.file import RESULTS, read_results
from tasks.results.run import Results
from tasks.store.layout import Artifacts, new_folder
from tasks.training.process import tensorflow_environment

IMAGES = "images.npz"
Said = dict[str, list[list[float]]]  # by network: the probabilities of the ten digits for each picture


@dataclass(frozen=True)
class Pictures:
    """The pictures of one call: those that could be prepared are in an npz file, the others have a reason."""

    path: str  # npz: images, uint8 (n, 28, 28)
    files: list[str]  # all, in the order of the call
    errors: dict[int, str]  # by place in `files`: why a picture was refused


def named_run(run_folder: Path) -> AskedRun:
    """Return the run in a folder that a person named.

    Raises UserError if it holds no run that this version reads, one of other images than digits, or none of the
    run's trainings is kept.
    """
    if not (run_folder / RESULTS).is_file():
        raise UserError(
            f"{run_folder} holds no run. Train first (python flows/mnist_pipeline.py), or name the folder of a "
            "run with --run."
        )
    results = read_results(run_folder)
    if not results.dataset.is_digits:
        raise UserError(
            f"The networks of {run_folder} know {results.dataset.name}, no digits of 28 x 28 grey pixels. Name a "
            "run on MNIST with --run."
        )
    return AskedRun(str(run_folder.resolve()), kept_networks(results, run_folder))


def best_run(artifacts: Path) -> AskedRun:
    """Return the completed run whose best network is the most accurate on validation images; of equals the newest.

    Runs of MNIST come before those of other digits; runs of other images know none. Raises UserError if there is
    none.
    """
    runs: list[tuple[bool, float, str, AskedRun]] = []
    for path in Artifacts(artifacts).runs.glob(f"*/{RESULTS}"):
        with contextlib.suppress(UserError):  # of another version, damaged, or its trainings are gone
            results = read_results(path.parent)
            if results.status is Status.COMPLETED and results.dataset.is_digits:
                run = AskedRun(str(path.parent), kept_networks(results, path.parent))
                runs.append((results.dataset.is_mnist, run.best.validation_accuracy, run.run, run))
    if not runs:
        raise UserError(
            f"{artifacts} holds no completed run whose trainings are kept. Train first "
            "(python flows/mnist_pipeline.py), or name the folder of a run with --run."
        )
    return replace(max(runs)[-1], chosen_from=len(runs))  # no two runs have the same folder


def kept_networks(results: Results, run_folder: Path) -> list[Asked]:
    """Return the networks of which a sound training is kept, in the report's order. Raises UserError if none."""
    artifacts = Artifacts.of(run_folder).root
    networks = []
    for name, model in results.models.items():
        kept = [each for each in model.sound if (artifacts / each.folder / "training.json").is_file()]
        losses = [each.validation.nll for each in kept if each.validation.nll is not None]
        if losses:
            folders = [str(artifacts / each.folder) for each in kept]
            accuracy = mean(each.validation.accuracy for each in kept)
            networks.append(Asked(name, folders, accuracy, mean(losses)))
    if not networks:
        raise UserError(
            f"No finished training of the run in {run_folder} is kept here. Name another run with --run, or run "
            "the pipeline again: it trains what is missing."
        )
    return networks


def folder_of_call(artifacts: Path, name: str) -> Path:
    """Make and return the folder of this call in `artifacts/recognized`. Raises UserError if it cannot be."""
    with writing_to(artifacts):
        return new_folder(artifacts / "recognized", re.sub(r"[^\w.-]+", "-", name))


@task(name="prepare-pictures", task_run_name="prepare-pictures", cache_policy=NO_CACHE, persist_result=False)
def prepare_pictures(paths: list[str], folder: str) -> Pictures:
    """Bring each picture to MNIST's form and keep them in the folder; note why one cannot be."""
    images, errors = [], {}
    for place, path in enumerate(paths):
        try:
            images.append(mnist_form(read_picture(path_of(path))))
        except UserError as error:
            errors[place] = str(error)
    stored = Path(folder) / IMAGES
    with atomic_write(stored) as temporary:
        np.savez(temporary, images=np.array(images, dtype=np.uint8).reshape(-1, 28, 28))
    return Pictures(str(stored), paths, errors)


@task(name="ask-networks", task_run_name="ask-networks", cache_policy=NO_CACHE, persist_result=False)
def ask_networks(pictures: Pictures, networks: list[Asked], files: Sequence[str] = ()) -> Said:
    """Return what each network says to the prepared pictures; several seeds of one are averaged.

    `files` are those that a person named, whose code may be run. One process loads TensorFlow for all networks. A
    training that is damaged, or needs other code, is left out with a warning. Raises UserError if the process
    fails or no training is sound.
    """
    if len(pictures.errors) == len(pictures.files):
        return {network.name: [] for network in networks}
    command = [sys.executable, "-m", "tasks.recognition.predict", pictures.path]
    command += [folder for network in networks for folder in network.folders]
    command += ["--networks", *(str(path_of(file)) for file in files)]
    done = subprocess.run(command, env=tensorflow_environment(), capture_output=True, text=True)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise UserError(f"The process that asks the networks failed: {last}")
    answer = json.loads(done.stdout)
    by_folder, left_out = answer["probabilities"], answer["left_out"]
    if not by_folder:
        raise UserError(left_out[0])
    for reason in left_out:
        get_run_logger().warning("Left out: %s", reason)
    said = {}
    for network in networks:
        if values := [by_folder[folder] for folder in network.folders if folder in by_folder]:
            said[network.name] = np.mean(values, axis=0).tolist()
    return said


def answers(pictures: Pictures, networks: list[Asked], said: Said) -> list[Answer]:
    """Return what is known of each picture, in the order of the call.

    The answer is the digit of the network that is best on validation images, of those that say something.
    """
    best = max((each for each in networks if each.name in said), key=lambda network: network.rank).name
    found, number = [], 0
    for place, file in enumerate(pictures.files):
        if place in pictures.errors:
            found.append(Answer(file, None, {}, error=pictures.errors[place]))
            continue
        models = {name: opinion(probabilities[number]) for name, probabilities in said.items()}
        found.append(Answer(file, models[best].digit, models, best))
        number += 1
    return found


def opinion(probabilities: list[float]) -> Opinion:
    """Return the most probable of the ten digits, with its probability."""
    digit = int(np.argmax(probabilities))
    return Opinion(digit, min(1.0, probabilities[digit]), probabilities)


@task(name="answer", task_run_name="answer", cache_policy=NO_CACHE, persist_result=False)
def answer(pictures: Pictures, run: AskedRun, said: Said) -> str:
    """Write answers.json and the picture of what the networks saw, and publish them; return the former's path."""
    path = Path(pictures.path).with_name(ANSWERS)
    found = Answers(run, answers(pictures, run.networks, said))
    write_answers(path, found)
    with np.load(pictures.path, allow_pickle=False) as stored:
        seen = write_pictures(found.pictures, stored["images"], path.parent)
    for each in found.pictures:
        get_run_logger().info("%s: %s", in_one_line(each.file), sentence(each))
    publish(found, seen)
    return str(path)
