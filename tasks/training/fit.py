"""One training in a process of its own: `python -m tasks.training.fit FOLDER DATA`. TensorFlow is loaded here.

FOLDER holds `spec.json` (what to train: see `tasks.training.specification`), DATA is the prepared npz.
The process talks in JSON lines on stdout, logs on stderr, and follows two signs on stdin: a line "go" starts
the fitting, the end of the file (the parent is gone) ends the process at once.

Each epoch ends with one atomic write of all that the next one needs, and draws all its random numbers from
(seed, epoch). So a training that was killed goes on at the following epoch and ends with the same bits.
The checkpoint stays after the end: whatever else in the folder is damaged is made again from it.
"""

import argparse
import contextlib
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks import files
from tasks.data.arrays import Arrays
from tasks.errors import UserError, explain
from tasks.results.training import History
from tasks.store.sealed import DamagedError, read_record, write_record
from tasks.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint, set_aside
from tasks.training.fitted import FittedTraining
from tasks.training.networks import MODELS, Builder, Shape
from tasks.training.own_network import OWN_FILES, kept_network
from tasks.training.specification import Specification

if TYPE_CHECKING:
    from tasks.training.loop import Network, Progress

EXIT_PARENT_GONE = 3
SECONDS_BETWEEN_STEPS = 0.5  # of an epoch that are reported
PIXELS_PER_PREDICTION = 1000 * 28 * 28  # a thousand images of 256 x 256 at once would take 17 GB in cnn


def finite(value: float) -> float | None:
    """Return the value, or None where strict JSON has no word for it."""
    return value if np.isfinite(value) else None


def usable_record(folder: Path, say: Callable[..., None]) -> bool:
    """Return whether the training in `folder` is complete; set a file aside that is not what it should be."""
    path = folder / "training.json"
    try:
        return read_record(path, spec=files.read_json(folder / "spec.json")) is not None
    except DamagedError as error:
        set_aside(error.path, error.reason, say)
        path.unlink(missing_ok=True)  # it must not vouch for a mixture of old and new files
        return False


def data_of(path: Path) -> Arrays:
    """Return the prepared arrays in a file, but for the labels of test, which no training needs."""
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files if name != "y_test"}


def shape_and_classes(data: Arrays) -> tuple[Shape, int]:
    """Return what a builder is given: the shape of an image, and the number of classes."""
    return data["x_train"].shape[1:], int(data["y_train"].max()) + 1  # each class has a training image


