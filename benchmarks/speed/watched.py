"""A command run to its end, timed, with the memory of all its processes."""

import contextlib
import math
import os
import tempfile
import time
from functools import partial
from typing import TextIO

import psutil

from benchmarks.common import PROJECT
from tasks.errors import UserError

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1", "DO_NOT_TRACK": "1"}
# JAX would end its messages with a line about itself.
ERROR_LAST = {"JAX_TRACEBACK_FILTERING": "off"}


def run(command: list[str], limit: float = math.inf, **environment: str) -> tuple[str, float, float]:
    """Run a command; return its last line, its seconds, and the peak memory of all its processes in GB.

    Raises UserError if it fails, or has not ended after `limit` seconds; then it is killed with its descendants.
    """
    started, peak = time.monotonic(), 0.0
    variables = {**os.environ, **QUIET, **ERROR_LAST, **environment}
    text = partial(tempfile.TemporaryFile, "w+", errors="replace")
    with text() as output, text() as errors:
        process = psutil.Popen(command, cwd=PROJECT, env=variables, stdout=output, stderr=errors)
        while (code := process.poll()) is None:
            peak = max(peak, gigabytes(process))
            if time.monotonic() - started > limit:
                for one in [*process.children(recursive=True), process]:
                    with contextlib.suppress(psutil.Error):
                        one.kill()
                process.wait()
                raise UserError(f"{' '.join(command)} had not ended after {limit:.0f} s")
            with contextlib.suppress(psutil.TimeoutExpired):
                process.wait(timeout=0.5)
        seconds = time.monotonic() - started
        line, error = map(last_line, (output, errors))
    if code:
        raise UserError(f"{' '.join(command)} ended with exit code {code}: {error}")
    return line, seconds, peak


def last_line(file: TextIO) -> str:
    """Return the last line of a file, "" if it has none."""
    file.seek(0)
    return (file.read().splitlines() or [""])[-1]


def gigabytes(process: psutil.Process) -> float:
    """Return the memory of a process and its descendants.

    It is the proportional set size: a page that several processes share, such as TensorFlow's code, is divided
    among them, so the sum over processes counts it once.
    """
    used = 0
    with contextlib.suppress(psutil.Error):
        for one in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                used += one.memory_full_info().pss
    return used / 1e9
