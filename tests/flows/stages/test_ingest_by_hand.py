"""Somebody works by hand in the data repository while batches come, are refused, and are killed: what is theirs stays as it was."""

from __future__ import annotations

import signal
from pathlib import Path

import pandas as pd
import pytest

from adapters.data_repo import DataRepo
from adapters.settings import Settings
from contracts.errors import BatchRefused, SpecError
from tests.adapters.test_data_repo_by_hand import run as by_hand
from tests.flows.stages.test_ingest import HOURS, at, killed, place, run, table

__all__ = ["place"]  # a fixture

Place = tuple[Settings, Path]


def work_by_hand(root: Path) -> None:
    (root / "notes.md").write_text("what we know of these rows\n")
    (root / "sales" / "notes.md").write_text("and of these\n")
    (root / "more").mkdir()
    (root / "more" / "rows.parquet").write_bytes(b"somebody's")  # git is told to ignore it
    (root / "staged.md").write_text("soon\n")
    by_hand(root, "git", "add", "staged.md")
    by_hand(root, "dvc", "remote", "add", "further", "s3://bucket/store")


def by_hand_is_there(root: Path) -> None:
    status = by_hand(root, "git", "status", "--porcelain").splitlines()
    assert status == [" M .dvc/config", "A  staged.md", "?? notes.md", "?? sales/notes.md"]
    assert "s3://bucket/store" in (root / ".dvc" / "config").read_text()
    assert (root / "notes.md").read_text() == "what we know of these rows\n"
    assert (root / "more" / "rows.parquet").read_bytes() == b"somebody's"


def test_a_refused_batch_and_the_good_one_after_it_leave_what_was_done_by_hand(place: Place) -> None:
    settings, data = place
    run(place, at(10))
    work_by_hand(settings.data_repo)
    table().assign(y=1e6).to_csv(data, index=False)
    with pytest.raises(BatchRefused):
        run(place)
    assert not (settings.data_repo / ".git" / "understudy-writes").exists(), "nothing was written"
    table().drop(columns="at").to_csv(data, index=False)
    with pytest.raises(SpecError):
        run(place)
    table().to_csv(data, index=False)
    assert run(place).new_rows == HOURS - 10
    by_hand_is_there(settings.data_repo)


@pytest.mark.parametrize("step", ["write_parquet", "dvc_files.add_and_push", "git:add", "git:commit"])
def test_after_a_writer_that_was_killed_what_is_ours_is_put_right_and_what_is_not_stays(place: Place, step: str) -> None:
    settings, _ = place
    (settings.pipelines / "sales" / "suite.json").unlink()  # Great Expectations' import would be most of the time
    run(place, at(10))
    work_by_hand(settings.data_repo)
    assert killed(settings, "adapters.data_repo", step, "after") == -signal.SIGKILL
    result = run(place, at(20))
    by_hand_is_there(settings.data_repo)
    assert DataRepo(settings).frame(result.snapshot)["id"].tolist() == list(range(HOURS if step == "git:commit" else 20))
    here = {path.name for path in (settings.data_repo / "sales").glob("*.parquet")}
    assert here == {one.name for one in result.snapshot.partitions}, "nothing half done is left"


def test_a_first_snapshot_that_was_killed_leaves_nothing(place: Place) -> None:
    settings, data = place
    (settings.pipelines / "sales" / "suite.json").unlink()
    assert killed(settings, "adapters.data_repo", "write_manifest", "after") == -signal.SIGKILL
    pd.concat([table(), table(50).tail(2)]).to_csv(data, index=False)
    result = run(place)
    assert [one.rows for one in result.snapshot.partitions] == [50]
    assert len(list((settings.data_repo / "sales").glob("*.parquet*"))) == 2
