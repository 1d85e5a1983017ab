"""What recognize-digit asked and found: its records, and answers.json, in which they are kept."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from tasks.files import read_json, write_json

ANSWERS = "answers.json"  # in the folder of a call


@dataclass(frozen=True)
class Asked:
    """A network that is asked: the folders of its trainings, and how good they were on validation images."""

    name: str
    folders: list[str]  # absolute paths, one for each seed
    validation_accuracy: float  # the mean over the trainings
    validation_nll: float  # likewise

    @property
    def rank(self) -> tuple[float, float]:
        """Orders networks by accuracy, then by NLL: the highest is the best."""
        return self.validation_accuracy, -self.validation_nll


@dataclass(frozen=True)
class AskedRun:
    """The run whose networks are asked: one that a person named, or the best of several."""

    run: str  # its folder
    networks: list[Asked]  # in the order of its report, at least one
    chosen_from: int | None = None  # so many runs; None if a person named it

    @property
    def best(self) -> Asked:
        """The network that is best on validation images."""
        return max(self.networks, key=lambda network: network.rank)


@dataclass(frozen=True)
class Opinion:
    """What a network says to a picture."""

    digit: int  # the most probable one
    probability: float  # of this digit
    probabilities: list[float]  # of the digits 0 to 9


@dataclass(frozen=True)
class Answer:
    """What is known of a picture: each network's opinion, or why it was refused."""

    file: str
    digit: int | None
    models: dict[str, Opinion]  # by network, in the order of the run's report
    best: str | None = None  # the network whose digit is the answer
    error: str | None = None

    @property
    def disputed(self) -> bool:
        """Whether the networks disagree."""
        return len({opinion.digit for opinion in self.models.values()}) > 1


@dataclass(frozen=True)
class Answers:
    """All that one call found."""

    asked: AskedRun
    pictures: list[Answer]  # in the order of the call


def write_answers(path: Path, found: Answers) -> None:
    """Write answers.json: the run that was asked, and "answers", one object for each picture."""
    write_json(path, {**asdict(found.asked), "answers": [as_json(answer) for answer in found.pictures]})


def as_json(answer: Answer) -> dict[str, Any]:
    """Return an answer as a JSON object: `best` only where there is one, `error` only where it was refused."""
    return {name: value for name, value in asdict(answer).items() if name == "digit" or value is not None}


def read_answers(path: Path) -> Answers:
    """Return what `write_answers` wrote."""
    content = read_json(path)
    pictures = TypeAdapter(list[Answer]).validate_python(content.pop("answers"))
    return Answers(TypeAdapter(AskedRun).validate_python(content), pictures)
