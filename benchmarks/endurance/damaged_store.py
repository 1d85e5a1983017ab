"""A store whose files are damaged: its kinds of files, how they are damaged, and how the pipeline reads each."""

import contextlib
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from benchmarks.endurance.stage import quiet
from tasks import files
from tasks.comparison.previous import read_answers
from tasks.data.download import download
from tasks.data.prepare import prepare
from tasks.results.file import read_own_results, read_results
from tasks.store.kept import referred_to
from tasks.store.layout import Artifacts
from tasks.store.ownership import MARKER, is_run, is_training
from tasks.store.sealed import read_record
from tasks.training.networks import MODELS
from tasks.training.specification import Specification
from tasks.training.train import keep_specification
from tests.pipeline_runs import arrays_of

KINDS = {
    "data set": "data/few-*.npz",
    "prepared data": "data/prepared-*.npz",
    "pictures of the data": "data/images-*.npz",
    "specification": "trainings/*/spec.json",
    "record of a training": "trainings/*/training.json",
    "model": "trainings/*/model.keras",
    "best weights": "trainings/*/best.weights.h5",
    "predictions": "trainings/*/predictions.npz",
    "checkpoint": "trainings/*/checkpoint-*.npz",
    "results": "runs/*/results.json",
    "a training's results": "runs/*/trainings/*.json",
    "a training's answers": "runs/*/trainings/*.npz",
    "marker": "**/.mnist-pipeline",
}


def damaged(path: Path, others: list[Path], chance: random.Random) -> str:
    """Damage a file; return how."""
    content, how = path.read_bytes(), chance.choice(("bit flipped", "truncated", "deleted", "swapped"))
    other = chance.choice(others).read_bytes()
    if how == "swapped" and other != content:
        path.write_bytes(other)
    elif how == "truncated":
        path.write_bytes(content[: chance.randrange(len(content))])
    elif how == "deleted":
        path.unlink()
    else:
        place, how = chance.randrange(len(content)), "bit flipped"
        flipped = bytes([content[place] ^ 1 << chance.randrange(8)])
        path.write_bytes(content[:place] + flipped + content[place + 1 :])
    return how


class Store:
    """A sound artifacts folder, its specifications, and a copy of it that is damaged."""

    def __init__(self, sound: Path, dataset: Path) -> None:
        self.sound, self.dataset = sound, dataset
        self.copy = Artifacts(sound.parent.parent / "damaged" / "artifacts")
        self.renew()
        self.specifications = {
            folder.name: Specification.from_json(files.read_json(folder / "spec.json"))
            for folder in (sound / "trainings").glob("*-*/")
        }

    def renew(self) -> None:
        """Make the copy anew."""
        shutil.rmtree(self.copy.root, ignore_errors=True)
        shutil.copytree(self.sound, self.copy.root, symlinks=True)

    def files_of(self, kind: str) -> list[Path]:
        """Return the files of a kind in the copy."""
        return sorted(self.copy.root.glob(KINDS[kind]))

    def read(self, path: Path, warn: Callable[[str], None]) -> None:
        """Let the pipeline read a file."""
        folder = path.parent
        if path.name == MARKER:
            self.copy.claim()
        elif folder == self.copy.data:
            data = download(str(self.dataset), folder, quiet, warn)
            prepare(data, 0.1, None, folder, quiet, warn)
        elif path.name == "spec.json":
            specified = self.specifications[folder.name]
            keep_specification(folder, specified, MODELS[specified.model].build, SimpleNamespace(warn=warn))
        elif folder.parent == self.copy.trainings:
            spec = self.specifications[folder.name].to_json()
            if read_record(folder / "training.json", spec=spec) is None:
                warn("there is no training.json: the training goes on")
        elif path.name == "results.json":
            read_own_results(folder)
        elif path.suffix == ".npz":
            model, seed = path.stem.rsplit("-", 1)
            (training,) = read_results(folder.parent).models[model].finished
            read_answers(folder.parent, model, int(seed), training.answers_sha256)
        else:
            set(referred_to(folder.parent))

    def mended(self, path: Path) -> bool:
        """Return whether a file means what the sound one means."""
        sound = self.sound / path.relative_to(self.copy.root)
        if path.name == MARKER:
            return is_run(path.parent) or is_training(path.parent) or path.parent == self.copy.root
        if (
            path.parent.name == "trainings" and path.suffix == ".json"
        ):  # what it names, results.json names too
            return set(referred_to(path.parent.parent)) == set(referred_to(sound.parent.parent))
        if not path.is_file():
            return False
        if path.suffix == ".json":
            with contextlib.suppress(ValueError, RecursionError):
                return bool(files.read_json(path) == files.read_json(sound))
            return False
        try:
            return arrays_of(path) == arrays_of(sound)
        except Exception:  # unreadable in one of many ways
            return False
