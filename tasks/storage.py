"""The store of finished trainings: what determines a training, what is kept, and housekeeping.

`python -m tasks.storage` lists the trainings; with `--prune` it removes those that no run refers to.
"""

import argparse
import ast
import shutil
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tasks import files
from tasks.models import MODELS

PROJECT = Path(__file__).resolve().parent.parent
ARTIFACTS = PROJECT / "artifacts"
FIT_MODULES = ("checkpoint", "files", "fit", "network")  # what the training process runs, besides models.py


def meaning(tree: ast.AST) -> str:
    """Return a syntax tree as text without comments and docstrings, which cannot change a result."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return ast.dump(tree)


def code_digests(model: str, folder: Path = PROJECT / "tasks") -> dict[str, str]:
    """Return a short digest for each piece of code that a training of `model` runs."""
    builder = MODELS[model].build.__name__
    functions = {
        node.name: node
        for node in ast.parse((folder / "models.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }
    texts = {name: meaning(functions[name]) for name in (builder, "scale")}
    texts |= {
        name: meaning(ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))) for name in FIT_MODULES
    }
    return {name: files.digest_of(text)[:12] for name, text in texts.items()}


def specification(
    model: str,
    seed: int,
    data_digest: str,
    *,
    epochs: int | None,
    batch_size: int,
    learning_rate: float,
    pixel_scaling: str,
    precision: str,
    threads: int,
) -> dict[str, Any]:
    """Return everything that determines the result of a training, and nothing else; its digest is the key."""
    return {
        "model": model,
        "seed": seed,
        "epochs": MODELS[model].epochs if epochs is None else epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "pixel_scaling": pixel_scaling,
        "precision": precision,
        "threads": threads,
        "xla": MODELS[model].compile_with_xla,
        "data": data_digest,
        "versions": {name: version(name) for name in ("tensorflow", "keras", "numpy")},
        "code": code_digests(model),
    }


def specifications(
    models: Iterable[str], seeds: Iterable[int], data_digest: str, **settings: Any
) -> list[dict[str, Any]]:
    """Return the specification of each model with each seed; `settings` as for `specification`."""
    return [
        specification(model, seed, data_digest, **settings)
        for model in models
        for seed in dict.fromkeys(seeds)
    ]


def training_folder(artifacts: Path, spec: dict[str, Any]) -> Path:
    """Return the folder of the training that `spec` describes."""
    return artifacts / "trainings" / f"{spec['model']}-{spec['seed']}-{files.digest_of(spec)[:12]}"


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return in words what differs between two specifications, such as "learning_rate 0.001 -> 0.002"."""
    found = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            found += [f"{name}: {text}" for text in differences(before, after)]
        elif before != after:
            found.append(f"{name} {before} -> {after}")
    return found


def why_not_reused(folder: Path, spec: dict[str, Any]) -> str:
    """Return how `spec` differs from the most similar training of the same model and seed in the store."""
    others: list[list[str]] = []
    for path in folder.parent.glob(f"{spec['model']}-{spec['seed']}-*/spec.json"):
        if path.parent != folder:
            try:
                others.append(differences(files.read_json(path), spec))
            except (OSError, ValueError, AttributeError):
                continue  # a damaged record is no neighbour
    if not others:
        return "first training of this network with this seed here"
    return "differs from the nearest kept training: " + ", ".join(sorted(others, key=len)[0])


def referred_trainings(artifacts: Path) -> dict[str, list[str]]:
    """Return which runs refer to each training folder, by the folder's name."""
    runs: dict[str, list[str]] = {}
    for path in sorted(artifacts.glob("runs/*/results.json")):
        for model in files.read_json(path)["models"].values():
            for training in model["trainings"]:
                if training.get("folder"):
                    runs.setdefault(Path(training["folder"]).name, []).append(path.parent.name)
    return runs


def size_of(folder: Path) -> int:
    """Return the bytes of all files below `folder`."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def list_trainings(artifacts: Path, prune: bool) -> None:
    """Print a line per training; with `prune`, remove those that no run refers to and nobody trains."""
    referred = referred_trainings(artifacts)
    print(f"{'training':<40} {'MB':>6} {'days':>6}  state      runs")
    for folder in sorted((artifacts / "trainings").glob("*/")):
        runs = referred.get(folder.name, [])
        age = (time.time() - folder.stat().st_mtime) / 86400
        state = "complete" if (folder / "training.json").exists() else "partial"
        line = f"{folder.name:<40} {size_of(folder) / 1e6:6.1f} {age:6.1f}  {state:<9}  {len(runs)}"
        with files.lock(folder, wait=False) as held:
            if not held:
                line += "  (training now)"
            elif prune and not runs:
                shutil.rmtree(folder)
                line += "  removed"
        print(line)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tasks.storage", description=__doc__)
    parser.add_argument("--artifacts-dir", type=Path, default=ARTIFACTS)
    parser.add_argument("--prune", action="store_true", help="remove the trainings that no run refers to")
    arguments = parser.parse_args()
    list_trainings(arguments.artifacts_dir, arguments.prune)
