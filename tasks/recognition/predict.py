"""What networks say to pictures, in a process of its own: `python -m tasks.recognition.predict IMAGES FOLDER...`.

IMAGES is an npz file with `images`, uint8 (n, 28, 28); each FOLDER holds a training. A network is loaded only
if it is the file that its training wrote. Prints one line of JSON: {"probabilities": {FOLDER: n lists of ten},
"left_out": why other folders have none}. Logs go to stderr; the last line there says why there is no answer.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tasks.errors import UserError, explain
from tasks.store.sealed import DamagedError, read_record
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
    images_path, *folders = sys.argv[1:]
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print must not mix with the answer
    said: dict[str, list[list[float]]] = {}
    left_out: list[str] = []
    try:
        with np.load(images_path, allow_pickle=False) as stored:
            images = stored["images"]
        for folder in folders:
            try:
                said[folder] = probabilities(Path(folder), images)
            except UserError as error:
                left_out.append(str(error))
    except Exception as error:
        sys.exit(explain(error))
    with channel:
        channel.write(json.dumps({"probabilities": said, "left_out": left_out}) + "\n")


if __name__ == "__main__":
    main()
