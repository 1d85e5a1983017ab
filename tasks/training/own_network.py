"""A network of one's own: a function in somebody's file, known by its text, which the flow reads and never runs.

The text travels with the training and is kept in its folder. What is not in the training's key is not run either:
of the file, only what the function can reach; of its folder, only the modules that are imported by their names.
"""

import ast
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.abc import ExecutionLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType
from typing import Any

from tasks import files
from tasks.training.networks import Recipe, Shape

DEFAULTS = (
    "DEFAULTS"  # the name of the literal in a person's file that holds what their networks are trained with
)

OWN_FILES = "network"  # the folder in a training's that keeps them


@dataclass(frozen=True)
class OwnNetwork:
    """The text of a function that builds a network, and of the modules that it imports from its folder."""

    function: str
    texts: dict[str, str]  # by the names of the files; the first one holds the function

    @property
    def file(self) -> str:
        """The name of the file that holds the function."""
        return next(iter(self.texts))

    def digests(self) -> dict[str, str]:
        """Return a short digest of what is run of each file; "example.py:wide" is the one with the function.

        Raises SyntaxError or ValueError if a text is no Python.
        """
        return {
            f"{name}:{self.function}" if name == self.file else name: files.digest_of(
                meaning(self.tree(name))
            )[:12]
            for name in self.texts
        }

    def tree(self, name: str) -> ast.Module:
        """Return what is run of a file."""
        module = ast.parse(self.texts[name])
        return reached(module, self.function) if name == self.file else module

    def keep(self, folder: Path) -> None:
        """Write the files into `folder`, unless those that are there mean the same."""
        if kept_network(folder, self.function, self.digests()) is None:
            for name, text in self.texts.items():
                files.write_text(folder / name, text)

    def load(self) -> Any:
        """Run the files and return the function; what another network of one's own imported is forgotten."""
        for name, module in list(sys.modules.items()):
            if isinstance(getattr(module, "__loader__", None), Importer):
                del sys.modules[name]
        sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Importer)]
        sys.meta_path.insert(0, Importer(self))
        return getattr(importlib.import_module(self.file.removesuffix(".py")), self.function)

    def __call__(self, input_shape: Shape, classes: int) -> Any:
        """Build the network."""
        return self.load()(input_shape, classes)


class Importer(MetaPathFinder, ExecutionLoader):
    """Finds the modules of a network of one's own in its texts, and runs of them what is in the key."""

    def __init__(self, network: OwnNetwork) -> None:
        self.network = network

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        found = f"{fullname}.py" in self.network.texts
        return importlib.util.spec_from_loader(fullname, self, is_package=False) if found else None

    def get_filename(self, fullname: str) -> str:
        return f"network of {self.network.function}/{fullname}.py"  # no such file: readers ask `get_source`

    def get_source(self, fullname: str) -> str:
        return self.network.texts[f"{fullname}.py"]

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.network.tree(f"{fullname}.py"), self.get_filename(fullname), "exec")


def own_network(recipe: Recipe) -> OwnNetwork | None:
    """Return the text of a network of one's own, None if it is one of ours."""
    return recipe.build if isinstance(recipe.build, OwnNetwork) else None


def kept_network(folder: Path, function: str, digests: dict[str, str]) -> OwnNetwork | None:
    """Return the network whose files are kept in `folder`, None if they do not have these `digests`."""
    names = sorted(
        (part.partition(":")[0] for part in digests), key=lambda name: f"{name}:{function}" not in digests
    )
    try:
        network = OwnNetwork(function, {name: (folder / name).read_text("utf-8") for name in names})
        return network if network.digests() == digests else None
    except (OSError, ValueError, SyntaxError):
        return None


def meaning(tree: ast.AST) -> str:
    """Return a syntax tree as text without comments and docstrings, which cannot change a result."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return ast.dump(tree)


def reached(module: ast.Module, function: str) -> ast.Module:
    """Return the module without the functions, classes and DEFAULTS whose names nothing else that stays uses."""
    statements = {
        name: node for node in module.body if (name := name_of_definition(node)) != function and name
    }
    kept = [node for node in module.body if node not in statements.values()]
    waiting = list(kept)
    while waiting:
        for name in words_in(waiting.pop()):
            if node := statements.pop(name, None):
                kept.append(node)
                waiting.append(node)
    return ast.Module([node for node in module.body if node in kept], module.type_ignores)


def name_of_definition(node: ast.stmt) -> str | None:
    """Return the name of what a statement only defines; None if it does more, as a decorator may."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.decorator_list:
        return node.name
    is_defaults = isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [
        DEFAULTS
    ]
    return DEFAULTS if is_defaults else None


def words_in(tree: ast.AST) -> Iterator[str]:
    """Yield every name, attribute and text in a syntax tree: whatever may lead to a definition."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
