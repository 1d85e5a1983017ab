"""The names of the pictures in a run folder."""

import re
from collections.abc import Iterable
from typing import NamedTuple

COMPARISON, PREVIEW = "comparison.png", "figures/preview.png"
COMPARED = "compared.png"  # in the folder of several runs side by side


class Pictures(NamedTuple):
    """The pictures of one network, relative to the run folder; safe in file names and in Markdown."""

    curves: str
    confusion: str
    mistakes: str


def pictures_of(networks: Iterable[str]) -> dict[str, Pictures]:
    """Return the pictures of each network.

    Names are reduced to letters that are safe in file names and links, and kept apart by a number.
    """
    pictures: dict[str, Pictures] = {}
    used = {"preview"}
    for name in networks:
        stem = base = re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:60].strip("-") or "model"
        number = 1
        while stem.lower() in used:
            number += 1
            stem = f"{base}-{number}"
        used.add(stem.lower())
        pictures[name] = Pictures(*(f"figures/{stem}{part}.png" for part in ("", "-confusion", "-mistakes")))
    return pictures
