"""Would the tests notice? Modules with one random change each, run against the tests of their room.

    python -m benchmarks.mutants tasks/evaluation/onset.py tasks/files.py [--number 6] [--seed 0] [--tests TEST...]

A mutant is a copy of the repository in which one thing is different: a comparison (cmp), + - * or / (bin), a number
greater by one (num), `and` for `or` (bool), or a `not` that is gone (not). The tests of tasks/ROOM/NAME.py are the
fast ones of tests/ROOM/, those of test_NAME.py first. A mutant is noticed if a test fails, or if the tests take three
times as long as without it and half a minute more. Prints the mutants that survive (a person has to see which of
them change nothing that matters) and the share that is noticed.
"""

import ast
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import PROJECT, run
from tasks.errors import UserError

SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    **{
        ast.Lt: ast.LtE,
        ast.LtE: ast.Lt,
        ast.Gt: ast.GtE,
        ast.GtE: ast.Gt,
        ast.Eq: ast.NotEq,
        ast.NotEq: ast.Eq,
    },
    **{ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is},
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult},
    **{ast.And: ast.Or, ast.Or: ast.And},
}
SLOW = "slow or e2e or postgres or browser or faults"
PYTEST = ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", f"not ({SLOW})"]


def kind_of(node: ast.AST) -> str | None:
    """Return how a node is changed; None if it is not. Text and paths, told by a string beside + or /, are left."""
    match node:
        case ast.Compare(ops=[first, *_]) if type(first) in SWAPS:
            return "cmp"
        case ast.BinOp(left, op, right) if type(op) in SWAPS and not (is_text(left) or is_text(right)):
            return "bin"
        case ast.BoolOp():
            return "bool"
        case ast.UnaryOp(ast.Not()):
            return "not"
        case ast.Constant(int() | float() as value) if not isinstance(value, bool):
            return "num"
    return None


def is_text(node: ast.AST) -> bool:
    """Return whether a node is a string, or an f-string, as it stands."""
    return isinstance(node, ast.JoinedStr) or isinstance(node, ast.Constant) and isinstance(node.value, str)


def change(node: ast.AST, kind: str) -> None:
    """Change a node in place."""
    match kind, node:
        case "cmp", ast.Compare():
            node.ops[0] = SWAPS[type(node.ops[0])]()  # type: ignore[call-overload]
        case "bin" | "bool", ast.BinOp() | ast.BoolOp():
            node.op = SWAPS[type(node.op)]()  # type: ignore[assignment]
        case "not", ast.UnaryOp():
            node.operand = ast.UnaryOp(ast.Not(), node.operand)
        case "num", ast.Constant():
            node.value += 1  # type: ignore[operator]


def copy_repository(folder: Path) -> None:
    """Copy what git would keep, as it stands."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (PROJECT / name).is_file():  # not removed since the last commit
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, folder / name)


def tests_of(module: Path) -> list[str]:
    """Return the test files of the module's room, its own first; those directly in tests/ if it is in no room."""
    room = Path("tests", *module.parent.parts[1:])
    found = [path.relative_to(PROJECT) for path in (PROJECT / room).glob("test_*.py")]
    return [str(path) for path in sorted(found, key=lambda path: (path.stem != f"test_{module.stem}", path))]


def passes(folder: Path, tests: list[str], limit: float) -> bool:
    """Return whether the tests pass in the copy within `limit` seconds. Raises UserError if there are none."""
    command = [sys.executable, *PYTEST, "--hypothesis-seed=0", *tests]
    # No bytecode: a mutant has the size of its module and may be written in the same second.
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.setdefault("MNIST_PIPELINE_TEST_DATA", str(PROJECT / "artifacts" / "data" / "mnist.npz"))
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        code = process.wait(timeout=limit)
    except subprocess.TimeoutExpired:
        return False
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if code not in (0, 1, 2):  # passed, failed, not to be collected
        raise UserError(f"pytest ends with code {code} for {' '.join(tests)}: are there fast tests?")
    return code == 0


def survivors(module: Path, folder: Path, number: int, seed: int, tests: list[str]) -> tuple[list[str], int]:
    """Return which mutants of a module in the copy survive, in words, and how many there were."""
    source = (folder / module).read_text()
    kinds = [kind_of(node) for node in ast.walk(ast.parse(source))]
    places = [place for place, kind in enumerate(kinds) if kind]
    chosen = random.Random(f"{seed} {module}").sample(places, min(number, len(places)))
    began = time.monotonic()
    if not passes(folder, tests, 1800):
        raise UserError(f"{module}: {' '.join(tests)} do not pass without any change.")
    limit = 30 + 3 * (time.monotonic() - began)
    found = []
    for place in sorted(chosen):
        tree = ast.parse(source)
        node, kind = list(ast.walk(tree))[place], kinds[place]
        change(node, str(kind))
        (folder / module).write_text(ast.unparse(ast.fix_missing_locations(tree)))
        if passes(folder, tests, limit):
            found.append(f"{module}:{node.lineno} {kind}  {source.splitlines()[node.lineno - 1].strip()}")  # type: ignore[attr-defined]
            print(found[-1], flush=True)
    (folder / module).write_text(source)
    return found, len(chosen)


def main(*modules: Path, number: int = 6, seed: int = 0, tests: list[str] | None = None) -> None:
    """Make `number` mutants of each module and run the tests on each."""
    with tempfile.TemporaryDirectory(prefix="mnist-pipeline-mutants-") as name:
        folder = Path(name)
        copy_repository(folder)
        survived = made = 0
        for module in modules:
            found, count = survivors(module, folder, number, seed, tests or tests_of(module))
            survived, made = survived + len(found), made + count
    print(f"{made - survived} of {made} noticed ({(made - survived) / max(made, 1):.0%}).")


if __name__ == "__main__":
    run(main)
