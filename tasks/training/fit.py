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
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks import files
from tasks.errors import explain
from tasks.sealed import DamagedError, read_record, write_record
from tasks.training.checkpoint import CURVES, Progress, load_checkpoint, save_checkpoint, set_aside
from tasks.training.loop import Network, nll_and_accuracy, train_epoch
from tasks.training.networks import scale

Array = npt.NDArray[Any]
EXIT_ERROR = 1
EXIT_PARENT_GONE = 3


def fit(
    network: Network,
    progress: Progress,
    spec: dict[str, Any],
    data: dict[str, Array],
    save: Callable[[], object],
    say: Callable[..., None],
) -> None:
    """Train the epochs that are missing, saving after each; stop early if the loss is no longer finite."""
    import tensorflow as tf

    images = tf.constant(scale(data["x_train"], spec["pixel_scaling"]))
    labels = tf.constant(data["y_train"].astype(np.int32))
    sample_images, sample_labels = (data[name][data["train_sample"]] for name in ("x_train", "y_train"))
    history, epochs = progress.history, spec["epochs"]
    while progress.epochs_done < epochs and not progress.diverged:
        started = last_said = time.monotonic()
        epoch = progress.epochs_done + 1

        def report(fraction: float, epoch: int = epoch) -> None:
            nonlocal last_said
            if time.monotonic() - last_said > 0.5:
                last_said = time.monotonic()
                say("step", epoch=epoch, fraction=fraction)

        loss, accuracy = train_epoch(network, images, labels, spec, epoch, report)
        train_nll, train_accuracy = nll_and_accuracy(network.predict(sample_images), sample_labels)
        val_nll, val_accuracy = nll_and_accuracy(network.predict(data["x_validation"]), data["y_validation"])
        if val_nll < min((nll for nll in history["val_nll"] if np.isfinite(nll)), default=np.inf):
            progress.best_weights = network.model.get_weights()
        values = (
            loss,
            accuracy,
            val_nll + network.penalty(),
            val_accuracy,
            train_nll,
            val_nll,
            train_accuracy,
        )
        for curve, value in zip(CURVES, values, strict=True):
            history[curve].append(value)
        progress.epoch_seconds.append(time.monotonic() - started)
        save()
        say("epoch", epoch=epoch, seconds=progress.epoch_seconds[-1], **{
            curve: finite(history[curve][-1]) for curve in ("loss", "accuracy", "val_nll", "val_accuracy")
        })  # fmt: skip


def predictions(network: Network, progress: Progress, data: dict[str, Array]) -> dict[str, Array]:
    """Predict every split with the final weights and validation with the best ones, which stay in the network.

    Of the training images only the sums are kept: they are many, and no single one is looked at.
    """
    nll, accuracy = nll_and_accuracy(network.predict(data["x_train"]), data["y_train"])
    count = len(data["y_train"])
    result: dict[str, Any] = {
        "final_train_nll": np.float64(nll * count),
        "final_train_correct": np.int64(round(accuracy * count)),
        "final_validation": network.predict(data["x_validation"]),
        "final_test": network.predict(data["x_test"]),
    }
    if progress.best_weights:
        network.model.set_weights(progress.best_weights)
    result["best_validation"] = network.predict(data["x_validation"])
    return result


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


def write_results(
    folder: Path, spec: dict[str, Any], network: Network, progress: Progress, data: dict[str, Array]
) -> None:
    """Write the models, predictions and summary, and last the record that vouches for them."""
    made = [save_checkpoint(folder, network, progress)]
    lines: list[str] = []
    network.model.summary(print_fn=lambda line: lines.append(line), line_length=80)
    names = ("summary.txt", "model.keras", "best.weights.h5", "predictions.npz")
    summary, model, best_weights, predicted = (folder / name for name in names)
    files.write_text(summary, "\n".join(lines) + "\n")
    with files.atomic_write(model) as temporary:
        network.model.save(temporary)
    arrays = predictions(network, progress, data)  # leaves the best weights in the model
    with files.atomic_write(best_weights) as temporary:
        network.model.save_weights(temporary, overwrite=True)
    with files.atomic_write(predicted) as temporary:
        np.savez(temporary, **arrays)  # type: ignore[arg-type]
    record = {
        "spec": spec,
        "epochs": spec["epochs"],
        "parameter_count": network.model.count_params(),
        "summary": "\n".join(lines),
        "history": {curve: [finite(value) for value in values] for curve, values in progress.history.items()},
        "epoch_seconds": progress.epoch_seconds,
        "seconds": sum(progress.epoch_seconds),
        "resumed_after": progress.resumed_after,
        "diverged": progress.diverged,
    }
    write_record(folder / "training.json", record, [*made, summary, model, best_weights, predicted])


def run(folder: Path, data_path: Path, say: Callable[..., None], may_start: threading.Event) -> None:
    """Do the training described in `folder`, or what is left of it. The caller holds the folder's lock."""
    spec = files.read_json(folder / "spec.json")
    with np.load(data_path, allow_pickle=False) as stored:
        data = {name: stored[name] for name in stored.files if name != "y_test"}
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(spec["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    network = Network(spec, len(data["y_train"]))
    progress = load_checkpoint(folder, network, say)
    if progress.epochs_done:
        progress.resumed_after.append(progress.epochs_done)
    say("ready", epochs_done=progress.epochs_done, epochs=spec["epochs"])
    may_start.wait()
    fit(network, progress, spec, data, lambda: save_checkpoint(folder, network, progress), say)
    say("finishing")
    write_results(folder, spec, network, progress, data)


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
    folder: Path = arguments.folder
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print must not mix with the messages

    def say(event: str, **values: Any) -> None:
        channel.write(json.dumps({"event": event, **values}) + "\n")

    may_start = threading.Event()
    threading.Thread(target=follow_parent, args=(may_start,), daemon=True).start()
    try:
        with files.lock(folder, wait=False) as held:
            if held:
                return train_under_lock(arguments, say, may_start)
        say("waiting")
        with files.lock(folder):
            train_under_lock(arguments, say, may_start)
    except Exception as error:
        say("error", message=explain(error))
        with contextlib.suppress(OSError):  # the log lies on the disk that may just be full
            traceback.print_exc()
        sys.exit(EXIT_ERROR)


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
