"""What the benchmarks share: command line, MNIST, machine, interval. PyTorch's Python may have no SciPy."""

import os
import platform
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cyclopts

from tasks.errors import UserError

PROJECT = Path(__file__).resolve().parents[1]
FITTED = 54_000  # MNIST's training images without the last tenth, which is for validation


def run(command: Callable[..., Any]) -> None:
    """Call `command` with the flags of its signature; the help is its module's docstring."""
    main = sys.modules["__main__"]
    assert main.__spec__ is not None
    app = cyclopts.App(
        name=f"python -m {main.__spec__.name.removesuffix('.__main__')}",
        help=main.__doc__,
        help_format="plaintext",
        version_flags=(),
        default_parameter=cyclopts.Parameter(consume_multiple=True, negative=()),
    )
    app.default(command)
    try:
        app()
    except UserError as error:
        sys.exit(str(error))


def mnist() -> Path:
    """Return where a run of the pipeline leaves MNIST. Raises UserError if it is not there."""
    path = PROJECT / "artifacts" / "data" / "mnist.npz"
    if not path.exists():
        raise UserError(f"{path.relative_to(PROJECT)} is not there. Run the pipeline once: it puts it there.")
    return path


def circumstances() -> dict[str, Any]:
    """Return on what and when something was measured, as JSON."""
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text() if cpuinfo.exists() else ""
    names = re.findall(r"model name\s*: (.*)", text) or [platform.processor() or platform.machine()]
    machine = {
        "processor": names[0],
        "bfloat16": sorted(set(re.findall(r"\w+_bf16", text))),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_at_end": os.getloadavg()[1],
    }
    return {"machine": machine, "date": time.strftime("%Y-%m-%d", time.gmtime())}


def difference(first: Sequence[float], second: Sequence[float]) -> list[float]:
    """Return the mean of second minus first, pair by pair, and of two or more pairs Student's 95 % interval."""
    import numpy as np
    from scipy import stats

    pairs = np.subtract(second, first)
    if len(pairs) < 2:
        return [float(pairs.mean())]
    reach = stats.t.ppf(0.975, len(pairs) - 1) * pairs.std(ddof=1) / np.sqrt(len(pairs))
    return [float(pairs.mean() + shift) for shift in (0, -reach, reach)]


def signed(numbers: Sequence[float], decimals: int) -> str:
    """Return what `difference` gave as text: "+0.12 (-0.03 to +0.27)"."""
    mean, *limits = (f"{number:+.{decimals}f}" for number in numbers)
    return f"{mean} ({' to '.join(limits)})" if limits else mean
