"""The environment of training processes."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.training.process import tensorflow_environment

MAPPED = """
import ctypes
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
address = libc.malloc(ctypes.c_size_t(2**28))
mappings = open("/proc/self/smaps").read().split("VmFlags:")
for before, after in zip(mappings, mappings[1:]):
    first, last = (int(end, 16) for end in [w for w in before.split() if w.count("-") == 1][0].split("-"))
    if first <= address < last:
        print("hg" in after.splitlines()[0].split())
"""
MODE = Path("/sys/kernel/mm/transparent_hugepage/enabled")
HAS_HUGE_PAGES = (
    platform.libc_ver()[0] == "glibc"
    and tuple(map(int, platform.libc_ver()[1].split("."))) >= (2, 35)
    and MODE.is_file()
    and "[madvise]" in MODE.read_text()
)


@pytest.mark.skipif(not HAS_HUGE_PAGES, reason="needs glibc 2.35 and huge pages on request")
@pytest.mark.parametrize(("own", "expected"), [("", "True"), ("glibc.malloc.hugetlb=0", "False")])
def test_large_arrays_ask_for_huge_pages(own: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel is asked for huge pages, unless a person's own setting says otherwise."""
    monkeypatch.setenv("GLIBC_TUNABLES", own)
    command = [sys.executable, "-c", MAPPED]
    done = subprocess.run(command, env=tensorflow_environment(), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected
