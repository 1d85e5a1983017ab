"""What recognize-digit found, for people and programs: sentences, tables, JSON, pictures, the artifact."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from prefect.artifacts import create_markdown_artifact

from tasks.markdown import code, escape, paragraphs, table
from tasks.pictures import data_uri, draw_pictures, plain, save
from tasks.recognition.answers import Answer, Answers, AskedRun, Opinion
from tasks.uploads import uploading
from tasks.wording import and_list, counted, percent, probability

SEEN = "seen.png"
MOST_DRAWN = 60  # each takes 2 MB of memory to draw
PLACES = ("first", "second", "third")


def introduction(asked: AskedRun) -> str:
    """Return in words whose networks are asked, how that run was found, and how good its best network is."""
    best = "" if asked.chosen_from is None else f", the best of {counted(asked.chosen_from, 'run')}"
    good = f"{asked.best.name} recognises {percent(asked.best.validation_accuracy)} of its validation images"
    return f"The networks of {asked.run} are asked{best}: {good}."


def sentence(answer: Answer) -> str:
    """Return in words what a picture shows and whether the networks agree, or why it was refused."""
    if answer.error is not None:
        return f"not answered, because {answer.error}"
    if len(answer.models) == 1:
        return f"{answer.digit}, says {answer.best}, the only network of the run."
    if not answer.disputed:
        all_of_them = "Both" if len(answer.models) == 2 else f"All {len(answer.models)}"
        return f"{answer.digit}. {all_of_them} networks agree."
    said: dict[int, list[str]] = {}
    for name, opinion in answer.models.items():
        said.setdefault(opinion.digit, []).append(name)
    opinions = "; ".join(
        f"{and_list(names)} {'says' if len(names) == 1 else 'say'} {digit}" for digit, names in said.items()
    )
    return (
        f"{answer.digit}, but the networks disagree: {opinions}. {answer.best} was best on validation images."
    )


def top_three(opinion: Opinion) -> list[str]:
    """Return the three most probable digits of a network with their probabilities: "7 at 99.21 %"."""
    order = np.argsort(opinion.probabilities, kind="stable")[::-1][:3]
    return [f"{digit} at {probability(opinion.probabilities[digit])}" for digit in order]


def terminal_table(answer: Answer) -> list[str]:
    """Return the lines of a table with the top three of each network; none for a refused picture."""
    if not answer.models:
        return []
    rows = [("network", *PLACES), *((name, *top_three(model)) for name, model in answer.models.items())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def for_programs(answers: list[Answer]) -> list[dict[str, Any]]:
    """Return what --json prints: one object for each picture, without what only this program needs."""
    return [
        {
            "file": answer.file,
            "models": {
                name: {"digit": opinion.digit, "probability": opinion.probability}
                for name, opinion in answer.models.items()
            },
            "digit": answer.digit,
            **({} if answer.error is None else {"error": answer.error}),
        }
        for answer in answers
    ]


def write_pictures(answers: list[Answer], images: npt.NDArray[np.uint8], folder: Path) -> Path:
    """Draw what the networks saw, (n, 28, 28), each with its file and answer; return the PNG's path.

    Pictures on which the networks disagree are framed. If there are more than MOST_DRAWN, those come first.
    """
    answered = [answer for answer in answers if answer.best is not None]
    by_interest = sorted(range(len(answered)), key=lambda place: not answered[place].disputed)
    chosen = sorted(by_interest[:MOST_DRAWN])
    captions = [caption(answered[place]) for place in chosen]
    framed = [answered[place].disputed for place in chosen]
    return save(draw_pictures(images[chosen], captions, framed, "no picture was answered"), folder / SEEN)


def caption(answer: Answer) -> str:
    """Return the file's name and the answer with its probability, in two lines."""
    assert answer.best is not None
    best = answer.models[answer.best]
    return f"{plain(Path(answer.file).name, 20, 1)}\n{best.digit} at {probability(best.probability)}"


def answers_markdown(found: Answers, seen: Path) -> str:
    """Return the answers as Markdown: a sentence for each picture, the top three, what the networks saw."""
    rows = [
        [code(Path(answer.file).name), escape(name), *top_three(opinion)]
        for answer in found.pictures
        for name, opinion in answer.models.items()
    ]
    return paragraphs(
        "# Recognised digits",
        escape(introduction(found.asked)),
        *(f"{code(answer.file)}: {escape(sentence(answer))}" for answer in found.pictures),
        table(["file", "network", *PLACES], rows, left=2) if rows else "",
        f"![What the networks saw]({data_uri(seen)})" if rows else "",
    )


def publish(found: Answers, seen: Path) -> None:
    """Create the artifact `recognized-digits` of the flow run; `seen` is the picture of what the networks saw."""
    with uploading("The answers are written"):
        create_markdown_artifact(
            key="recognized-digits",
            markdown=answers_markdown(found, seen),
            description="The digits in the pictures, and what each network said",
        )
