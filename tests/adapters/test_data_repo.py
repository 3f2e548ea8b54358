"""Snapshots on a real git and DVC repository: in the remote before the tag, never twice, corrected by key."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pandas as pd
import pytest

from adapters.data_repo import DataRepo
from adapters.settings import Settings, read_settings
from contracts.errors import Conflict, OutsideError, UsageError

NONE = pd.DataFrame({"event_time": pd.to_datetime([], utc=True)})


def rows(start: str, *values: float, ids: list[int] | None = None) -> pd.DataFrame:
    times = pd.date_range(start, periods=len(values), freq="1h", tz="UTC", unit="us")
    return pd.DataFrame({"event_time": times, "id": ids or range(len(values)), "x": values, "name": ["ä", None, "b"][: len(values)]})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings(tmp_path / "home", tmp_path / "pipelines")


def remote_files(settings: Settings) -> list[Path]:
    return [path for path in Path(settings.dvc_remote).rglob("*") if path.is_file()]


def test_a_snapshot_is_in_the_remote_and_tagged(settings: Settings) -> None:
    repo = DataRepo(settings)
    assert repo.newest("a") is None
    snapshot = repo.add("a", rows("2026-01-01", 1.0, 2.0, 3.0), NONE, ["id"])
    assert len(remote_files(settings)) == 1
    assert repo.newest("a") == snapshot == repo.get("a", snapshot.id)
    assert (snapshot.rows, snapshot.watermark) == (3, datetime(2026, 1, 1, 2, tzinfo=UTC))
    assert len(snapshot.commit) == 40
    pd.testing.assert_frame_equal(repo.frame(snapshot), rows("2026-01-01", 1.0, 2.0, 3.0))


def test_snapshots_grow_by_partitions_and_old_ones_stay_as_they_were(settings: Settings) -> None:
    repo = DataRepo(settings)
    first = repo.add("a", rows("2026-01-01", 1.0), NONE, [])
    second = repo.add("a", rows("2026-01-02", 2.0), rows("2026-01-03", 9.0), [])
    repo.add("b", rows("2026-01-01", 7.0), NONE, [])
    assert [one.id for one in repo.snapshots("a")] == [first.id, second.id]
    assert repo.frame(first)["x"].tolist() == [1.0]
    assert repo.frame(second, ["x"], since=datetime(2026, 1, 2, tzinfo=UTC)).to_dict("list") == {"x": [2.0]}
    assert (second.quarantined, second.watermark) == (1, datetime(2026, 1, 3, tzinfo=UTC))


def test_the_digest_is_that_of_the_rows(settings: Settings, tmp_path: Path) -> None:
    elsewhere = read_settings(tmp_path / "other", tmp_path / "pipelines")
    one = DataRepo(settings).add("a", rows("2026-01-01", 1.0, 2.0), NONE, [])
    same = DataRepo(elsewhere).add("a", rows("2026-01-01", 1.0, 2.0)[["x", "name", "id", "event_time"]], NONE, [])
    assert one.digest == same.digest
    shutil.rmtree(elsewhere.home)
    assert DataRepo(elsewhere).add("a", rows("2026-01-01", 1.0, 2.5), NONE, []).digest != one.digest


def test_a_known_key_replaces_the_row_when_read(settings: Settings) -> None:
    repo = DataRepo(settings)
    repo.add("a", rows("2026-01-01", 1.0, 2.0), NONE, ["id"])
    snapshot = repo.add("a", rows("2026-01-02", 20.0, ids=[1]), NONE, ["id"])
    assert repo.frame(snapshot, ["x"])["x"].tolist() == [1.0, 20.0]
    assert repo.frame(snapshot, since=datetime(2026, 1, 1, 12, tzinfo=UTC))["id"].tolist() == [1]


def test_a_column_that_came_later_is_empty_before(settings: Settings) -> None:
    repo = DataRepo(settings)
    repo.add("a", rows("2026-01-01", 1.0), NONE, [])
    snapshot = repo.add("a", rows("2026-01-02", 2.0).assign(z=5.0), NONE, [])
    assert repo.frame(snapshot, ["z"])["z"].isna().tolist() == [True, False]
    with pytest.raises(UsageError, match="has no column 'zz'"):
        repo.frame(snapshot, ["zz"])


def test_rows_that_are_in_already_are_a_conflict(settings: Settings) -> None:
    repo = DataRepo(settings)
    repo.add("a", rows("2026-01-01", 1.0), NONE, [])
    with pytest.raises(Conflict, match="are in snapshot"):
        repo.add("a", rows("2026-01-01", 1.0), NONE, [])
    assert len(repo.snapshots("a")) == 1


def test_lost_and_damaged_files_come_back_from_the_remote(settings: Settings) -> None:
    repo = DataRepo(settings)
    snapshot = repo.add("a", rows("2026-01-01", 1.0, 2.0), NONE, [])
    path = settings.data_repo / "a" / snapshot.partitions[0].name
    for damage in (path.unlink, lambda: path.write_bytes(b"x" * path.stat().st_size)):
        damage()
        shutil.rmtree(settings.data_repo / ".dvc" / "cache")
        assert DataRepo(settings).frame(snapshot)["x"].tolist() == [1.0, 2.0]


def test_a_remote_that_lost_the_bytes_is_an_error_that_names_it(settings: Settings) -> None:
    repo = DataRepo(settings)
    snapshot = repo.add("a", rows("2026-01-01", 1.0), NONE, [])
    (settings.data_repo / "a" / snapshot.partitions[0].name).unlink()
    shutil.rmtree(settings.data_repo / ".dvc" / "cache")
    shutil.rmtree(settings.dvc_remote)
    with pytest.raises(OutsideError, match=rf"the remote has no object {settings.dvc_remote}/files/md5/.*which snapshot {snapshot.id} of"):
        repo.frame(snapshot)


def test_a_remote_that_cannot_be_written_leaves_no_snapshot(settings: Settings) -> None:
    blocked = dataclasses.replace(settings, dvc_remote=str(settings.home / "file" / "below"))
    settings.home.mkdir(parents=True)
    (settings.home / "file").write_text("a file, where a folder is wanted")
    with pytest.raises(OutsideError, match="Storing"):
        DataRepo(blocked).add("a", rows("2026-01-01", 1.0), NONE, [])
    assert DataRepo(blocked).snapshots("a") == []
    assert DataRepo(settings).add("a", rows("2026-01-01", 1.0), NONE, []).rows == 1
    assert len(DataRepo(settings).snapshots("a")) == 1


def test_an_unknown_snapshot_says_where_to_look(settings: Settings) -> None:
    with pytest.raises(UsageError, match=r"no snapshot 'sx'.*understudy snapshots a"):
        DataRepo(settings).get("a", "sx")


def test_anyone_can_check_a_snapshot_out_with_plain_git_and_dvc(settings: Settings, tmp_path: Path) -> None:
    snapshot = DataRepo(settings).add("a", rows("2026-01-01", 1.0, 2.0), NONE, [])
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "-b", f"a/{snapshot.id}", settings.data_repo, clone], check=True, capture_output=True)
    from dvc.repo import Repo

    with Repo(str(clone), config={"core": {"remote": "r"}, "remote": {"r": {"url": settings.dvc_remote}}}) as repo:
        repo.pull()
    assert len(pd.read_parquet(clone / "a" / snapshot.partitions[0].name)) == 2


@pytest.fixture
def bucket(s3_server: str) -> str:
    boto3.client("s3").create_bucket(Bucket="data")
    return "data"


def test_the_same_over_the_s3_api(settings: Settings, bucket: str) -> None:
    there = dataclasses.replace(settings, dvc_remote=f"s3://{bucket}/store")
    repo = DataRepo(there)
    snapshot = repo.add("a", rows("2026-01-01", 1.0, 2.0), NONE, [])
    assert boto3.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    (there.data_repo / "a" / snapshot.partitions[0].name).unlink()
    shutil.rmtree(there.data_repo / ".dvc" / "cache")
    assert repo.frame(snapshot)["x"].tolist() == [1.0, 2.0]
    absent = dataclasses.replace(there, dvc_remote="s3://absent/store")
    with pytest.raises(OutsideError, match="Storing"):
        DataRepo(absent).add("a", rows("2026-01-02", 1.0), NONE, [])
    assert len(repo.snapshots("a")) == 1
