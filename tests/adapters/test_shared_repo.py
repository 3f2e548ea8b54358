"""Two machines share one data repository through a git URL: each sees what the other added, and neither overwrites."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from adapters.data_repo import DataRepo
from adapters.settings import Settings, read_settings
from adapters.shared_repo import SharedRepo
from contracts.errors import Conflict, OutsideError, UsageError

NONE = pd.DataFrame({"event_time": pd.to_datetime([], utc=True)})


def rows(start: str, *values: float) -> pd.DataFrame:
    times = pd.date_range(start, periods=len(values), freq="1h", tz="UTC", unit="us")
    return pd.DataFrame({"event_time": times, "x": values})


@pytest.fixture
def url(tmp_path: Path) -> str:
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "data.git"], check=True)
    return f"file://{tmp_path / 'data.git'}"


def machine(tmp_path: Path, name: str, url: str) -> Settings:
    found = read_settings(tmp_path / name, tmp_path / "pipelines")
    return replace(found, data_repo_url=url, dvc_remote=str(tmp_path / "remote"))


def tags(url: str) -> list[str]:
    return subprocess.run(["git", "ls-remote", "--tags", url], capture_output=True, text=True, check=True).stdout.split()[1::2]


def test_a_git_url_is_told_from_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for said in ("https://host/data.git", "file:///data.git", "git@host:data.git"):
        monkeypatch.setenv("UNDERSTUDY_DATA_REPO", said)
        found = read_settings(tmp_path)
        assert (found.data_repo_url, found.data_repo) == (said, tmp_path / "data-repo")
    for folder in ("data", "/srv/data", "c:data"):
        monkeypatch.setenv("UNDERSTUDY_DATA_REPO", folder)
        assert read_settings(tmp_path).data_repo_url is None
        assert read_settings(tmp_path).data_repo.name == Path(folder).name


def test_what_one_machine_adds_another_with_an_empty_home_reads_and_continues(tmp_path: Path, url: str) -> None:
    one, two = DataRepo(machine(tmp_path, "one", url)), DataRepo(machine(tmp_path, "two", url))
    first = one.add("a", rows("2026-01-01", 1.0), NONE, [])
    assert two.newest("a") == first
    assert two.frame(first)["x"].tolist() == [1.0]
    second = two.add("a", rows("2026-01-02", 2.0), NONE, [])
    assert DataRepo(machine(tmp_path, "one", url)).newest("a") == second
    assert [one.id for one in DataRepo(machine(tmp_path, "three", url)).snapshots("a")] == [first.id, second.id]
    with pytest.raises(Conflict, match="are in snapshot"):
        one.add("a", rows("2026-01-02", 3.0), NONE, [])
    assert sorted(tags(url)) == sorted(f"refs/tags/a/{one.id}" for one in (first, second))


def test_of_two_that_push_at_once_one_is_told_and_has_nothing_left(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    DataRepo(machine(tmp_path, "one", url)).add("a", rows("2026-01-01", 1.0), NONE, [])
    real, late = SharedRepo.publish, DataRepo(machine(tmp_path, "two", url))
    theirs = []

    def overtaken(shared: SharedRepo) -> None:
        monkeypatch.setattr(SharedRepo, "publish", real)
        theirs.append(DataRepo(machine(tmp_path, "one", url)).add("a", rows("2026-01-02", 2.0), NONE, []))
        real(shared)

    monkeypatch.setattr(SharedRepo, "publish", overtaken)
    with pytest.raises(Conflict, match=r"pushed to .* first"):
        late.add("a", rows("2026-01-03", 3.0), NONE, [])
    assert late.newest("a") == theirs[0]
    assert len(late.snapshots("a")) == len(tags(url)) == 2


def test_a_snapshot_whose_maker_was_killed_before_the_push_is_pushed_the_next_time(tmp_path: Path, url: str) -> None:
    settings = machine(tmp_path, "one", url)
    DataRepo(settings).add("a", rows("2026-01-01", 1.0), NONE, [])
    child = os.fork()
    if child == 0:
        SharedRepo.publish = lambda _: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]  # of the child alone
        DataRepo(settings).add("a", rows("2026-01-02", 2.0), NONE, [])
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert len(tags(url)) == 1
    assert len(DataRepo(settings).snapshots("a")) == len(tags(url)) == 2
    assert len(DataRepo(machine(tmp_path, "two", url)).snapshots("a")) == 2


def test_a_url_that_cannot_be_pushed_to_leaves_no_snapshot_and_one_that_cannot_be_read_is_named(tmp_path: Path, url: str) -> None:
    settings = machine(tmp_path, "one", url)
    first = DataRepo(settings).add("a", rows("2026-01-01", 1.0), NONE, [])
    hook = tmp_path / "data.git" / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    repo = DataRepo(settings)
    with pytest.raises(OutsideError, match="git push failed"):
        repo.add("a", rows("2026-01-02", 2.0), NONE, [])
    assert repo.snapshots("a") == [first]
    with pytest.raises(OutsideError, match="git ls-remote failed"):
        DataRepo(machine(tmp_path, "two", f"{url}.absent")).snapshots("a")
    with pytest.raises(UsageError, match="was not made for UNDERSTUDY_DATA_REPO"):
        DataRepo(replace(settings, data_repo_url="file:///other")).snapshots("a")


def by_hand(settings: Settings, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=settings.data_repo, capture_output=True, text=True, check=True).stdout


def test_what_somebody_did_by_hand_here_stays_when_another_machine_pushed(tmp_path: Path, url: str) -> None:
    here = machine(tmp_path, "one", url)
    DataRepo(here).add("a", rows("2026-01-01", 1.0), NONE, [])
    for name in ("notes.md", "staged.md"):
        (here.data_repo / name).write_text("by hand\n")
    by_hand(here, "add", "staged.md")
    (here.data_repo / ".dvc" / "config").write_text("[core]\n    remote = other\n")
    theirs = DataRepo(machine(tmp_path, "two", url)).add("a", rows("2026-01-02", 2.0), NONE, [])
    assert DataRepo(here).newest("a") == theirs
    assert (here.data_repo / "notes.md").read_text() == (here.data_repo / "staged.md").read_text() == "by hand\n"
    assert "remote = other" in (here.data_repo / ".dvc" / "config").read_text()


def test_what_is_in_the_way_of_what_another_machine_pushed_is_stashed_and_said(
    tmp_path: Path, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    here, there = machine(tmp_path, "one", url), machine(tmp_path, "two", url)
    DataRepo(here).add("a", rows("2026-01-01", 1.0), NONE, [])
    DataRepo(there).newest("a")
    (there.data_repo / "notes.md").write_text("theirs\n")
    by_hand(there, "add", "notes.md")
    by_hand(there, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "Notes")
    theirs = DataRepo(there).add("a", rows("2026-01-02", 2.0), NONE, [])
    (here.data_repo / "notes.md").write_text("ours\n")
    assert DataRepo(here).newest("a") == theirs
    assert (here.data_repo / "notes.md").read_text() == "theirs\n"
    assert "git stash" in caplog.text
    assert by_hand(here, "show", "stash@{0}^3:notes.md") == "ours\n"