def images_per_prediction(shape: Shape) -> int:
    """Return how many images of a shape are predicted at once: 1,000, of larger ones than MNIST's fewer."""
    height, width, _ = shape
    return max(1, min(1000, PIXELS_PER_PREDICTION // (height * width)))


def builder(specification: Specification, folder: Path) -> Builder:
    """Return what builds the network: ours, or one's own from the files that are kept in the training's folder."""
    if not specification.own_code:
        return MODELS[specification.model].build
    network = kept_network(folder / OWN_FILES, specification.model, specification.own_code)
    if network is None:
        raise UserError(f"{folder / OWN_FILES} does not hold what is to be trained. Run again.")
    return network


def run(folder: Path, data_path: Path, say: Callable[..., None], may_start: threading.Event) -> None:
    """Do the training described in `folder`, or what is left of it. The caller holds the folder's lock."""
    from tasks.training import averaging, loop  # seconds; a training that is complete needs none of it

    specification = Specification.from_json(files.read_json(folder / "spec.json"))
    data = data_of(data_path)
    loop.configure_tensorflow(specification.threads)
    loop.IMAGES_PER_PREDICTION = images_per_prediction(data["x_train"].shape[1:])
    build = partial(builder(specification, folder), *shape_and_classes(data))
    network = averaging.specified_network(build, specification, len(data["y_train"]))
    progress = loop.Progress()
    checkpoint = load_checkpoint(folder, say) or Checkpoint()
    if checkpoint.arrays:
        progress = loop.restore(network, checkpoint.arrays)
        checkpoint.resumed_after.append(progress.epochs_done)
    so_far = {curve: list(map(finite, progress.history[curve])) for curve in ("train_nll", "val_nll")}
    say("ready", epochs_done=progress.epochs_done, epochs=specification.epochs, **so_far)
    may_start.wait()

    started = last_said = time.monotonic()

    def report(fraction: float) -> None:
        nonlocal last_said
        if time.monotonic() - last_said > SECONDS_BETWEEN_STEPS:
            last_said = time.monotonic()
            say("step", epoch=progress.epochs_done + 1, fraction=fraction)

    for epoch in loop.fit(network, progress, data, report):
        checkpoint.epoch_seconds.append(time.monotonic() - started)
        checkpoint.arrays = loop.state(network, progress)
        save_checkpoint(folder, checkpoint)
        say("epoch", epoch=epoch, seconds=checkpoint.epoch_seconds[-1], **{
            curve: finite(progress.history[curve][-1])
            for curve in ("loss", "accuracy", "train_nll", "val_nll", "val_accuracy")
        })  # fmt: skip
        started = time.monotonic()
    say("finishing")
    kept = [save_checkpoint(folder, checkpoint), *write_results(folder, network, progress, data)]
    fitted = fitted_training(network, progress, checkpoint)
    write_record(folder / "training.json", {"spec": specification.to_json(), **fitted.model_dump()}, kept)


def write_results(folder: Path, network: "Network", progress: "Progress", data: Arrays) -> tuple[Path, ...]:
    """Write the model, the weights of its best epoch and the predictions; return their paths."""
    from tasks.training.loop import predictions

    paths = tuple(folder / name for name in ("model.keras", "best.weights.h5", "predictions.npz"))
    model, best_weights, predicted = paths
    with files.atomic_write(model) as temporary:
        network.model.save(temporary)
    arrays = predictions(network, progress, data)  # leaves the best weights in the model
    with files.atomic_write(best_weights) as temporary:
        network.model.save_weights(temporary, overwrite=True)
    with files.atomic_write(predicted) as temporary:
        np.savez(temporary, **arrays)
    return paths


def fitted_training(network: "Network", progress: "Progress", checkpoint: Checkpoint) -> FittedTraining:
    """Return what the record of a finished training says."""
    lines: list[str] = []
    network.model.summary(print_fn=lambda line: lines.append(line), line_length=80)
    return FittedTraining(
        parameter_count=network.model.count_params(),
        summary="\n".join(lines),
        history=History(
            **{curve: [finite(value) for value in values] for curve, values in progress.history.items()}
        ),
        epoch_seconds=checkpoint.epoch_seconds,
        seconds=sum(checkpoint.epoch_seconds),
        resumed_after=checkpoint.resumed_after,
        diverged=progress.diverged,
    )


def follow_parent(may_start: threading.Event) -> None:
    """Wait for "go"; end this process when the parent is gone, whatever it is doing."""
    for line in sys.stdin:
        if line.strip() == "go":
            may_start.set()
    os._exit(EXIT_PARENT_GONE)


def main() -> None:
    """Hold the folder's lock and train; say on stdout, in JSON, what happens."""
    parser = argparse.ArgumentParser(description="Train one network; started by the flow.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--refresh", action="store_true")
    arguments = parser.parse_args()
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print must not mix with the messages

    def say(event: str, **values: Any) -> None:
        channel.write(json.dumps({"event": event, **values}) + "\n")

    may_start = threading.Event()
    threading.Thread(target=follow_parent, args=(may_start,), daemon=True).start()
    try:
        with contextlib.ExitStack() as stack:
            if not stack.enter_context(files.lock(arguments.folder, wait=False)):
                say("waiting")
                stack.enter_context(files.lock(arguments.folder))
            train_under_lock(arguments, say, may_start)
    except Exception as error:
        say("error", message=explain(error))
        with contextlib.suppress(OSError):  # the log lies on the disk that may just be full
            traceback.print_exc()
        sys.exit(1)


def train_under_lock(
    arguments: argparse.Namespace, say: Callable[..., None], may_start: threading.Event
) -> None:
    """Remove what a killed process left, then train unless the training is already there.

    Refreshing removes the checkpoint, without which the old record vouches for nothing, but the old results stay
    until new ones replace them: another run may have asked for them and be about to read them.
    """
    folder: Path = arguments.folder
    files.remove_temporary_files(folder)
    if arguments.refresh:
        for old in folder.glob("checkpoint-*.npz"):
            old.unlink(missing_ok=True)
    elif usable_record(folder, say):
        say("complete")
        return
    run(folder, arguments.data, say, may_start)
    say("done")


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # all is on disk and said; clearing TensorFlow away would take another second
