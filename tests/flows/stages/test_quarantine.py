"""What was set aside is listed, and comes back after a fix: each row once, whatever is killed; what fails still stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from adapters.data_repo import DataRepo
from adapters.pipeline_files import Pipeline, load_pipeline
from adapters.quarantine_files import QuarantineFiles
from adapters.settings import Settings, read_settings
from contracts.errors import BatchRefused, UsageError
from flows.stages.ingest import ingest
from flows.stages.quarantine import list_aside, release, rows_aside
from tests.flows.stages.test_ingest import SPEC, SUITE, table
from understudy.main import main

BAD = {3: -1.0, 7: -5.0, 20: -1.0}


@pytest.fixture
def sales(tmp_path: Path) -> Settings:
    """Two batches; of the first two rows are set aside, of the second one."""
    folder = tmp_path / "pipelines" / "sales"
    folder.mkdir(parents=True)
    data = tmp_path / "rows.csv"
    spec = {**SPEC, "source": {"kind": "file", "path": str(data)}, "checks": {"max_quarantined": 0.3}}
    (folder / "pipeline.yaml").write_text(json.dumps({**spec, "clock": "wall"}))
    (folder / "params.yaml").write_text("seed: 1\n")
    allow(folder, 0)
    settings = read_settings(tmp_path / "home", tmp_path / "pipelines")
    rows = table(30)
    rows.loc[list(BAD), "x"] = list(BAD.values())
    for upto in (10, 30):
        rows.head(upto).to_csv(data, index=False)
        ingest(settings, pipeline(settings))
    return settings


def allow(folder: Path, least: float) -> None:
    suite: dict[str, Any] = json.loads(json.dumps(SUITE))
    suite["expectations"][0]["kwargs"]["min_value"] = least
    (folder / "suite.json").write_text(json.dumps(suite))


def pipeline(settings: Settings) -> Pipeline:
    return load_pipeline(settings, "sales")


def ids(settings: Settings) -> list[int]:
    repo = DataRepo(settings)
    newest = repo.newest("sales")
    assert newest is not None
    frame = pd.concat([pd.read_parquet(settings.data_repo / "sales" / one.name) for one in newest.partitions])
    assert len(frame) == newest.rows
    found: list[int] = sorted(frame["id"].tolist())  # every row of every partition: a key would hide one that is there twice
    assert found == sorted(repo.frame(newest)["id"].tolist())
    return found


def test_rows_that_pass_now_enter_the_next_snapshot_once_and_the_others_stay(sales: Settings) -> None:
    listed = list_aside(sales, pipeline(sales))
    assert [(one.rows, one.reasons) for one in listed] == [
        (2, {"expect_column_values_to_be_between(x)": 2}),
        (1, {"expect_column_values_to_be_between(x)": 1}),
    ]
    assert [one.snapshot for one in listed] == [one.id for one in DataRepo(sales).snapshots("sales")]
    assert release(sales, pipeline(sales), "nothing changed", "me").released == 0
    allow(sales.pipelines / "sales", -2)
    before = DataRepo(sales).newest("sales")
    assert before is not None
    done = release(sales, pipeline(sales), "returns are negative", "me")
    assert (done.released, done.still_aside, done.reasons) == (2, 1, {"expect_column_values_to_be_between(x)": 1})
    newest = DataRepo(sales).newest("sales")
    assert newest is not None
    assert (newest.id, newest.watermark, newest.quarantined) == (done.snapshot, before.watermark, 1)
    assert ids(sales) == [one for one in range(30) if one != 7]
    assert rows_aside(sales, pipeline(sales))["id"].tolist() == [7]
    (record,) = QuarantineFiles(sales, "sales").releases()
    assert (record["why"], record["actor"], record["rows"], record["snapshot"]) == ("returns are negative", "me", 2, done.snapshot)
    assert ingest(sales, pipeline(sales)).new_rows == 0


def test_only_rows_of_a_reason_are_released(sales: Settings) -> None:
    allow(sales.pipelines / "sales", -9)
    with pytest.raises(UsageError, match="No row of 'sales' is set aside for between\\(y\\)"):
        release(sales, pipeline(sales), "why not", "me", "between(y)")
    assert release(sales, pipeline(sales), "why not", "me", "between(x)").released == 3
    assert ids(sales) == list(range(30))
    assert list_aside(sales, pipeline(sales)) == []


class _Killed(BaseException):
    pass


@pytest.mark.parametrize(("step", "when"), [("_record", "before"), ("_record", "after"), ("unlink", "after")])
def test_a_release_that_is_killed_and_begun_again_adds_each_row_once(
    sales: Settings, step: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(sales.pipelines / "sales", -2)  # of the first file a row stays, the second one is released whole
    owner = Path if step == "unlink" else DataRepo  # the first file that is empty now goes, and the other one is as it was
    real = getattr(owner, step)

    def fatal(*args: Any, **kwargs: Any) -> Any:
        ours = step != "unlink" or (
            args[0].parent.name == "sales" and args[0].suffix == ".parquet" and args[0].parent.parent.name == "quarantine"
        )
        if when == "after" or not ours:
            answer = real(*args, **kwargs)
            if not ours:
                return answer
        raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(owner, step, fatal)
        with pytest.raises(_Killed):
            release(sales, pipeline(sales), "returns are negative", "me")
    allow(sales.pipelines / "sales", -9)  # and now another choice of rows passes
    release(sales, pipeline(sales), "all of them", "me")
    assert ids(sales) == list(range(30))
    assert rows_aside(sales, pipeline(sales)).empty
    assert sum(one["rows"] for one in QuarantineFiles(sales, "sales").releases()) == 3
    assert list(QuarantineFiles(sales, "sales").folder.glob(".after-*")) == []


def test_a_refused_batch_is_kept_and_its_rows_are_never_released_for_they_are_read_again(sales: Settings, tmp_path: Path) -> None:
    rows = table(40).assign(x=-1.0)
    rows.to_csv(tmp_path / "rows.csv", index=False)
    with pytest.raises(BatchRefused):
        ingest(sales, pipeline(sales))
    assert [(one.kind, one.rows) for one in list_aside(sales, pipeline(sales))] == [("aside", 2), ("aside", 1), ("refused", 10)]
    allow(sales.pipelines / "sales", -2)
    assert ingest(sales, pipeline(sales)).new_rows == 10
    assert release(sales, pipeline(sales), "returns are negative", "me").released == 2
    assert ids(sales) == [one for one in range(40) if one != 7]


def test_a_row_that_came_again_is_not_replaced_by_the_one_that_was_set_aside(sales: Settings, tmp_path: Path) -> None:
    later = table(34).iloc[29:].assign(x=[50.0, 50.0, 50.0, 50.0, 50.0])
    later.loc[33, "id"] = 20  # the source corrects a row that was set aside
    later.iloc[1:].to_csv(tmp_path / "rows.csv", index=False)
    ingest(sales, pipeline(sales))
    allow(sales.pipelines / "sales", -9)
    done = release(sales, pipeline(sales), "returns are negative", "me")
    assert (done.released, done.still_aside, done.reasons) == (2, 1, {"superseded(id)": 1})
    repo = DataRepo(sales)
    newest = repo.newest("sales")
    assert newest is not None
    assert repo.frame(newest).set_index("id")["x"][20] == 50.0


def test_the_command_lists_shows_exports_and_releases(sales: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start = ["--home", str(sales.home), "--pipelines", str(sales.pipelines)]
    main([*start, "quarantine", "sales"])
    said = capsys.readouterr().out
    assert "3 rows are set aside." in said
    assert "     2  expect_column_values_to_be_between(x)" in said
    main([*start, "--json", "quarantine", "sales", "--rows", "2", "--reason", "between(x)"])
    shown = json.loads(capsys.readouterr().out)
    assert (shown["count"], [one["id"] for one in shown["rows"]]) == (3, [3, 7])
    main([*start, "quarantine", "sales", "--export", str(tmp_path / "aside.csv")])
    assert pd.read_csv(tmp_path / "aside.csv")["id"].tolist() == [3, 7, 20]
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main([*start, "quarantine", "sales", "release", "--why", "nothing changed"])
    assert left.value.code == 1, "no row passed"
    allow(sales.pipelines / "sales", -9)
    capsys.readouterr()
    main([*start, "--json", "quarantine", "sales", "release", "--why", "returns are negative", "--actor", "ann"])
    assert json.loads(capsys.readouterr().out)["released"] == 3
    main([*start, "quarantine", "sales"])
    assert "3 rows released by ann: returns are negative" in capsys.readouterr().out
