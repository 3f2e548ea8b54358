"""A data set in somebody else's real DVC repository: at a revision, followed as it moves, and checked by its digest."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters import dvc_files
from adapters.git import git
from adapters.sources import read_rows
from adapters.sources.dvc import fetch_files, look
from contracts.errors import DigestMismatch, OutsideError, SpecError
from contracts.spec import Columns, DvcSource

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # DVC's own use of its libraries
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # DVC leaves a clone open whose revision is not there
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # the same
]
COLUMNS = Columns.model_validate({"time": "at", "target": "y", "features": {"numeric": ["x"]}})


class Theirs:
    """A DVC repository of other people, with a remote on disk."""

    def __init__(self, folder: Path) -> None:
        self.root, self.remote = folder / "theirs", folder / "remote"
        self.root.mkdir()
        self.remote.mkdir()
        git(self.root, "init", "--quiet")
        dvc_files.lay_out(self.root, str(self.remote))
        (self.root / ".dvc" / "config").write_text(f"[core]\n    remote = store\n['remote \"store\"']\n    url = {self.remote}\n")
        (self.root / ".gitignore").write_text("*.csv\n")

    @property
    def url(self) -> str:
        return self.root.as_uri()

    def commit(self, **days: int) -> str:
        """Put one file for each name, with one row of that day; push it, drop the local cache, and return the commit."""
        for name, day in days.items():
            path = self.root / name.replace("__", "/")
            path.parent.mkdir(exist_ok=True)
            path.with_suffix(".csv").write_text(f"at,x,y\n2026-01-0{day}T00:00:00,1.5,{day}\n")
            dvc_files.add_and_push(self.root, str(self.remote), str(path.with_suffix(".csv").relative_to(self.root)))
        git(self.root, "add", "--all")
        git(self.root, "commit", "--quiet", "--message", "data")
        shutil.rmtree(self.root / ".dvc" / "cache", ignore_errors=True)
        return git(self.root, "rev-parse", "HEAD")


@pytest.fixture
def theirs(tmp_path: Path) -> Theirs:
    return Theirs(tmp_path)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "kept"


Days = Callable[..., list[int]]


@pytest.fixture
def days(theirs: Theirs, kept: Path) -> Days:
    def read(path: str = "rows.csv", after: datetime | None = None, **more: object) -> list[int]:
        source = DvcSource.model_validate({"kind": "dvc", "repo": theirs.url, "path": path, **more})
        return [int(one) for one in read_rows(source, COLUMNS, after, None, kept)["y"]]

    return read


def test_a_revision_stays_and_a_branch_is_followed_as_it_moves(theirs: Theirs, days: Days) -> None:
    first = theirs.commit(rows=1)
    assert days() == [1]
    theirs.commit(rows=2)
    assert days(rev="main") == [2]
    assert days() == [2]
    assert days(rev=first) == [1]
    assert days(rev="main", after=datetime(2026, 1, 2, tzinfo=UTC)) == []


def test_a_folder_is_all_of_its_tables_and_only_what_changed_is_fetched(theirs: Theirs, days: Days, kept: Path) -> None:
    theirs.commit(data__a=2, data__b=1)
    assert look(DvcSource(kind="dvc", repo=theirs.url, path="data")) == "2 file(s)"
    assert days("data") == [1, 2]
    times = {path: path.stat().st_mtime_ns for path in kept.rglob("*.csv")}
    theirs.commit(data__b=3)
    assert days("data") == [2, 3]
    left = {path: path.stat().st_mtime_ns for path in kept.rglob("*.csv")}
    assert len(left) == 2
    assert len(left.items() & times.items()) == 1


def test_a_path_is_read_as_it_was_committed_and_not_as_it_lies_there(theirs: Theirs, days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs.commit(rows=1)
    (theirs.root / "rows.csv").write_text("at,x,y\n2026-01-09,1,9\n")
    monkeypatch.setenv("THEIR_DATA", str(theirs.root))
    assert days(repo="${THEIR_DATA}") == [1]


def test_bytes_that_are_gone_or_others_are_noticed(theirs: Theirs, days: Days, kept: Path) -> None:
    theirs.commit(rows=1)
    (stored,) = [path for path in theirs.remote.rglob("*") if path.is_file()]
    content = stored.read_bytes()
    stored.chmod(0o644)
    stored.write_bytes(content.replace(b"1.5", b"9.5"))
    with pytest.raises(DigestMismatch, match=r"gives other bytes for 'rows\.csv' than were committed"):
        days()
    assert not list(kept.rglob("rows.csv"))
    stored.unlink()
    with pytest.raises(OutsideError, match=r"has no bytes for 'rows\.csv'\. Let its owners run `dvc push`"):
        days()
    stored.write_bytes(content)
    assert days() == [1]


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"path": "sails.csv"}, SpecError, "has no 'sails.csv'. Mend source.path"),
        ({"rev": "v9"}, SpecError, "has no revision 'v9'"),
        ({"remote": "attic"}, SpecError, "knows no DVC remote 'attic'"),
        ({"path": "notes.md"}, SpecError, "holds no file of a kind that is known"),
        ({"repo": "file:///absent/repo"}, OutsideError, "file:///absent/repo could not be cloned"),
    ],
)
def test_mistakes_are_named(theirs: Theirs, days: Days, more: dict[str, object], error: type[Exception], message: str) -> None:
    (theirs.root / "notes.md").write_text("about the data\n")
    theirs.commit(rows=1)
    with pytest.raises(error, match=message):
        days(**more)


def test_a_file_that_git_alone_keeps_is_read_too(tmp_path: Path, kept: Path) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "rows.csv").write_text("at,x,y\n2026-01-01,1,4\n")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "data")
    source = DvcSource(kind="dvc", repo=folder.as_uri(), path="rows.csv")
    assert fetch_files(source, kept)["rows.csv"].read_text().endswith(",4\n")
    (folder / "rows.csv").write_text("at,x,y\n2026-01-01,1,5\n")
    git(folder, "commit", "--quiet", "--all", "--message", "more")
    assert read_rows(source, COLUMNS, None, None, kept)["y"].tolist() == [5]
