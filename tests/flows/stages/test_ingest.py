"""Ingest: new rows become one snapshot, bad rows go aside, bad batches are refused; killed anywhere and run again, no row is twice."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from adapters.data_repo import DataRepo
from adapters.pipeline_files import Pipeline, load_pipeline
from adapters.settings import Settings, read_settings
from contracts.errors import BatchRefused, SpecError
from contracts.verdict import Outcome
from flows.stages.checked import checks_of
from flows.stages.ingest import ingest

HOURS = 48
SPEC: dict[str, Any] = {
    "name": "sales",
    "task": "regression",
    "clock": "event",
    "source": {"kind": "file", "path": ""},
    "columns": {"time": "at", "key": ["id"], "target": "y", "label_delay": "1h", "features": {"numeric": ["x"]}},
    "train": {"holdout": "1d", "estimator": "x.y"},
    "checks": {"max_quarantined": 0.1},
    "gates": [{"metric": "mae", "max": 1}],
    "rollout": {"stages": [{"kind": "shadow", "loss": "absolute_error"}]},
}
SUITE = {
    "name": "sales",
    "expectations": [
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "x", "min_value": 0}, "meta": {"severity": "row"}},
        {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "y", "max_value": 1000}, "meta": {"severity": "batch"}},
    ],
}


def table(hours: int = HOURS) -> pd.DataFrame:
    times = pd.date_range("2026-01-01", periods=hours, freq="1h")
    return pd.DataFrame({"at": times.strftime("%Y-%m-%dT%H:%M"), "id": range(hours), "x": [float(n) for n in range(hours)], "y": 5.0})


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[Settings, Path]]:
    folder = tmp_path / "pipelines" / "sales"
    folder.mkdir(parents=True)
    data = tmp_path / "rows.csv"
    (folder / "pipeline.yaml").write_text(json.dumps({**SPEC, "source": {"kind": "file", "path": str(data)}}))
    (folder / "params.yaml").write_text("seed: 1\n")
    (folder / "suite.json").write_text(json.dumps(SUITE))
    table().to_csv(data, index=False)
    return (read_settings(tmp_path / "home", tmp_path / "pipelines"), data)


def run(place: tuple[Settings, Path], until: datetime | None = None) -> Any:
    settings, _ = place
    return ingest(settings, load_pipeline(settings, "sales"), until)


def at(hour: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour)


def test_only_rows_with_a_known_label_are_read_and_each_once(place: tuple[Settings, Path]) -> None:
    first = run(place, at(10))
    assert (first.new_rows, first.snapshot.watermark) == (10, at(9))
    assert first.docs is not None
    assert first.docs.is_file()
    kept = checks_of(place[0], first.snapshot)
    assert kept is not None
    assert (kept.verdicts, kept.rows, kept.quarantined, kept.docs) == (first.verdicts, 10, 0, str(first.docs))
    again = run(place, at(10))
    assert (again.new_rows, again.snapshot.id, again.verdicts) == (0, first.snapshot.id, ())
    rest = run(place)
    assert (rest.new_rows, rest.snapshot.rows) == (HOURS - 10, HOURS)
    assert DataRepo(place[0]).frame(rest.snapshot)["id"].tolist() == list(range(HOURS))


def test_bad_rows_are_set_aside_with_their_reasons(place: tuple[Settings, Path]) -> None:
    settings, data = place
    frame = table()
    frame.loc[[3, HOURS - 1], "x"] = -1.0
    frame.to_csv(data, index=False)
    result = run(place)
    assert (result.new_rows, result.quarantined, result.snapshot.quarantined) == (HOURS - 2, 2, 2)
    (kept,) = (settings.home / "quarantine" / "sales").glob("*.parquet")
    aside = pd.read_parquet(kept)
    assert aside["id"].tolist() == [3, HOURS - 1]
    assert set(aside["quarantine_reasons"]) == {"expect_column_values_to_be_between(x)"}
    assert run(place).new_rows == 0, "a row set aside at the end is not read again"


def with_checks(place: tuple[Settings, Path], **checks: dict[str, str]) -> None:
    folder, spec = place[0].pipelines / "sales", {**SPEC, "source": {"kind": "file", "path": str(place[1])}}
    (folder / "pipeline.yaml").write_text(json.dumps({**spec, "checks": {**SPEC["checks"], **checks}}))


def test_a_batch_with_a_hole_before_it_is_refused_against_the_history(place: tuple[Settings, Path]) -> None:
    with_checks(place, gaps={"max_gap": "3h", "severity": "batch"}, volume={})
    before = run(place, at(10)).snapshot
    whole = table()
    whole.drop(index=range(9, 14)).to_csv(place[1], index=False)
    with pytest.raises(BatchRefused, match=r"no row for 5 h before 2026-01-01T14:00:00\+00:00; at most 3 h are allowed."):
        run(place)
    assert DataRepo(place[0]).newest("sales") == before
    whole.to_csv(place[1], index=False)
    found = {one.gate: one.outcome for one in run(place).verdicts}
    assert (found["gaps"], found["volume"]) == (Outcome.PASS, Outcome.INCONCLUSIVE), "two days say nothing about a weekday"


def test_a_source_that_stands_still_is_said_though_nothing_new_came(place: tuple[Settings, Path]) -> None:
    with_checks(place, freshness={"max_age": "1d"})
    run(place, at(10))
    (said,) = run(place, at(10)).verdicts
    assert (said.gate, said.outcome, said.observed) == ("freshness", Outcome.PASS, 3600.0)
    table(10).to_csv(place[1], index=False)
    (said,) = run(place, at(60)).verdicts
    assert said.reason.startswith("Warning only: the newest row is of 2026-01-01T09:00:00+00:00, 2 d 3 h ago")


@pytest.mark.parametrize(
    ("column", "rows", "value", "message"),
    [
        ("x", 10, -1.0, "10 of 46 rows (21.74%) were set aside; at most 10.00% may be."),
        ("y", 48, 1e6, "y column mean to be between (max_value=1000) fails: observed 1e+06."),
    ],
)
def test_a_bad_batch_is_refused_as_a_whole(place: tuple[Settings, Path], column: str, rows: int, value: float, message: str) -> None:
    settings, data = place
    before = run(place, at(2)).snapshot
    frame = table()
    frame.loc[HOURS - rows :, column] = value
    frame.to_csv(data, index=False)
    with pytest.raises(BatchRefused) as caught:
        run(place)
    assert message in str(caught.value)
    (failed,) = [one for one in caught.value.verdicts if one.outcome is Outcome.FAIL]
    assert failed.reason == message
    assert caught.value.rows == HOURS - 2
    assert caught.value.docs is not None
    assert Path(caught.value.docs).is_file()
    shown = next(one for one in caught.value.checks if (one.column, one.outcome) == (column, "fail"))
    assert (shown.limit, shown.observed) == {"x": ("min_value=0", "10 of 46 rows"), "y": ("max_value=1000", "1e+06")}[column]
    assert DataRepo(settings).newest("sales") == before
    assert len(list((settings.home / "quarantine" / "sales").glob("refused-*.parquet"))) == 1
    table().to_csv(data, index=False)
    assert run(place).new_rows == HOURS - 2


def test_a_batch_whose_column_turned_into_text_or_went_is_refused(place: tuple[Settings, Path]) -> None:
    settings, data = place
    run(place, at(10))
    table().assign(x=["many"] * HOURS).to_csv(data, index=False)
    with pytest.raises(BatchRefused, match="column 'x' was number and is text") as caught:
        run(place)
    assert [(one.gate, one.outcome) for one in caught.value.verdicts] == [("columns", Outcome.FAIL)]
    assert [one.reason for one in caught.value.checks] == [one.reason for one in caught.value.verdicts]
    table().assign(further=1, y=7).to_csv(data, index=False)
    assert run(place).snapshot.rows == HOURS, "a further column and a whole number are no conflict"
    assert DataRepo(settings).newest("sales") is not None


def test_a_source_without_any_row_says_so(place: tuple[Settings, Path]) -> None:
    with pytest.raises(SpecError, match="has no row up to 2025"):
        run(place, datetime(2026, 1, 1, 0, 30, tzinfo=UTC))


def test_two_at_once_add_each_row_once(place: tuple[Settings, Path]) -> None:
    run(place, at(5))
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: run(place), range(2)))
    assert sorted(one.new_rows for one in done) == [0, HOURS - 5]
    assert DataRepo(place[0]).frame(done[0].snapshot)["id"].is_unique


# Where a process can be killed: before or after each of these, in the order in which ingest calls them.
STEPS = [
    ("adapters.quarantine_files", "QuarantineFiles.keep"),
    ("adapters.data_repo", "dvc_files.lay_out"),
    ("adapters.data_repo", "git:init"),
    ("adapters.data_repo", "write_parquet"),
    ("adapters.data_repo", "dvc_files.add_and_push"),
    ("adapters.dvc_files", "_track"),
    ("dvc.repo", "Repo.push"),
    ("adapters.data_repo", "write_manifest"),
    ("adapters.data_repo", "git:add"),
    ("adapters.data_repo", "git:commit"),
    ("adapters.data_repo", "git:tag"),
]
KILLER = """
import importlib, os, signal, sys
from pathlib import Path
module, name, when, home, pipelines = sys.argv[1:]
target = importlib.import_module(module)
name, _, verb = name.partition(":")
*parents, name = name.split(".")
for parent in parents:
    target = getattr(target, parent)
