"""Which arithmetic a training uses."""

import contextlib
from pathlib import Path

# Networks whose accuracy and loss it changed by less than 1.5 standard deviations of the seeds: docs/precision.md.
# Challenger and sprinter were designed in it: docs/challenger.md. The dense network gains nothing from bfloat16.
SAFE_IN_BFLOAT16 = ("cnn", "regularized_cnn", "challenger", "sprinter")
BFLOAT16_INSTRUCTIONS = {"amx_bf16", "avx512_bf16"}


def processor_has_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Return whether Linux lists bfloat16 arithmetic; a processor without it is faster in float32."""
    with contextlib.suppress(OSError):
        return not BFLOAT16_INSTRUCTIONS.isdisjoint(cpuinfo.read_text().split())
    return False


def resolve_precision(precision: str, model: str) -> str:
    """Return the precision that "auto" stands for with this network on this machine; others are what they say."""
    if precision != "auto":
        return precision
    return "mixed_bfloat16" if model in SAFE_IN_BFLOAT16 and processor_has_bfloat16() else "float32"
