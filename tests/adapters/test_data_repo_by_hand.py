"""Somebody who knows git and DVC, and nothing of Understudy, works on the data repository as usual."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from adapters.data_repo import DataRepo
from adapters.data_repo_prune import prune
from adapters.settings import Settings
from tests.adapters.test_data_repo import NONE, rows, settings

__all__ = ["settings"]  # a fixture


def run(folder: Path, *words: str) -> str:
    program = [sys.executable, "-m", "dvc"] if words[0] == "dvc" else ["git"]
    env = {**os.environ, "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(folder.parent / "site")}
    done = subprocess.run([*program, *words[1:]], cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_git_log_dvc_status_pull_and_diff_say_what_is_there(settings: Settings, tmp_path: Path) -> None:
    repo = DataRepo(settings)
    first = repo.add("a", rows("2026-01-01", 1.0, 2.0), NONE, ["id"])
    second = repo.add("a", rows("2026-01-02", 3.0, ids=[5]), NONE, ["id"])
    here = settings.data_repo
    assert run(here, "git", "tag").split() == sorted([f"a/{first.id}", f"a/{second.id}"])
    assert f"a: snapshot {second.id}, 1 rows more, 3 in all" in run(here, "git", "log", "--oneline")
    assert "up to date" in run(here, "dvc", "status")
    assert "in sync" in run(here, "dvc", "status", "--cloud")
    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "-q", str(here), str(clone))
    run(clone, "dvc", "remote", "add", "--local", "store", settings.dvc_remote)
    run(clone, "dvc", "pull")
    assert [len(pd.read_parquet(clone / "a" / one.name)) for one in second.partitions] == [2, 1]
    told = json.loads(run(clone, "dvc", "diff", "--json", f"a/{first.id}", f"a/{second.id}"))
    assert [one["path"] for one in told["added"]] == [f"a/{second.partitions[1].name}"]
    assert (told["deleted"], told["modified"]) == ([], [])
    run(clone, "git", "checkout", "-q", f"a/{first.id}")
    run(clone, "dvc", "checkout")
    assert sorted(path.name for path in (clone / "a").glob("*.parquet")) == [first.partitions[0].name]
    assert repo.add("a", rows("2026-01-03", 4.0, ids=[6]), NONE, ["id"]).rows == 4, "and we go on beside them"


def test_what_somebody_staged_by_hand_is_not_part_of_a_snapshot_and_is_not_lost(settings: Settings) -> None:
    repo = DataRepo(settings)
    repo.add("a", rows("2026-01-01", 1.0), NONE, [])
    (repo.root / "notes.md").write_text("what we know of these rows\n")
    run(repo.root, "git", "add", "notes.md")
    snapshot = repo.add("a", rows("2026-01-02", 2.0), NONE, [])
    changed = run(repo.root, "git", "show", "--name-only", "--format=", snapshot.commit).split()
    assert changed == [f"a/{snapshot.partitions[-1].name}.dvc", "a/manifest.json"]
    assert run(repo.root, "git", "status", "--porcelain") == "A  notes.md\n"


def test_a_writer_that_did_not_end_is_cleaned_up_after_and_one_that_wrote_nothing_is_not(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = DataRepo(settings)
    repo.add("a", rows("2026-01-01", 1.0), NONE, [])
    theirs, left = repo.root / "a" / "theirs.parquet", repo.root / "a" / "20260101T000000-0123456789ab.parquet"
    theirs.write_bytes(b"somebody's")
    left.write_bytes(b"half")
    with pytest.raises(RuntimeError, match="in the middle"), repo.exclusive():
        raise RuntimeError("in the middle")
    repo.add("a", rows("2026-01-02", 2.0), NONE, [])
    assert left.exists(), "nobody died while he wrote"
    with monkeypatch.context() as patch:
        patch.setattr("adapters.data_repo.write_manifest", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            repo.add("a", rows("2026-01-03", 3.0), NONE, [])
    added = repo.add("a", rows("2026-01-03", 4.0), NONE, [])
    assert {path.name for path in (repo.root / "a").glob("*.parquet")} == {theirs.name, *(one.name for one in added.partitions)}


def test_what_is_pruned_takes_nothing_along_that_somebody_staged(settings: Settings) -> None:
    repo = DataRepo(settings)
    for day in (1, 2):
        repo.add("a", rows(f"2026-01-0{day}", 1.0), NONE, [])
    (repo.root / "notes.md").write_text("soon\n")
    run(repo.root, "git", "add", "notes.md")
    assert len(prune(repo, "a", 1, dict, dry_run=False).removed) == 1
    assert run(repo.root, "git", "status", "--porcelain") == "A  notes.md\n"