real = getattr(target, name)
def fatal(*args, **kwargs):
    ours = not verb or args[1] == verb and not (verb == "tag" and args[2] == "--list")
    if ours and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    answer = real(*args, **kwargs)
    if ours:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer
setattr(target, name, fatal)
from adapters.pipeline_files import load_pipeline
from adapters.settings import read_settings
from flows.stages.ingest import ingest
settings = read_settings(Path(home), Path(pipelines))
ingest(settings, load_pipeline(settings, "sales"), None)
"""


def killed(settings: Settings, module: str, name: str, when: str) -> int:
    command = [sys.executable, "-c", KILLER, module, name, when, str(settings.home), str(settings.pipelines)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    return subprocess.run(command, env=environment, capture_output=True, check=False, timeout=120).returncode


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("module", "name"), STEPS)
def test_killed_at_any_step_and_run_again_every_row_is_there_once(place: tuple[Settings, Path], module: str, name: str, when: str) -> None:
    settings, data = place
    folder = settings.pipelines / "sales"
    (folder / "suite.json").unlink()  # Great Expectations' import would be most of the time
    spec = json.loads((folder / "pipeline.yaml").read_text())
    (folder / "pipeline.yaml").write_text(json.dumps({**spec, "source": {**spec["source"], "lateness": "7d"}}))
    creates = name in {"dvc_files.lay_out", "git:init"}
    if not creates:
        run(place, at(10))
    assert killed(settings, module, name, when) == -signal.SIGKILL
    world = table(HOURS + 4)
    world.loc[8, "y"] = 6.0
    world.to_csv(data, index=False)  # the world goes on meanwhile, so the next batch is another one
    result = run(place)
    repo = DataRepo(settings)
    rows = repo.frame(result.snapshot)
    assert rows["id"].tolist() == list(range(HOURS + 4))
    assert rows.loc[rows["y"] != 5.0, "id"].tolist() == [8], "a correction of a row that was in before, or was not"
    finished = (name, when) in {("git:commit", "after"), ("git:tag", "before"), ("git:tag", "after")}
    assert len(repo.snapshots("sales")) == 2 + finished - creates, "a committed snapshot is kept, an unfinished one is not"
    folder = settings.data_repo / "sales"
    partitions = {one.name for one in result.snapshot.partitions}
    assert {path.name for path in folder.glob("*.parquet")} == partitions, "nothing is left over"
    assert {path.name for path in folder.glob("*.dvc")} == {f"{one}.dvc" for one in partitions}
    status = subprocess.run(["git", "status", "--short"], cwd=settings.data_repo, capture_output=True, text=True, check=True).stdout
    assert status == ""
    remote = {path.parent.name + path.name for path in Path(settings.dvc_remote).rglob("*") if path.is_file()}
    wanted = {hashlib.md5((folder / one).read_bytes(), usedforsecurity=False).hexdigest() for one in partitions}
    assert wanted <= remote


def test_the_real_file_comes_in_whole(place: tuple[Settings, Path], real_data: Path) -> None:
    settings, _ = place
    folder = settings.pipelines / "sales"
    spec = json.loads((folder / "pipeline.yaml").read_text())
    spec["source"]["path"] = str(real_data / "bike_sharing" / "hour.csv")
    spec["columns"] = {
        "time": {"from": ["dteday", "hr"], "format": "%Y-%m-%d %H"},
        "key": ["instant"],
        "target": "cnt",
        "features": {"numeric": ["temp", "hum"], "categorical": ["season"]},
    }
    (folder / "pipeline.yaml").write_text(json.dumps(spec))
    (folder / "suite.json").write_text(
        json.dumps({"expectations": [{"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "cnt"}}]})
    )
    pipeline: Pipeline = load_pipeline(settings, "sales")
    result = ingest(settings, pipeline)
    assert result.new_rows == 17379
    assert {verdict.outcome for verdict in result.verdicts} == {Outcome.PASS}
    assert DataRepo(settings).frame(result.snapshot, ["cnt"])["cnt"].sum() == 3_292_679
