"""Where runs of a deployment may read and write: whoever may start one must not reach the rest of the machine."""

import os
from pathlib import Path

from tasks.errors import UserError
from tasks.store.layout import PROJECT


def roots() -> list[Path]:
    """Return the folders that MNIST_PIPELINE_ROOTS names on this machine, by default the repository."""
    named = os.environ.get("MNIST_PIPELINE_ROOTS", "").split(os.pathsep)
    return [Path(each).expanduser().resolve() for each in named if each] or [PROJECT]


def check_roots(deployed: bool, **paths: str | list[str] | None) -> None:
    """Raise UserError if a deployed run's parameter names a path that does not lie below one of the roots.

    Links are followed first. A script is run by somebody who reads and writes where they like anyhow.
    """
    if not deployed:
        return
    allowed = roots()
    for parameter, value in paths.items():
        for path in [value] if isinstance(value, str) else value or []:
            place = Path(
                os.path.realpath(Path(path).expanduser())
            )  # Path.resolve stumbles over links in a circle
            if not any(place.is_relative_to(root) for root in allowed):
                raise UserError(
                    f"{parameter} names {path}, but deployed runs may use only what lies below "
                    f"{' or '.join(map(str, allowed))}. Put it there, or let MNIST_PIPELINE_ROOTS name its folder "
                    "where the worker is started."
                )
