"""Which precision "auto" stands for."""

from pathlib import Path

import pytest

from tasks.training import precision
from tasks.training.precision import processor_has_bfloat16, resolve_precision


@pytest.mark.parametrize(
    ("flags", "expected"), [("fpu avx512_bf16 avx2", True), ("amx_bf16", True), ("fpu avx2 avx512f", False)]
)
def test_processor(tmp_path: Path, flags: str, expected: bool) -> None:
    """Either of two flags says that the processor has bfloat16 arithmetic."""
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    assert processor_has_bfloat16(cpuinfo) is expected


def test_processor_that_does_not_say(tmp_path: Path) -> None:
    """Where there is no such list, as on macOS, nothing is assumed."""
    assert not processor_has_bfloat16(tmp_path / "absent")


@pytest.mark.parametrize(
    ("asked", "model", "has", "expected"),
    [
        ("auto", "cnn", True, "mixed_bfloat16"),
        ("auto", "cnn", False, "float32"),
        ("auto", "dense", True, "float32"),
        ("auto", "deep_cnn", True, "float32"),  # no evidence
        ("float32", "cnn", True, "float32"),
        ("mixed_bfloat16", "dense", False, "mixed_bfloat16"),
    ],
)
def test_resolve_precision(
    monkeypatch: pytest.MonkeyPatch, asked: str, model: str, has: bool, expected: str
) -> None:
    """Auto means bfloat16 where the processor has it and there is evidence for the network."""
    monkeypatch.setattr(precision, "processor_has_bfloat16", lambda: has)
    monkeypatch.setattr(precision, "SAFE_IN_BFLOAT16", ("cnn",))
    assert resolve_precision(asked, model) == expected
