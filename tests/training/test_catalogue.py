"""What --models may name, and what is said of what it names wrongly."""

from pathlib import Path

import pytest
from own_files import write_files
from pydantic import TypeAdapter, ValidationError

from tasks.errors import UserError
from tasks.training.catalogue import ModelName, NetworkName, chosen, files_of, name_of
from tasks.training.networks import MODELS

GOOD = "def wide(input_shape, classes): ...\n"


@pytest.mark.parametrize("word", [*MODELS, "all", "mine.py:wide", "a b/c:d.py:Wide_2"])
def test_names(word: str) -> None:
    """Ours, all, and a function in a file."""
    assert TypeAdapter(ModelName).validate_python(word) == word


@pytest.mark.parametrize(
    "word", ["", "dens", "mine.py", "mine:wide", "mine.py:", "mine.py:2", "a.py:w-1", ".py:w"]
)
def test_other_words(word: str) -> None:
    """Anything else is one line that says what may stand there."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(ModelName).validate_python(word)
    (error,) = caught.value.errors()
    assert error["msg"].endswith("challenger, all, or FILE.py:FUNCTION for a network of your own")


def test_names_in_results() -> None:
    """A network of one's own is called as its function; a gate may be for any name but all."""
    assert [name_of(word) for word in ("cnn", "a/b.py:wide")] == ["cnn", "wide"]
    assert files_of(["cnn", "a/b.py:wide"]) == ["a/b.py"]
    assert TypeAdapter(NetworkName).validate_python("wide") == "wide"
    for word in ("all", "a b", "", "x" * 41):
        with pytest.raises(ValidationError):
            TypeAdapter(NetworkName).validate_python(word)


def test_chosen(tmp_path: Path) -> None:
    """The order is that of the words; what is named twice, by whatever path, is there once."""
    file = write_files(tmp_path)
    recipes, problems = chosen(["cnn", f"{file}:wide", f"{tmp_path}/../{tmp_path.name}/mine.py:wide", "cnn"])
    assert list(recipes) == ["cnn", "wide"]
    assert problems == {}
    assert list(chosen(["all", f"{file}:deep"])[0]) == [*MODELS, "deep"]


def test_a_problem_leaves_the_others(tmp_path: Path) -> None:
    """A file that is missing is the reason why its network is not trained; the others are."""
    recipes, problems = chosen([f"{tmp_path}/mine.py:wide", "cnn"])
    assert list(recipes) == ["cnn"]
    assert problems["wide"].startswith(f"There is no file {tmp_path}/mine.py. Expected a function")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "There is no file"),
        ("def narrow(): ...\ndef slim(): ...\n", "does not define wide; it defines narrow and slim."),
        ("wide = 3\n", "does not define wide; it defines no function."),
        ("def wide(:\n", "cannot be read as Python (line 1: invalid syntax)."),
        ("\0", "cannot be read as Python"),
        ("é".encode("latin-1"), "cannot be read as Python"),
        (
            f"from tasks.training import networks\n{GOOD}",
            "imports tasks, whose changes would not be noticed.",
        ),
        (f"DEFAULTS = {{'wide': {{'epochs': 0}}}}\n{GOOD}", "greater than or equal to 1"),
        (f"DEFAULTS = {{'wide': {{'epoch': 3}}}}\n{GOOD}", "DEFAULTS['wide']['epoch'] in"),
        (f"DEFAULTS = [3]\n{GOOD}", "DEFAULTS in"),
        (f"DEFAULTS = dict(wide={{}})\n{GOOD}", "is no literal."),
    ],
)
def test_bad_files(tmp_path: Path, text: str | bytes | None, expected: str) -> None:
    """What is wrong with a file is one line that names it; alone it is a mistake of the whole run."""
    file = tmp_path / "mine.py"
    if text is not None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError) as caught:
        chosen([f"{file}:wide"])
    assert expected in str(caught.value)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["random.py", "numpy.py", "my.networks.py", "__main__.py", "tasks.py"])
def test_names_that_are_taken(tmp_path: Path, name: str) -> None:
    """A file with the name of a module that Python finds elsewhere, or with a dot in its name, is refused."""
    (tmp_path / name).write_text(GOOD)
    with pytest.raises(UserError, match="has the name of something else"):
        chosen([f"{tmp_path / name}:wide"])


@pytest.mark.parametrize(
    "words", [("cnn", "{}/mine.py:cnn"), ("{}/mine.py:cnn",), ("{}/mine.py:wide", "{}/b.py:wide")]
)
def test_equal_names(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Two networks of one name, or one named as one of ours, cannot be told apart in results: nothing is run."""
    for name in ("mine.py", "b.py"):
        (tmp_path / name).write_text(GOOD)
    with pytest.raises(UserError, match="Give the function another name"):
        chosen([word.format(tmp_path) for word in words])
