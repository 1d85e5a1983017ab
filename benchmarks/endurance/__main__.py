"""Is anything lost? What syncing costs, then kills, damages and nights, each with its usual numbers: some hours.

    python -m benchmarks.endurance

Each can be run alone, smaller or with another seed: see writes.py, kills.py, damages.py, nights.py. Ends with 1 if
anything was wrong.
"""

from benchmarks import common
from benchmarks.endurance import damages, kills, nights, writes


def main() -> int:
    """Do all four, whatever each finds; return the exit code."""
    writes.main()
    return max(kills.main(), damages.main(), nights.main())


if __name__ == "__main__":
    common.run(main)
