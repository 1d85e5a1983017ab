"""Can these networks be trained? `python -m tasks.training.try_networks DATA`: a process, for it runs their code.

On stdin comes one line of JSON, a list of {"spec": specification, "own": {file: text} or null}; on stdout goes one
for each network, {"event": "tried", "problem": words or null}. It ends when its parent does.
"""

import inspect
import json
import os
import sys
import tempfile
import threading
import traceback
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tasks.data.arrays import Arrays
from tasks.printable import in_one_line
from tasks.training.fit import data_of, follow_parent, shape_and_classes
from tasks.training.networks import MODELS, Builder, Shape, scale
from tasks.training.own_network import OwnNetwork
from tasks.training.specification import Specification

IMAGES = 8  # of the step that is tried
WANTED = (
    "Expected a keras.Sequential that begins with keras.Input(input_shape) and ends with "
    'layers.Dense(classes, activation="softmax")'
)


class UnfitError(Exception):
    """The network cannot be trained; the message says why."""


def problem(specification: Specification, own: dict[str, str] | None, data: Arrays) -> str | None:
    """Return in one line why a network cannot be trained on the data, None if it can."""
    shape, classes = shape_and_classes(data)
    if own is None:
        try:
            MODELS[specification.model].build(shape, classes)
        except ValueError:  # a pooling has nothing left to pool
            size = f"{shape[0]} x {shape[1]}"
            return (
                f"{specification.model} cannot be built for images of {size} pixels; they are too small for its "
                "layers. --image-size 28 stretches them."
            )
        return None
    network = OwnNetwork(specification.model, own)
    try:
        function = network.load()
        if not takes_two(function):
            raise UnfitError(f"takes {inspect.signature(function)}; expected (input_shape, classes)")
        look_at(function(shape, classes), shape, classes)
        take_a_step_twice(network, specification, data)
    except UnfitError as error:
        return f"{network.function} in {network.file} {error}."
    except BaseException as error:  # SystemExit is one
        return f"{network.function} in {network.file} raised {in_its_file(error, network)}"
    return None


def takes_two(function: Any) -> bool:
    """Return whether a function can be called with the shape of an image and the number of classes."""
    try:
        inspect.signature(function).bind((28, 28, 1), 10)
    except TypeError:
        return False
    return True


def look_at(model: Any, shape: Shape, classes: int) -> None:
    """Raise UnfitError if the training loop, which runs a chain of layers, could not train the model."""
    import keras

    if not isinstance(model, keras.Sequential):
        raise UnfitError(
            f"returns {type(model).__name__}. {WANTED}, because its layers are run one after another"
        )
    if not model.built or model.input_shape != (None, *shape):
        raise UnfitError(f"does not take images of shape {shape}. {WANTED}")
    output = model.layers[-1]
    is_softmax = type(output) is keras.layers.Dense and output.activation is keras.activations.softmax
    if not is_softmax or not output.use_bias:
        raise UnfitError(f"ends with {described(output)}. {WANTED}")
    if model.output_shape != (None, classes):
        raise UnfitError(f"gives an output of shape {model.output_shape[1:]} for {classes} classes. {WANTED}")


def described(layer: Any) -> str:
    """Return a layer's class and activation."""
    activation = getattr(getattr(layer, "activation", None), "__name__", None)
    return type(layer).__name__ + (f" ({activation})" if activation else "")


def take_a_step_twice(network: Builder, specification: Specification, data: Arrays) -> None:
    """Raise UnfitError if a step of the training is not the same from the same state: it could not be resumed.

    Raises also what the training would raise, and what writing the model would.
    """
    from tasks.training import loop
    from tasks.training.averaging import specified_network

    shape, classes = shape_and_classes(data)
    trained = specified_network(partial(network, shape, classes), specification, IMAGES)
    images = scale(data["x_train"][:IMAGES], specification.pixel_scaling)
    labels = data["y_train"][:IMAGES].astype(np.int32)
    before = loop.state(trained, loop.Progress())
    after = []
    for _ in range(2):
        loop.restore(trained, before)
        trained.seed_layers(epoch=1)
        trained.train(images, labels, np.arange(len(labels), dtype=np.int32)[np.newaxis])
        after.append(loop.state(trained, loop.Progress()))
    if any(after[0][name].tobytes() != after[1][name].tobytes() for name in after[0]):
        raise UnfitError(
            "does not repeat a step to the bit. Expected random numbers, such as Dropout's, to be drawn in layers "
            "of the Sequential itself, by Keras's or from an attribute `seed_generator`"
        )
    trained.predict(data["x_train"][:IMAGES])
    with tempfile.TemporaryDirectory() as folder:
        trained.model.save(Path(folder) / "model.keras")


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message."""
    return in_one_line((str(error).strip().splitlines() or [""])[0])[:300]


def in_its_file(error: BaseException, network: OwnNetwork) -> str:
    """Return an error in one line, with the last line of the network's own files that led to it."""
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).name in network.texts
    ]
    line = f" in line {own[-1].lineno} of {Path(own[-1].filename).name}" if own else ""
    return f"{type(error).__name__}{line}: {first_line(error)}"


def main() -> None:
    """Try one network after the other; say of each whether it can be trained."""
    requests = json.loads(sys.stdin.readline())
    threading.Thread(target=follow_parent, args=(threading.Event(),), daemon=True).start()
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print must not mix with the messages
    from tasks.training import loop

    data = data_of(Path(sys.argv[1]))
    specifications = [Specification.from_json(request["spec"]) for request in requests]
    loop.configure_tensorflow(specifications[0].threads)
    for specification, request in zip(specifications, requests, strict=True):
        found = problem(specification, request["own"], data)
        channel.write(json.dumps({"event": "tried", "problem": found}) + "\n")


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # as in `fit`
