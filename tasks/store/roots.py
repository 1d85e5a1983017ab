"""Where runs of a deployment may read and write: parameters must not lead into the rest of the machine."""

import os
from pathlib import Path

from tasks.errors import UserError
from tasks.files import path_of
from tasks.store.layout import PROJECT


def roots() -> list[Path]:
    """Return the folders that MNIST_PIPELINE_ROOTS names on this machine, by default the repository."""
    named = os.environ.get("MNIST_PIPELINE_ROOTS", "").split(os.pathsep)
    return [path_of(each) for each in named if each] or [PROJECT]


def networks_folder() -> Path:
    """Return the folder that MNIST_PIPELINE_NETWORKS names on this machine, by default the repository's."""
    return path_of(os.environ.get("MNIST_PIPELINE_NETWORKS") or PROJECT / "networks")


def check_roots(deployed: bool, **paths: str | list[str] | None) -> None:
    """Raise UserError if a deployed run's parameter names a path that does not lie below one of the roots.

    Links are followed first. A script is run by somebody who reads and writes where they like anyhow.
    """
    if deployed:
        check_below(roots(), "MNIST_PIPELINE_ROOTS", **paths)


def check_links(deployed: bool, dataset: Path) -> None:
    """Raise UserError if a link in a deployed run's data set (train/<class>/<file>) leads out of the roots."""
    if deployed:
        found = (path for pattern in ("*", "*/*", "*/*/*") for path in dataset.glob(pattern))
        links = [str(path) for path in found if path.is_symlink()]
        check_below(roots(), "MNIST_PIPELINE_ROOTS", dataset=links)


def check_networks_folder(deployed: bool, **paths: str | list[str] | None) -> None:
    """Raise UserError if a deployed run's parameter names a file to be run that is not in the networks' folder.

    Whoever may start runs must not be able to run any file of the machine.
    """
    if deployed:
        check_below([networks_folder()], "MNIST_PIPELINE_NETWORKS", **paths)


def check_below(folders: list[Path], variable: str, **paths: str | list[str] | None) -> None:
    """Raise UserError if a parameter names a path that lies below none of the folders, which `variable` names."""
    for parameter, value in paths.items():
        for path in [value] if isinstance(value, str) else value or []:
            place = path_of(path)
            if not any(place.is_relative_to(folder) for folder in folders):
                raise UserError(
                    f"{parameter} names {path}, but deployed runs may use only what lies below "
                    f"{' or '.join(map(str, folders))}. Put it there, or let {variable} name its folder "
                    "where the worker is started."
                )
