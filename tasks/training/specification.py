"""What makes two trainings the same: everything that determines a training's numbers, and nothing else."""

import ast
import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tasks import files
from tasks.store.layout import PROJECT
from tasks.training.networks import MODELS, Builder, Recipe
from tasks.training.own_network import OwnNetwork, meaning
from tasks.training.precision import resolve_precision

LOOP = "tasks/training/loop.py"  # what decides a training's numbers, besides its builder and `scale`
AVERAGING = "tasks/training/averaging.py"  # ... and of one that averages its weights


@dataclass(frozen=True)
class Specification:
    """Everything that determines the numbers of a training, and nothing else; its digest is the training's key."""

    model: str
    seed: int
    epochs: int
    batch_size: int
    learning_rate: float
    learning_rate_schedule: str
    pixel_scaling: str
    precision: str  # "float32" or "mixed_bfloat16"
    threads: int
    xla: bool
    data: str  # the digest of the prepared data
    versions: dict[str, str]  # of the packages that calculate
    code: dict[str, str]  # short digests of what `code_digests` names

    @classmethod
    def from_json(cls, value: Any) -> "Specification":
        """Return what `to_json` gave; raise TypeError or ValueError for what is no specification."""
        if not isinstance(value, dict) or value.keys() != {field.name for field in fields(cls)}:
            raise ValueError("is no specification of a training")
        return cls(**{**value, "versions": dict(value["versions"]), "code": dict(value["code"])})

    def to_json(self) -> dict[str, Any]:
        """Return the specification as a JSON object."""
        return asdict(self)

    @property
    def key(self) -> str:
        """The SHA-256 of the specification as hexadecimal text."""
        return files.digest_of(self.to_json())

    @property
    def own_code(self) -> dict[str, str]:
        """The digests of the files that hold a network of one's own; empty for ours."""
        return own_parts(self.code)

    @property
    def averages_weights(self) -> bool:
        """Whether what is kept is the running mean of the weights."""
        return AVERAGING in self.code

    def folder(self, artifacts: Path) -> Path:
        """Return the folder of the training in an artifacts folder."""
        return artifacts / "trainings" / f"{self.model}-{self.seed}-{self.key[:12]}"


def own_parts(code: Mapping[str, str]) -> dict[str, str]:
    """Return of `code_digests` those of the files that hold a network of one's own; none for ours."""
    own = any(":" in part for part in code)
    return {part: digest for part, digest in code.items() if own and part not in ("scale", LOOP, AVERAGING)}


def code_digests(build: Builder, averages_weights: bool = False, project: Path = PROJECT) -> dict[str, str]:
    """Return a short digest of each piece of code that decides the numbers of a training, by its name."""
    own = build.digests() if isinstance(build, OwnNetwork) else {}
    names = ("scale",) if own else (build.__name__, "scale")
    trees: dict[str, ast.AST] = {
        node.name: node
        for node in ast.parse((project / "tasks/training/networks.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name in names
    }
    imported = [module for tree in trees.values() for module in imported_here(tree)]
    for module in (LOOP, *([AVERAGING] if averages_weights else []), *imported):
        trees[module] = ast.parse((project / module).read_text(encoding="utf-8"))
    return own | {name: files.digest_of(meaning(tree))[:12] for name, tree in trees.items()}


def imported_here(builder: ast.AST) -> list[str]:
    """Return the files of ours from which a builder imports."""
    nodes = [node for node in ast.walk(builder) if isinstance(node, ast.ImportFrom)]
    names = [node.module for node in nodes if node.module and node.module.startswith("tasks.")]
    return [f"{name.replace('.', '/')}.py" for name in names]


def specifications(
    recipes: Mapping[str, Recipe],
    seeds: Iterable[int],
    data_digest: str,
    *,
    epochs: int | None,
    batch_size: int,
    learning_rate: float | None,
    pixel_scaling: str,
    precision: str,
    threads: int,
) -> list[Specification]:
    """Return the specification of each network with each seed.

    `epochs` and `learning_rate` are each network's own where they are None; `precision` may be "auto".
    """
    # Digesting the code takes tens of milliseconds: once per network, not once per seed.
    of_models = [
        Specification(
            model=model,
            seed=0,
            epochs=recipe.epochs if epochs is None else epochs,
            batch_size=batch_size,
            learning_rate=recipe.learning_rate if learning_rate is None else learning_rate,
            learning_rate_schedule=recipe.learning_rate_schedule,
            pixel_scaling=pixel_scaling,
            precision=resolve_precision(precision, model),
            threads=threads,
            xla=recipe.compile_with_xla,
            data=data_digest,
            versions={name: version(name) for name in ("tensorflow", "keras", "numpy")},
            code=code_digests(recipe.build, recipe.averages_weights),
        )
        for model, recipe in recipes.items()
    ]
    return [replace(of_model, seed=seed) for of_model in of_models for seed in dict.fromkeys(seeds)]


def quickest_first(specifications: Iterable[Specification]) -> list[Specification]:
    """Return them in the order in which they are to begin, so that the first result is soon there.

    The catalogue of networks goes from quick to slow; what it does not hold may take any time, so it comes last.
    """
    places = {model: place for place, model in enumerate(MODELS)}
    return sorted(specifications, key=lambda each: places.get(each.model, len(places)))


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return in words what differs between two specifications, such as "learning_rate 0.001 -> 0.002"."""
    found = []
    for name, after in new.items():
        before: Any = old.get(name)
        if before == after:
            continue
        if name == "data":
            found.append("other images (data set, validation_split or train_samples)")
        elif name == "code":
            parts = [part for part in after if after[part] != before.get(part)]
            found += [f"code of {part} changed" for part in parts] or ["other code"]
        elif name == "versions":
            found += differences(before, after)
        else:
            found.append(f"{name} {before} -> {after}")
    return found


def why_not_reused(artifacts: Path, specification: Specification) -> str:
    """Return how it differs from the most similar training of the same model and seed in the artifacts folder."""
    folder = specification.folder(artifacts)
    others: list[list[str]] = []
    for path in sorted(folder.parent.glob(f"{specification.model}-{specification.seed}-*/spec.json")):
        # A damaged specification is no neighbour, nor one of a version that knew other settings.
        with contextlib.suppress(OSError, ValueError, TypeError, RecursionError):
            old = Specification.from_json(files.read_json(path))
            if old.folder(artifacts) == path.parent != folder:
                others.append(differences(old.to_json(), specification.to_json()))
    if not others:
        return "first training of this network with this seed here"
    others.sort(key=len)
    return "differs from the nearest kept training: " + ", ".join(others[0])
