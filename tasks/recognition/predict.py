"""What networks say to pictures, in a process of its own: `python -m tasks.recognition.predict IMAGES FOLDER...`.

`--networks FILE...` names files whose code may be run.

IMAGES is an npz file with `images`, uint8 (n, 28, 28); each FOLDER holds a training. A network is loaded only
if it is the file that its training wrote. Prints one line of JSON: {"probabilities": {FOLDER: n lists of ten},
"left_out": why other folders have none}. Logs go to stderr; the last line there says why there is no answer.
"""

import argparse
import contextlib
import json
import os
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.errors import UserError, explain
from tasks.store.roots import networks_folder
from tasks.store.sealed import DamagedError, read_record
from tasks.training.catalogue import read_network
from tasks.training.networks import Shape, scale
from tasks.training.own_network import OWN_FILES, OwnNetwork
from tasks.training.specification import own_parts

MODEL = "model.keras"


def probabilities(
    folder: Path, images: npt.NDArray[np.uint8], files: Sequence[Path] = ()
) -> list[list[float]]:
    """Return the probabilities (n, 10) that the network of a training gives images (n, 28, 28).

    Raises UserError if the training is not there or damaged, or needs code that is in none of the `files`.
    """
    advice = "Run the pipeline again: it trains what is missing or damaged."
    try:
        record = read_record(folder / "training.json")
    except DamagedError as error:
        raise UserError(f"The training in {folder} is damaged: {error}. {advice}") from None
    if record is None or MODEL not in record["files"]:
        raise UserError(f"There is no finished training in {folder}. {advice}")
    pixels = scale(images[..., np.newaxis], record["spec"]["pixel_scaling"])
    network = load_network(folder, record, pixels.shape[1:], files)
    values: list[list[float]] = np.asarray(network.predict(pixels, verbose=0), dtype=np.float64).tolist()
    return values


def load_network(folder: Path, record: dict[str, Any], shape: Shape, files: Sequence[Path]) -> Any:
    """Return the final network of a training. Raises UserError if it needs code that is in none of the `files`.

    A training may come from anywhere, so the code that is kept in its folder is not run. What builds layers of
    one's own is a file that was named, or lies in the networks' folder, and has the code of the training's key.
    """
    import keras

    import tasks.training.distortion  # noqa: F401 - a layer of ours, which Keras then knows by its name

    code = own_parts(record["spec"].get("code", {}))
    with zipfile.ZipFile(folder / MODEL) as archive:
        known = not code or made_of_keras(json.loads(archive.read("config.json")))
    if known:
        return keras.saving.load_model(folder / MODEL, compile=False, safe_mode=True)
    network = network_with(code, record["spec"]["model"], files)
    if network is None:
        kept = ", ".join(str(folder / OWN_FILES / part.partition(":")[0]) for part in code)
        raise UserError(
            f"{record['spec']['model']} has layers of its own, and no file in {networks_folder()} or named with "
            f"--networks has the code that it was trained with. Read {kept}, and name the first if you trust it."
        )
    [checkpoint] = (name for name in record["files"] if name.startswith("checkpoint-"))
    with np.load(folder / checkpoint, allow_pickle=False) as stored:
        weights = [stored[name] for name in sorted(stored.files) if name.startswith("weight_")]
    model = network(shape, len(weights[-1]))  # the last is the bias of the output layer
    model.set_weights(weights)
    return model


def made_of_keras(description: Any) -> bool:
    """Return whether Keras's description of a model, or of a part of one, names nothing but what is Keras's."""
    if isinstance(description, dict):
        module = description.get("module") or "keras"
        parts = list(description.values())
        return module.split(".")[0] == "keras" and all(map(made_of_keras, parts))
    return not isinstance(description, list) or all(map(made_of_keras, description))


def network_with(code: dict[str, str], function: str, files: Sequence[Path]) -> OwnNetwork | None:
    """Return the network of one of the files that has this code, None if none has."""
    for file in files:
        if f"{file.name}:{function}" in code:
            with contextlib.suppress(UserError):
                network = read_network(file, function)
                if network.digests() == code:
                    return network
    return None


def main() -> None:
    """Answer on stdout; exit code 1 after an error."""
    parser = argparse.ArgumentParser(description="Ask networks; started by the flow.")
    parser.add_argument("images")
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--networks", type=Path, nargs="*", default=[])
    arguments = parser.parse_args()
    files = [*arguments.networks, *sorted(networks_folder().rglob("*.py"))]
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print must not mix with the answer
    said: dict[str, list[list[float]]] = {}
    left_out: list[str] = []
    try:
        with np.load(arguments.images, allow_pickle=False) as stored:
            images = stored["images"]
        for folder in arguments.folders:
            try:
                said[folder] = probabilities(Path(folder), images, files)
            except UserError as error:
                left_out.append(str(error))
    except Exception as error:
        sys.exit(explain(error))
    with channel:
        channel.write(json.dumps({"probabilities": said, "left_out": left_out}) + "\n")


if __name__ == "__main__":
    main()
