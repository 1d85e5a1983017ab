"""Names that lead nowhere, or that would steer a terminal: one line each, wherever a person gives one."""

import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_datasets import npz, small_dataset

from tasks.data.download import download
from tasks.errors import UserError
from tasks.files import path_of
from tasks.housekeeping import keep_house
from tasks.markdown import code, code_block, escape
from tasks.printable import in_one_line, printable
from tasks.recognition.recognize import prepare_pictures
from tasks.report.html import html_page
from tasks.store.layout import Artifacts, claimed, named, start_run

NOON = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)
STEERING = {
    "colour": "\x1b[31m",
    "eight-bit CSI": "\x9b31m",
    "title": "\x1b]0;t\x07",
    "link": "\x1b]8;;http://x\x1b\\",
    "bell": "\a",
    "line end": "\n",
    "return": "\r",
    "override": "\u202e",
    "isolate": "\u2066",
    "separator": "\u2028",
    "null": "\0",
}


def picture(path: str, folder: Path) -> None:
    """Prepare one picture; raise what is said of it."""
    for reason in prepare_pictures.fn([path], str(folder)).errors.values():
        raise UserError(reason)


TAKERS: dict[str, Callable[[str, Path], Any]] = {
    "artifacts_dir": lambda path, _: claimed(path),
    "housekeeping": lambda path, _: keep_house(Artifacts(named(path)), prune=False),
    "dataset": lambda path, folder: download(path, folder / "data", print),
    "picture": picture,
}


@pytest.mark.parametrize("taker", TAKERS)
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *(
            pytest.param(f"a{letters}b", "holds a control character", id=id)
            for id, letters in STEERING.items()
        ),
        pytest.param("loop", "Too many levels of symbolic links", id="loop"),
        pytest.param("loop/inside", "Too many levels of symbolic links", id="in a loop"),
        pytest.param("hostile", "holds a control character", id="link to such a name"),
        pytest.param("ab" * 200, "File name too long", id="long"),
        pytest.param("~nobody-of-that-name/x", "a user who is unknown here", id="home"),
    ],
)
def test_names_that_are_refused(taker: str, name: str, expected: str, tmp_path: Path) -> None:
    """A name that cannot be followed, or would steer a terminal, is one line that shows it harmlessly."""
    (tmp_path / "loop").symlink_to(tmp_path / "pool")
    (tmp_path / "pool").symlink_to(tmp_path / "loop")
    (tmp_path / "hostile").symlink_to(tmp_path / "a\x1bb")
    with pytest.raises(UserError, match=expected) as caught:
        TAKERS[taker](name if name.startswith("~") else f"{tmp_path}/{name}", tmp_path)
    assert in_one_line(str(caught.value)) == str(caught.value)


def test_home_and_hangul(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """~ is one's home also where no shell reads it, and a name of 80 Hangul letters serves as any other."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert path_of("~/digits") == tmp_path.resolve() / "digits"
    name = "숫" * 80
    (tmp_path / f"{name}.npz").write_bytes(npz(small_dataset()))
    artifacts = claimed(f"~/{name}")
    assert Path(download(f"~/{name}.npz", artifacts / "data", print).path).is_file()
    assert start_run(artifacts, "숫" * 33, NOON).is_dir()


def test_a_working_folder_that_was_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path named from a folder that is gone is one line; a whole path leads where it says."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(UserError, match="a folder that was deleted"):
        path_of("artifacts")
    assert path_of(tmp_path / "artifacts") == tmp_path.resolve() / "artifacts"


def test_loops_inside_the_artifacts_folder(tmp_path: Path) -> None:
    """A link to itself where a folder belongs is one line that names the folder; housekeeping goes past it."""
    artifacts = claimed(str(tmp_path / "artifacts"))
    for part in ("data", "trainings", "runs", "latest"):
        (artifacts / part).symlink_to(artifacts / part)
    with pytest.raises(UserError, match=f"Cannot write to {artifacts / 'data'}: File exists"):
        download("mnist", artifacts / "data", print)
    with pytest.raises(UserError, match=f"Cannot write to {artifacts}: File exists"):
        start_run(artifacts, "run", NOON)
    keep_house(Artifacts(artifacts), prune=False)
    assert (artifacts / "trainings").is_symlink()


def test_names_that_others_gave(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names that are found, not given, are shown harmlessly, in errors and in housekeeping's list."""
    hostile = "a\x1b[2J\nb\u202e"
    others, mine = tmp_path / "others", claimed(str(tmp_path / "mine"))
    others.mkdir()
    (others / hostile).touch()
    (mine / "trainings").mkdir()
    (mine / "trainings" / hostile).touch()
    with pytest.raises(UserError) as caught:
        claimed(str(others))
    keep_house(Artifacts(mine), prune=False)
    for text in (str(caught.value), capsys.readouterr().out):
        assert printable(text) == text
        assert r"a\x1b[2J\nb\u202e" in text


@pytest.mark.parametrize("letters", STEERING.values(), ids=STEERING)
def test_pages(letters: str, tmp_path: Path) -> None:
    """Neither Markdown nor HTML passes such characters on."""
    for shown in (escape(letters), code(letters), code_block(letters)):
        page = html_page(f"# T\n\n{shown}", tmp_path)
        assert printable(shown + page) == shown + page


def test_an_npz_header_that_claims_too_much(tmp_path: Path) -> None:
    """A header of 2^40 images in a file of a few bytes is one line; nothing is allocated that is not there."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (2**40, 28, 28)}
    )
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        for name in small_dataset():
            archive.writestr(f"{name}.npy", header.getvalue())
    with pytest.raises(UserError, match="cannot be read as npz file") as caught:
        download(str(tmp_path / "huge.npz"), tmp_path / "data", print)
    assert len(str(caught.value).splitlines()) == 1
