"""What networks say to pictures, in a process of its own: `python -m tasks.recognition.predict IMAGES FOLDER...`.

IMAGES is an npz file with `images`, uint8 (n, 28, 28); each FOLDER holds a training. A network is loaded only
if it is the file that its training wrote. Prints one line of JSON: {"probabilities": {FOLDER: n lists of ten}},
"left_out": why other folders have none}, or {"error": TEXT}. Logs go to stderr.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.errors import UserError, explain
from tasks.sealed import DamagedError, read_record
from tasks.training.networks import scale

MODEL = "model.keras"


def probabilities(folder: Path, images: npt.NDArray[np.uint8]) -> list[list[float]]:
    """Return the probabilities (n, 10) that the network of a training gives images (n, 28, 28).

    Raises UserError if the training is not there or damaged.
    """
    advice = "Run the pipeline again: it trains what is missing or damaged."
    try:
        record = read_record(folder / "training.json")
    except DamagedError as error:
        raise UserError(f"The training in {folder} is damaged: {error}. {advice}") from None
    if record is None or MODEL not in record["files"]:
        raise UserError(f"There is no finished training in {folder}. {advice}")
    import keras

    network = keras.saving.load_model(folder / MODEL, compile=False, safe_mode=True)
    pixels = scale(images[..., np.newaxis], record["spec"]["pixel_scaling"])
    values: list[list[float]] = np.asarray(network.predict(pixels, verbose=0), dtype=np.float64).tolist()
    return values


def main() -> None:
    """Answer on stdout; exit code 1 after an error."""
    parser = argparse.ArgumentParser(description="Ask trained networks; started by the flow recognize-digit.")
    parser.add_argument("images", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    arguments = parser.parse_args()
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print must not mix with the answer
    answer: dict[str, Any]
    try:
        with np.load(arguments.images, allow_pickle=False) as stored:
            images = stored["images"]
        answer = {"probabilities": {}, "left_out": []}
        for folder in arguments.folders:
            try:
                answer["probabilities"][str(folder)] = probabilities(folder, images)
            except UserError as error:
                answer["left_out"].append(str(error))
    except Exception as error:
        answer = {"error": explain(error)}
    channel.write(json.dumps(answer) + "\n")
    channel.close()
    sys.exit("error" in answer)


if __name__ == "__main__":
    main()
