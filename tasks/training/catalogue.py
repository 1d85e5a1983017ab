"""The networks that a run may name: ours, and FILE.py:FUNCTION for those of one's own."""

import ast
import re
import sys
from collections.abc import Iterable
from dataclasses import asdict
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, WithJsonSchema
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

from tasks.errors import UserError
from tasks.files import path_of
from tasks.training.networks import MODELS, Recipe, Schedule
from tasks.training.own_network import DEFAULTS, OwnNetwork, reached
from tasks.wording import and_list

ALL = "all"
NAME = r"[A-Za-z_][A-Za-z0-9_]{0,39}"
OWN = re.compile(rf"(.+\.py):({NAME})")
NOT_IN_THE_KEY = ("tasks", "flows")  # this project: its changes would not be seen
WANTED = (
    "Expected a function NAME(input_shape, classes) that returns a keras.Sequential: see docs/networks.md."
)


def known_network(word: str) -> str:
    """Return the word if it names a network as `--models` does, else raise what pydantic reports."""
    if word not in (*MODELS, ALL) and not OWN.fullmatch(word):
        expected = f"Expected {', '.join(MODELS)}, {ALL}, or FILE.py:FUNCTION for a network of your own"
        raise PydanticCustomError("network", "{expected}", {"expected": expected})
    return word


def name_in_results(name: str) -> str:
    """Return the name if a network can have it, else raise what pydantic reports."""
    if name == ALL or not re.fullmatch(NAME, name):
        raise PydanticCustomError("network", "Expected the name of a network, such as dense")
    return name


ModelName = Annotated[
    str,
    AfterValidator(known_network),
    WithJsonSchema(
        {
            "anyOf": [
                {"title": "ours", "type": "string", "enum": [*MODELS, ALL]},
                {"title": "FILE.py:FUNCTION", "type": "string", "pattern": f"^{OWN.pattern}$"},
            ]
        }
    ),
]
NetworkName = Annotated[str, AfterValidator(name_in_results)]


@dataclass(frozen=True, config={"extra": "forbid"})
class Defaults:
    """What a network of one's own is trained with where the run does not say it: an entry of DEFAULTS."""

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 20
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 0.001
    learning_rate_schedule: Schedule = "constant"
    averages_weights: bool = False


def name_of(word: str) -> str:
    """Return what a network is called in results, folders and tasks: of one's own, the function's name."""
    own = OWN.fullmatch(word)
    return own[2] if own else word


def files_of(models: Iterable[str]) -> list[str]:
    """Return the files that `models` names."""
    return [own[1] for word in models if (own := OWN.fullmatch(word))]


def chosen(models: Iterable[str]) -> tuple[dict[str, Recipe], dict[str, str]]:
    """Return the recipes of the networks that `models` names, and why others have none; both by name.

    Raises UserError if two networks have the same name, or if there is no recipe at all.
    """
    words = dict.fromkeys(word for each in models for word in (MODELS if each == ALL else (each,)))
    recipes: dict[str, Recipe] = {}
    problems: dict[str, str] = {}
    origins = dict.fromkeys(MODELS, "one of ours")
    for word in words:
        name = name_of(word)
        if word in MODELS:
            recipes[name] = MODELS[word]
            continue
        path = path_of(*files_of([word]))
        if origins.setdefault(name, str(path)) != str(path):
            raise UserError(
                f"{word}: there is another network {name} ({origins[name]}), and results know networks by their "
                "names. Give the function another name."
            )
        try:
            recipes[name] = read_recipe(path, name)
        except UserError as error:
            problems[name] = str(error)
    if not recipes:
        raise UserError(" ".join(problems.values()))
    return recipes, problems


def read_recipe(path: Path, function: str) -> Recipe:
    """Return the recipe of the network that a function of a file builds; none of it is run. Raises UserError."""
    network = read_network(path, function)
    try:
        literals = [
            ast.literal_eval(node.value)
            for node in ast.parse(network.texts[path.name]).body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == DEFAULTS
        ]
        defaults = TypeAdapter(dict[str, Defaults]).validate_python(literals[-1] if literals else {})
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"[{part!r}]" for part in first["loc"])
        raise UserError(f"{DEFAULTS}{place} in {path} is {first['input']!r}. {first['msg']}.") from None
    except (ValueError, TypeError, SyntaxError):
        raise UserError(
            f'{DEFAULTS} in {path} is no literal. Expected such as {{"{function}": {{"epochs": 20}}}}.'
        ) from None
    mine = defaults.get(function, Defaults())
    return Recipe(network, **asdict(mine))


def read_network(path: Path, function: str) -> OwnNetwork:
    """Return the text of a network of one's own, and of what it imports from its folder. Raises UserError."""
    texts: dict[str, str] = {}
    waiting = [path]
    while waiting:
        file = waiting.pop()
        texts[file.name], tree = read_python(file)
        if file == path:
            defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
            if function not in defined:
                others = f"it defines {and_list(defined)}" if defined else "it defines no function"
                raise UserError(f"{path} does not define {function}; {others}. {WANTED}")
            tree = reached(tree, function)
        refuse_a_name_that_is_taken(file)
        for name in imported(tree):
            if name in NOT_IN_THE_KEY:
                raise UserError(
                    f"{file} imports {name}, whose changes would not be noticed. Copy what you need of it."
                )
            beside = path.with_name(f"{name}.py")
            if beside.is_file() and beside.name not in texts:
                waiting.append(beside)
    return OwnNetwork(function, texts)


def read_python(file: Path) -> tuple[str, ast.Module]:
    """Return a file's text and its syntax tree. Raises UserError."""
    if not file.is_file():
        raise UserError(f"There is no file {file}. {WANTED}")
    try:
        text = file.read_text(encoding="utf-8")
        return text, ast.parse(text)
    except SyntaxError as error:
        reason = f"line {error.lineno}: {error.msg}" if error.lineno else error.msg
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
    raise UserError(f"{file} cannot be read as Python ({reason}). Correct it.")


def refuse_a_name_that_is_taken(file: Path) -> None:
    """Raise UserError if Python would find something else by the name of a file."""
    module = file.stem
    found = None if "." in module else PathFinder.find_spec(module)
    elsewhere = found is not None and found.origin not in (None, str(file))
    if elsewhere or "." in module or module in (*sys.stdlib_module_names, *NOT_IN_THE_KEY, "__main__"):
        raise UserError(
            f"{file} has the name of something else that Python imports. Give the file another one."
        )


def imported(tree: ast.AST) -> list[str]:
    """Return the modules that a syntax tree imports by name, without what follows a dot."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names += [node.module or ""]
    return [name.partition(".")[0] for name in names]
