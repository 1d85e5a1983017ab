"""`python -m tasks.report --compare`: several runs side by side, as a person calls it."""

import re
from pathlib import Path

import pytest
from synthetic import make_run
from test_command import report_again

from tasks.comparison.across import AcrossRuns
from tasks.errors import UserError
from tasks.report.compared import verdict_across, write_compared
from tasks.results.file import RESULTS
from tasks.store.ownership import COMPARED_FILES, MARKER, foreign_files


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs, of which one lacks a network of the other."""
    made = {"epochs": 3, "test_images": 100}
    first = make_run(tmp_path_factory.mktemp("a"), models=["dense", "cnn"], name="20260102T030405Z-a", **made)
    second = make_run(tmp_path_factory.mktemp("b"), models=["dense"], name="20260103T030405Z-b", **made)
    return [first, second]


def across(**facts: object) -> AcrossRuns:
    """A difference of 1.00 points that is more than chance."""
    given = {
        "model": "cnn",
        "base": 0,
        "run": 1,
        "seeds": [0, 1],
        "same_trainings": False,
        "difference": 0.01,
    }
    return AcrossRuns(**given | {"interval": (0.002, 0.018), "p_value": 0.01, "p_adjusted": 0.02} | facts)


def test_the_page(runs: list[Path], tmp_path: Path) -> None:
    """Each network stands once for each run that has it; only our files are written, again and again."""
    done = report_again("--compare", *runs, "--output", tmp_path / "beside")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{tmp_path / 'beside' / 'compared.md'}\n", "")
    write_compared(runs, tmp_path / "beside")
    page = (tmp_path / "beside" / "compared.md").read_text()
    networks = [
        line.split(" | ")[:2] for line in page.split("## Test accuracy and onset")[1].splitlines()[4:7]
    ]
    assert networks == [["| dense", "A"], ["| dense", "B"], ["| cnn", "A"]]
    assert foreign_files(tmp_path / "beside", COMPARED_FILES) == []
    assert (tmp_path / "beside" / MARKER).is_file()
    assert "data:image/png" in (tmp_path / "beside" / "compared.html").read_text()


@pytest.mark.parametrize(
    ("which", "message"),
    [
        ((0,), "--compare got 1 run. Expected two to 6."),
        ((0, 0), "20260102T030405Z-a is named twice."),
        ((0, "missing"), "missing holds no results.json"),
        ((0, "old"), "is of schema version 1"),
    ],
)
def test_bad_runs(which: tuple[int | str, ...], message: str, runs: list[Path], tmp_path: Path) -> None:
    """What a person did wrong is said in one line, and nothing is written."""
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / RESULTS).write_text('{"schema_version": 1}')
    folders = [runs[each] if isinstance(each, int) else tmp_path / each for each in which]
    with pytest.raises(UserError, match=re.escape(message)):
        write_compared(folders, tmp_path / "beside")
    assert not (tmp_path / "beside").exists()


def test_a_folder_of_others_is_left_alone(runs: list[Path], tmp_path: Path) -> None:
    """A folder that holds anything else is refused."""
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=re.escape(f"{tmp_path} holds other things (notes.txt)")):
        write_compared(runs, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_verdicts() -> None:
    """Told apart with the interval turned to the side that leads, tied, or the same trainings."""
    assert verdict_across(across()) == "cnn: B is 1.00 points above A (0.20 to 1.80; 2 seeds)"
    below = across(difference=-0.01, interval=(-0.018, -0.002))
    assert verdict_across(below) == "cnn: B is 1.00 points below A (0.20 to 1.80; 2 seeds)"
    tied = "cnn: the data cannot tell A and B apart (B minus A: 1.00 points, 0.20 to 1.80; 2 seeds)"
    assert verdict_across(across(p_adjusted=0.06)) == tied
    assert verdict_across(across(same_trainings=True)) == "cnn: B has the same trainings as A"
