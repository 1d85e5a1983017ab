"""What the benchmarks share: command line, MNIST, machine, interval. PyTorch's Python may have no SciPy."""

import os
import platform
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
    machine = {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_at_end": os.getloadavg()[1],
    }
    return {"machine": machine, "date": time.strftime("%Y-%m-%d", time.gmtime())}


def t_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return Student's 95 % interval of the mean of two or more values."""
    import numpy as np
    from scipy import stats

    mean, error = np.mean(values), np.std(values, ddof=1) / np.sqrt(len(values))
    reach = stats.t.ppf(0.975, len(values) - 1) * error
    return float(mean - reach), float(mean + reach)
