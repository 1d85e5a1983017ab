"""A command run to its end, timed, with the memory of all its processes."""

import contextlib
import os
import subprocess
import threading
import time

import psutil

from benchmarks.common import PROJECT

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1", "DO_NOT_TRACK": "1"}


def run(command: list[str], **environment: str) -> tuple[str, float, float]:
    """Run a command; return its last line, its seconds, and the peak memory of all its processes in GB."""
    started, peak = time.monotonic(), 0.0
    process = subprocess.Popen(
        command,
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **QUIET, **environment},
    )

    def watch() -> None:
        nonlocal peak
        while process.poll() is None:
            peak = max(peak, gigabytes(process.pid))
            time.sleep(0.5)

    watcher = threading.Thread(target=watch)
    watcher.start()
    output, _ = process.communicate()
    seconds = time.monotonic() - started
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with exit code {process.returncode}. Run it to see why.")
    return (output.strip().splitlines() or [""])[-1], seconds, peak


def gigabytes(pid: int) -> float:
    """Return the memory of a process and its descendants.

    It is the proportional set size: a page that several processes share, such as TensorFlow's code, is divided
    among them, so the sum over processes counts it once.
    """
    used = 0
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                used += process.memory_full_info().pss
    return used / 1e9
