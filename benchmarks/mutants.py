"""Would the tests notice? Modules with one random change each, run against the tests of their room.

    python -m benchmarks.mutants tasks/evaluation/onset.py tasks/files.py [--number 6] [--seed 0]

A mutant is a module in which one thing is different: a comparison (cmp), + - * or / (bin), a number that is
greater by one (num; not one of a long list), `and` for `or` (bool), or a `not` that is gone (not). The tests of
tasks/ROOM/NAME.py are the fast ones of tests/ROOM/, those of test_NAME.py first. A mutant is noticed if a test
fails, or if the tests take half a minute more than three times as long. Prints the mutants that survive (a person
has to see which of them change nothing that matters) and the share that is noticed. All happens in a copy of the
repository.
"""

import ast
import importlib
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from benchmarks.common import PROJECT, run
from tasks.errors import UserError

SWAPPED = "Lt LtE, Gt GtE, Eq NotEq, In NotIn, Is IsNot, Add Sub, Mult Div, And Or"
PAIRS = [[getattr(ast, name) for name in pair.split()] for pair in SWAPPED.split(",")]
SWAPS = {a: b for pair in PAIRS for a, b in (pair, pair[::-1])}
NOT_COPIED = shutil.ignore_patterns(".*", "artifacts", "__pycache__", "*.egg-info")
PYTEST = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not long"]
# Most of the seconds of a short test are these imports; each run of the tests is a copy of this process.
LOADED_ONCE = ("tests.conftest", "prefect.flows", "matplotlib.figure", "pandas", "scipy.stats")


def change(node: ast.AST) -> str | None:
    """Change a node in place and return how, None if it stays: + and / of texts and paths do, told by a string."""
    match node:
        case ast.Compare(ops=[first, *_]) if type(first) in SWAPS:
            node.ops[0] = SWAPS[type(first)]()
            return "cmp"
        case ast.BinOp(left, op, right) if type(op) in SWAPS:
            if any(isinstance(getattr(side, "value", side), str | ast.JoinedStr) for side in (left, right)):
                return None
            node.op = SWAPS[type(op)]()
            return "bin"
        case ast.BoolOp():
            node.op = SWAPS[type(node.op)]()
            return "bool"
        case ast.UnaryOp(ast.Not()):
            node.operand = ast.UnaryOp(ast.Not(), node.operand)
            return "not"
        case ast.Constant(int() | float()) if not isinstance(node.value, bool):
            node.value += 1
            return "num"
    return None


def is_table(node: ast.AST) -> bool:
    """Return whether it is a list of many numbers: copied from a source, a test could only copy it again."""
    return (
        isinstance(node, ast.Tuple | ast.List)
        and len(node.elts) > 10
        and isinstance(node.elts[0], ast.Constant)
    )


def tests_of(module: Path) -> list[str]:
    """Return the test files of the module's room, its own first; those directly in tests/ if it is in no room."""
    room = PROJECT.joinpath("tests", *module.parent.parts[1:])
    found = sorted(room.glob("test_*.py"), key=lambda path: (path.stem != f"test_{module.stem}", path))
    return [str(path.relative_to(PROJECT)) for path in found]


def run_tests(folder: Path, tests: list[str]) -> NoReturn:
    """Run the tests in the copy, and leave this process with pytest's exit code."""
    os.setsid()
    os.chdir(folder)
    # No bytecode: a mutant may be as long as its module and written in the same second.
    sys.dont_write_bytecode = True
    os.environ.update(PYTHONPATH=str(folder), PYTHONDONTWRITEBYTECODE="1")
    os.environ.setdefault("MNIST_PIPELINE_TEST_DATA", str(PROJECT / "artifacts" / "data" / "mnist.npz"))
    sys.path.insert(0, str(folder))
    for name in [
        name for name in sys.modules if name.split(".")[0] in ("benchmarks", "flows", "tasks", "tests")
    ]:
        del sys.modules[name]
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os._exit(pytest.main([*PYTEST, "--hypothesis-seed=0", *tests]))


def passes(folder: Path, tests: list[str], limit: float) -> bool:
    """Return whether the tests pass in the copy within `limit` seconds. Raises UserError if there are none."""
    process = multiprocessing.get_context("fork").Process(target=run_tests, args=(folder, tests))
    process.start()
    process.join(limit)
    if process.exitcode is None:
        os.killpg(process.ident, signal.SIGKILL)
        process.join()
        return False
    if not tests or process.exitcode == 5:  # pytest's code for "no tests"
        raise UserError(f"There are no fast tests in {' '.join(tests) or 'the room'}.")
    return process.exitcode == 0


def mutants(source: str, number: int, seed: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, kind and text of `number` mutants, fewer if there are not so many places."""
    nodes = list(ast.walk(ast.parse(source)))
    copied = {number for node in nodes if is_table(node) for number in node.elts}  # type: ignore[attr-defined]
    places = [place for place, node in enumerate(nodes) if node not in copied and change(node)]
    for place in sorted(random.Random(seed).sample(places, min(number, len(places)))):
        tree = ast.parse(source)
        node = list(ast.walk(tree))[place]
        kind = change(node)
        yield node.lineno, kind, ast.unparse(ast.fix_missing_locations(tree))  # type: ignore[attr-defined]


def main(*modules: Path, number: int = 6, seed: int = 0) -> None:
    """Make `number` mutants of each module and run the tests on each."""
    for name in LOADED_ONCE:
        importlib.import_module(name)
    outcomes, limits = [], {}
    with tempfile.TemporaryDirectory(prefix="mnist-pipeline-mutants-") as name:
        folder = Path(name)
        shutil.copytree(PROJECT, folder, ignore=NOT_COPIED, dirs_exist_ok=True)
        for module in modules:
            source, tests = (folder / module).read_text(), tests_of(module)
            if module.parent not in limits:
                began = time.monotonic()
                if not passes(folder, tests, 1800):
                    raise UserError(f"{' '.join(tests)} do not pass without any change; run them to see why.")
                limits[module.parent] = 30 + 3 * (time.monotonic() - began)
            for line, kind, text in mutants(source, number, f"{seed} {module}"):
                (folder / module).write_text(text)
                outcomes.append(not passes(folder, tests, limits[module.parent]))
                if not outcomes[-1]:
                    print(f"{module}:{line} {kind}  {source.splitlines()[line - 1].strip()}", flush=True)
            (folder / module).write_text(source)
    print(f"{sum(outcomes)} of {len(outcomes)} noticed ({sum(outcomes) / max(len(outcomes), 1):.0%}).")


if __name__ == "__main__":
    run(main)
