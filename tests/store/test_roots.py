"""Which paths a run of a deployment may name."""

from pathlib import Path

import pytest

from tasks.errors import UserError
from tasks.store.layout import PROJECT
from tasks.store.roots import check_links, check_networks_folder, check_roots, roots


@pytest.fixture
def allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder that deployed runs may use; beside it lies another, and a link in it leads there."""
    folder = tmp_path / "allowed"
    folder.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    monkeypatch.setenv("MNIST_PIPELINE_ROOTS", str(folder))
    return folder


def test_by_default_the_repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the variable it is the repository; the variable names one folder or several."""
    monkeypatch.delenv("MNIST_PIPELINE_ROOTS", raising=False)
    assert roots() == [PROJECT]
    monkeypatch.setenv("MNIST_PIPELINE_ROOTS", f"{tmp_path}:{PROJECT}:")
    assert roots() == [tmp_path.resolve(), PROJECT]


def test_what_lies_below(allowed: Path) -> None:
    """The folder itself and what is in it may be named, whether it is there or not; nothing is no path."""
    check_roots(True, dataset=None, artifacts_dir=str(allowed), images=[f"{allowed}/a/b.png"])


@pytest.mark.parametrize("path", ["/etc/passwd", "{}/../elsewhere/x", "{}/link/x", "{}2", "~", "elsewhere"])
def test_what_lies_elsewhere(allowed: Path, path: str) -> None:
    """Paths that lead out, by dots, a link, a similar name or from the present folder, are named and refused."""
    path = path.format(allowed)
    with pytest.raises(UserError, match="MNIST_PIPELINE_ROOTS") as caught:
        check_roots(True, images=[str(allowed / "seven.png"), path])
    assert f"images names {path}, but" in str(caught.value)


def test_files_that_may_be_run(allowed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployed run takes networks from one folder, the repository's or the named one, not from all the roots."""
    monkeypatch.delenv("MNIST_PIPELINE_NETWORKS", raising=False)
    check_networks_folder(True, models=[str(PROJECT / "networks" / "example.py")])
    with pytest.raises(UserError, match="MNIST_PIPELINE_NETWORKS") as caught:
        check_networks_folder(True, models=[f"{allowed}/mine.py"])
    assert f"models names {allowed}/mine.py, but deployed runs may use only what lies below" in str(
        caught.value
    )
    monkeypatch.setenv("MNIST_PIPELINE_NETWORKS", str(allowed))
    check_networks_folder(True, models=[f"{allowed}/mine.py"])
    with pytest.raises(UserError):
        check_networks_folder(True, models=[f"{allowed}/link/mine.py"])
    check_networks_folder(False, models=["/anywhere/mine.py"])


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("path", ["~nobody-of-that-name/x", "a\0b", "a\x1b[2Jb", "a" * 5000])
def test_what_leads_nowhere(path: str) -> None:
    """A path that cannot be followed is a mistake in a line, not an error of the program."""
    with pytest.raises(UserError):
        check_roots(True, artifacts_dir=path)


@pytest.mark.parametrize("named", ["", ":", "/"])
def test_unusual_roots(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that names nothing allows the repository alone; / allows all."""
    monkeypatch.setenv("MNIST_PIPELINE_ROOTS", named)
    assert roots() == ([Path("/")] if named == "/" else [PROJECT])


@pytest.mark.usefixtures("allowed")
def test_a_script_names_what_it_likes() -> None:
    """Who runs a script reads and writes as themselves."""
    check_roots(False, dataset="/etc", artifacts_dir="/")


def test_links_in_a_data_set(allowed: Path) -> None:
    """A deployed run follows a link among pictures only below the roots, a class's folder too; a script any."""
    inside = allowed / "flowers" / "train" / "rose"
    inside.mkdir(parents=True)
    (inside / "1.png").touch()
    (inside / "2.png").symlink_to(inside / "1.png")
    check_links(True, allowed / "flowers")
    (inside / "3.png").symlink_to(allowed.parent / "elsewhere" / "secret.png")
    with pytest.raises(UserError, match=r"dataset names .*3\.png, but deployed runs .*MNIST_PIPELINE_ROOTS"):
        check_links(True, allowed / "flowers")
    check_links(False, allowed / "flowers")
    (inside / "3.png").unlink()
    (inside.parent / "tulip").symlink_to(allowed.parent / "elsewhere")
    with pytest.raises(UserError, match=r"dataset names .*tulip, but"):
        check_links(True, allowed / "flowers")
