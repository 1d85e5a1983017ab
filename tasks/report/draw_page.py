"""draw.html: a page on which a person draws a digit and the networks of a run answer, without any server.

The page (`draw_page.html`) holds the weights and computes the networks itself. TensorFlow is not needed to write
it: a network's layers are read from the description in model.keras, its weights from the checkpoint.
"""

import base64
import json
import zipfile
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np
import numpy.typing as npt

from tasks.files import write_text
from tasks.results.run import Results
from tasks.store.layout import Artifacts
from tasks.store.sealed import DamagedError, read_record

PAGE = "draw.html"
TEMPLATE = Path(__file__).with_name("draw_page.html")
NOTHING_TO_PREDICT = {  # layers that leave their input as it is when a network predicts
    *("InputLayer", "Flatten", "Dropout"),
    *("RandomRotation", "RandomTranslation", "RandomZoom", "RandomDistortion"),
}
MODULES = ("keras.layers", "tasks.training.distortion")
Weights = npt.NDArray[np.float32]
PageLayer = dict[str, str | int | bool | Weights]  # what the page computes, and its arrays


class Layer(TypedDict):
    """Keras's description of a layer."""

    class_name: str
    config: Mapping[str, Any]
    module: NotRequired[str]


def page_layers(layers: list[Layer], weights: list[Weights]) -> list[PageLayer]:
    """Return the layers that the page computes, with their weights.

    `layers` is Keras's description of a Sequential network, `weights` its `get_weights()`. Raises ValueError for a
    layer that the page cannot compute.
    """
    left = iter(weights)
    made: list[PageLayer] = []
    for layer in layers:
        kind, settings = layer["class_name"], layer["config"]
        if (module := layer.get("module", "keras.layers")) not in MODULES:
            raise ValueError(f"draw.html cannot compute a layer {module}.{kind}")
        if kind in ("Conv2D", "Dense"):
            kernel = next(left)
            bias = next(left) if settings["use_bias"] else np.zeros(kernel.shape[-1], np.float32)
            made.append({"kind": kind, "kernel": kernel, "bias": bias})
            if kind == "Conv2D":
                made[-1] |= {"size": kernel.shape[0], "same": settings["padding"] == "same"}
                size = [kernel.shape[0]] * 2
                check(layer, kernel_size=size, strides=[1, 1], dilation_rate=[1, 1], groups=1)
            if settings["activation"] == "relu":
                made.append({"kind": "ReLU"})
            elif layer is not layers[-1]:
                check(layer, activation="linear")
        elif kind == "BatchNormalization":
            check(layer, center=True, scale=True)
            gamma, beta, moving_mean, moving_variance = (next(left) for _ in range(4))
            factor = gamma / np.sqrt(moving_variance + settings["epsilon"])
            made.append({"kind": kind, "factor": factor, "bias": beta - moving_mean * factor})
        elif kind == "MaxPooling2D":
            size = settings["pool_size"][0]
            check(layer, pool_size=[size, size], strides=[size, size], padding="valid")
            made.append({"kind": kind, "size": size})
        elif kind == "Cropping2D":
            edge = settings["cropping"][0][0]
            check(layer, cropping=[[edge, edge], [edge, edge]])
            made.append({"kind": kind, "edge": edge})
        elif kind == "ReLU":
            check(layer, max_value=None, negative_slope=0.0, threshold=0.0)
            made.append({"kind": kind})
        elif kind not in NOTHING_TO_PREDICT:
            raise ValueError(f"draw.html cannot compute a layer {kind}")
    return made


def check(layer: Layer, **expected: object) -> None:
    """Raise ValueError if a layer has a setting that the page does not know."""
    for name, value in expected.items():
        given = layer["config"].get(name, value)
        if given != value:
            raise ValueError(f"draw.html cannot compute a layer {layer['class_name']} with {name}={given!r}")


def base64_of(values: Weights) -> str:
    """Return the values as little-endian float32 in base64."""
    return base64.b64encode(values.astype("<f4").tobytes()).decode("ascii")


def read_network(folder: Path) -> list[dict[str, str | int | bool]]:
    """Return the layers of a training's final network, ready for JSON.

    Raises DamagedError or OSError if it is not kept as it was, ValueError if the page cannot compute it.
    """
    record = read_record(folder / "training.json")
    if record is None:
        raise FileNotFoundError(f"{folder} holds no finished training")
    with zipfile.ZipFile(folder / "model.keras") as archive:
        description = json.loads(archive.read("config.json"))
    if description["class_name"] != "Sequential":
        raise ValueError(f"draw.html cannot compute a network of class {description['class_name']}")
    [checkpoint] = (name for name in record["files"] if name.startswith("checkpoint-"))
    with np.load(folder / checkpoint, allow_pickle=False) as stored:
        weights = [stored[name] for name in sorted(stored.files) if name.startswith("weight_")]
    return [
        {name: base64_of(value) if isinstance(value, np.ndarray) else value for name, value in layer.items()}
        for layer in page_layers(description["config"]["layers"], weights)
    ]


def write_draw_page(run_folder: Path, results: Results) -> None:
    """Write draw.html with the first sound training of each network; there is no page if none of them is kept.

    A training that is damaged, which the next run mends, is left out. So is a network with a layer that the page
    cannot compute: at its end it says which. A page on which one draws digits is for networks that know digits.
    """
    artifacts, networks, left_out = Artifacts.of(run_folder).root, [], []
    scale = 1 / 255 if results.dataset.pixel_scaling == "unit" else 1
    for name, model in results.models.items():
        for training in model.sound[:1]:
            try:
                layers = read_network(artifacts / training.folder)
            except (OSError, DamagedError):
                continue
            except ValueError as error:
                left_out.append(f"<p>{escape(f'{name} is left out: {error}.')}</p>\n")
                continue
            title = f"{name}, seed {training.seed}"
            networks.append({"name": name, "title": title, "scale": scale, "layers": layers})
    if not (networks and results.dataset.is_digits):
        (run_folder / PAGE).unlink(missing_ok=True)
        return
    page = TEMPLATE.read_text(encoding="utf-8")
    page = page.replace("/*RUN*/", escape(results.provenance.run))
    page = page.replace("/*NETWORKS*/", json.dumps(networks).replace("<", "\\u003c"))
    page = page.replace("</main>", f"</main>\n{''.join(left_out)}", 1)
    write_text(run_folder / PAGE, page)
