"""The store of trainings: what determines a training, where it is kept, and how two of them differ."""

import ast
import contextlib
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tasks import files
from tasks.layout import PROJECT
from tasks.training.networks import MODELS
from tasks.training.precision import resolve_precision

# What the training process runs, besides networks.py.
FIT_MODULES = ("errors", "files", "sealed", "training/checkpoint", "training/fit", "training/loop")


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
        for node in ast.parse((folder / "training/networks.py").read_text(encoding="utf-8")).body
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
    learning_rate: float | None,
    pixel_scaling: str,
    precision: str,
    threads: int,
) -> dict[str, Any]:
    """Return everything that determines the result of a training, and nothing else; its digest is the key.

    `epochs` and `learning_rate` are the network's own where they are None.
    """
    network = MODELS[model]
    return {
        "model": model,
        "seed": seed,
        "epochs": network.epochs if epochs is None else epochs,
        "batch_size": batch_size,
        "learning_rate": network.learning_rate if learning_rate is None else learning_rate,
        "learning_rate_schedule": network.learning_rate_schedule,
        "pixel_scaling": pixel_scaling,
        "precision": precision,
        "threads": threads,
        "xla": network.compile_with_xla,
        "data": data_digest,
        "versions": {name: version(name) for name in ("tensorflow", "keras", "numpy")},
        "code": code_digests(model),
    }


def specifications(
    models: Iterable[str], seeds: Iterable[int], data_digest: str, *, precision: str, **settings: Any
) -> list[dict[str, Any]]:
    """Return the specification of each model with each seed; `precision` may be "auto".

    Other `settings` as for `specification`.
    """
    # Digesting the code takes tens of milliseconds: once per model, not once per seed.
    of_models = [
        specification(model, 0, data_digest, precision=resolve_precision(precision, model), **settings)
        for model in models
    ]
    return [{**of_model, "seed": seed} for of_model in of_models for seed in dict.fromkeys(seeds)]


def training_folder(artifacts: Path, spec: dict[str, Any]) -> Path:
    """Return the folder of the training that `spec` describes."""
    return artifacts / "trainings" / f"{spec['model']}-{spec['seed']}-{files.digest_of(spec)[:12]}"


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return in words what differs between two specifications, such as "learning_rate 0.001 -> 0.002"."""
    found = []
    for name in dict.fromkeys([*new, *old]):
        before: Any = old.get(name)
        after: Any = new.get(name)
        if before == after:
            continue
        if name == "data":
            found.append("other images (data set, validation_split or train_samples)")
        elif name == "code":
            changed = [part for part in after if after[part] != (before or {}).get(part)]
            found += [
                f"code of {f'tasks/{part}.py' if part in FIT_MODULES else part} changed" for part in changed
            ]
        elif name == "versions":
            found += differences(before or {}, after)
        else:
            found.append(f"{name} {before} -> {after}")
    return found


def why_not_reused(folder: Path, spec: dict[str, Any]) -> str:
    """Return how `spec` differs from the most similar training of the same model and seed in the store."""
    others: list[list[str]] = []
    for path in sorted(folder.parent.glob(f"{spec['model']}-{spec['seed']}-*/spec.json")):
        # A damaged specification is no neighbour.
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            old = files.read_json(path)
            if training_folder(folder.parent.parent, old) == path.parent != folder:
                others.append(differences(old, spec))
    if not others:
        return "first training of this network with this seed here"
    others.sort(key=len)
    return "differs from the nearest kept training: " + ", ".join(others[0])
