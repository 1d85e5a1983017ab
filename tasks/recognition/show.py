"""What recognize-digit found, for people and programs: sentences, tables, JSON, pictures, the artifact."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact

from tasks.markdown import code, escape, paragraphs, table
from tasks.pictures import data_uri, draw_pictures, plain, save
from tasks.report.cells import probability
from tasks.report.publish import UPLOAD_ERRORS
from tasks.wording import and_list

Answer = dict[str, Any]  # see tasks.recognition.answers

SEEN = "seen.png"
MOST_DRAWN = 60  # each takes 2 MB of memory to draw
PLACES = ("first", "second", "third")


def sentence(answer: Answer) -> str:
    """Return in words what a picture shows and whether the networks agree, or why it was refused."""
    if "error" in answer:
        return f"not answered, because {answer['error']}"
    models = answer["models"]
    said: dict[int, list[str]] = {}
    for name, model in models.items():
        said.setdefault(model["digit"], []).append(name)
    if len(said) > 1:
        opinions = "; ".join(
            f"{and_list(names)} {'says' if len(names) == 1 else 'say'} {digit}"
            for digit, names in said.items()
        )
        return (
            f"{answer['digit']}, but the networks disagree: {opinions}. "
            f"{answer['best']} was best on validation images."
        )
    if len(models) == 1:
        return f"{answer['digit']}, says {answer['best']}, the only network of the run."
    return f"{answer['digit']}. {'Both' if len(models) == 2 else f'All {len(models)}'} networks agree."


def top_three(model: dict[str, Any]) -> list[str]:
    """Return the three most probable digits of a network with their probabilities: "7 at 99.21 %"."""
    order = np.argsort(model["probabilities"], kind="stable")[::-1][:3]
    return [f"{digit} at {probability(model['probabilities'][digit])}" for digit in order]


def terminal_table(answer: Answer) -> list[str]:
    """Return the lines of a table with the top three of each network; none for a refused picture."""
    rows = [(name, *top_three(model)) for name, model in answer["models"].items()]
    widths = [max(map(len, column)) for column in zip(("network", *PLACES), *rows, strict=True)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (("network", *PLACES), *rows)
        if rows
    ]


def for_programs(answers: list[Answer]) -> list[dict[str, Any]]:
    """Return what --json prints: one object for each picture, without what only this program needs."""
    return [
        {
            "file": answer["file"],
            "models": {
                name: {"digit": model["digit"], "probability": model["probability"]}
                for name, model in answer["models"].items()
            },
            "digit": answer["digit"],
            **({"error": answer["error"]} if "error" in answer else {}),
        }
        for answer in answers
    ]


def write_pictures(answers: list[Answer], images: npt.NDArray[np.uint8], folder: Path) -> Path:
    """Draw what the networks saw, (n, 28, 28), each with its file and answer; return the PNG's path.

    Pictures on which the networks disagree are framed. If there are more than MOST_DRAWN, those come first.
    """
    answered = [answer for answer in answers if "error" not in answer]
    disagree = [len({model["digit"] for model in answer["models"].values()}) > 1 for answer in answered]
    chosen = sorted(sorted(range(len(answered)), key=lambda place: not disagree[place])[:MOST_DRAWN])
    captions = []
    for answer in (answered[place] for place in chosen):
        best = answer["models"][answer["best"]]
        captions.append(
            f"{plain(Path(answer['file']).name, 20, 1)}\n{best['digit']} at {probability(best['probability'])}"
        )
    framed = [disagree[place] for place in chosen]
    return save(draw_pictures(images[chosen], captions, framed, "no picture was answered"), folder / SEEN)


def answers_markdown(answers: list[Answer], seen: Path, run_folder: str) -> str:
    """Return the answers as Markdown: a sentence for each picture, the top three, what the networks saw."""
    rows = [
        [code(Path(answer["file"]).name), escape(name), *top_three(model)]
        for answer in answers
        for name, model in answer["models"].items()
    ]
    return paragraphs(
        "# Recognised digits",
        *(f"{code(answer['file'])}: {escape(sentence(answer))}" for answer in answers),
        table(["file", "network", *PLACES], rows, left=2) if rows else "",
        f"![What the networks saw]({data_uri(seen)})" if rows else "",
        f"The networks are those of {code(run_folder)}.",
    )


def publish(answers: list[Answer], seen: Path, run_folder: str) -> None:
    """Create the artifact `recognized-digits` of the flow run; a failing upload is a warning, no more."""
    try:
        create_markdown_artifact(
            key="recognized-digits",
            markdown=answers_markdown(answers, seen, run_folder),
            description="The digits in the pictures, and what each network said",
        )
    except UPLOAD_ERRORS as error:
        get_run_logger().warning("The answers are written, but Prefect did not take them: %s", error)
