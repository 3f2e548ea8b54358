"""A batch that comes in several parts is held against the history as the whole that it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from adapters.data_repo import DataRepo
from adapters.pipeline_files import load_pipeline
from adapters.settings import read_settings
from contracts.errors import BatchRefused
from contracts.verdict import Outcome, Verdict
from flows.stages import ingest as stage
from flows.stages.ingest import ingest
from tests.flows.stages.test_ingest import SPEC, SUITE

DAYS, KNOWN = 70, 60
NOW = datetime(2026, 3, 12, 6, tzinfo=UTC)  # six hours after the last row
CHECKS: dict[str, Any] = {
    "freshness": {"max_age": "1d"},
    "gaps": {"max_gap": "3h"},
    "volume": {"max_ratio": 1.5},
    "distribution": {"room": 0.2},
    "association": {"keep": 0.5},
}


def world() -> pd.DataFrame:
    """Return an hour a row; `y` follows `x`."""
    count = 24 * DAYS
    draw = np.random.default_rng(3)
    x = draw.normal(size=count)
    times = pd.date_range("2026-01-01", periods=count, freq="1h").strftime("%Y-%m-%dT%H:%M")
    return pd.DataFrame({"at": times, "id": range(count), "x": x, "y": 3 * x + draw.normal(0, 0.1, count)})


def come_in(folder: Path, rows: pd.DataFrame, part_rows: int, until: datetime = NOW) -> tuple[int, dict[str, Verdict]]:
    """Bring in the known days, then the rest in parts; return how many partitions the rest became, and what was said of it."""
    (folder / "pipelines" / "sales").mkdir(parents=True)
    settings, data = read_settings(folder / "home", folder / "pipelines"), folder / "rows.csv"
    (folder / "pipelines" / "sales" / "params.yaml").write_text("seed: 1\n")
    found, partitions = {}, 0
    for table, size, severity in ((rows[: 24 * KNOWN], 100_000, "warn"), (rows, part_rows, "batch")):
        table.to_csv(data, index=False)
        checks = {name: {**one, "severity": severity} for name, one in CHECKS.items()}
        spec = {**SPEC, "checks": checks, "source": {"kind": "file", "path": str(data), "part_rows": size}}
        (folder / "pipelines" / "sales" / "pipeline.yaml").write_text(json.dumps(spec))
        done = ingest(settings, load_pipeline(settings, "sales"), until)
        found, partitions = {one.gate: one for one in done.verdicts}, len(done.snapshot.partitions) - 1
    assert len(DataRepo(settings).snapshots("sales")) == 2
    return partitions, found


def test_what_is_said_of_a_batch_in_parts_is_what_is_said_of_it_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, whole = come_in(tmp_path / "whole", world(), 100_000)
    several, parts = come_in(tmp_path / "parts", world(), 50)
    assert (one, several) == (1, 5)
    assert parts == whole
    assert {gate for gate, said in parts.items() if said.outcome is Outcome.PASS} == {
        "freshness", "gaps", "volume", "distribution(x)", "distribution(y)", "association",
    }  # fmt: skip
    monkeypatch.setattr(stage, "_MOST_ROWS", 60)
    _, thinned = come_in(tmp_path / "thinned", world(), 50)
    for gate in ("freshness", "gaps", "volume"):
        assert thinned[gate] == whole[gate], "these see every row's time, of however many"
    assert (thinned["distribution(x)"].samples, thinned["distribution(x)"].outcome) == (60, Outcome.PASS)


def _twice_a_day(rows: pd.DataFrame) -> pd.DataFrame:
    again = rows[rows["at"].str.startswith("2026-03-05")]
    return pd.concat([rows, again.assign(id=again["id"] + 1_000_000)])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_twice_a_day, "2026-03-05 has 48 rows, and Thursdays before had 24"),
        (lambda rows: rows[~rows["at"].between("2026-03-05T00:00", "2026-03-05T07:00")], "no row for 9 h before 2026-03-05T08:00"),
        (lambda rows: rows.assign(x=rows["x"].where(rows["at"] < "2026-03-02", rows["x"] + 4)), "x is .* away from the reference"),
    ],
    ids=["a day came twice", "a gap", "another unit"],
)
def test_a_batch_in_parts_is_refused_for_what_no_part_shows_alone(tmp_path: Path, damage: Any, said: str) -> None:
    with pytest.raises(BatchRefused, match=said):
        come_in(tmp_path, damage(world()).sort_values("at", kind="stable"), 20)
    settings = read_settings(tmp_path / "home", tmp_path / "pipelines")
    assert len(DataRepo(settings).snapshots("sales")) == 1


def in_parts(folder: Path, rows: pd.DataFrame) -> Any:
    """Bring in rows, fifty a part, under the suite; return what came of it, or the refusal."""
    place = folder / "pipelines" / "sales"
    place.mkdir(parents=True)
    rows.to_csv(folder / "rows.csv", index=False)
    source = {"kind": "file", "path": str(folder / "rows.csv"), "part_rows": 50}
    (place / "pipeline.yaml").write_text(json.dumps({**SPEC, "checks": {"max_quarantined": 0.2}, "source": source}))
    (place / "params.yaml").write_text("seed: 1\n")
    (place / "suite.json").write_text(json.dumps(SUITE))
    settings = read_settings(folder / "home", folder / "pipelines")
    try:
        return ingest(settings, load_pipeline(settings, "sales"), NOW)
    except BatchRefused as refused:
        return refused


@pytest.mark.parametrize(("wrong", "refused"), [(6, False), (26, True)])
def test_of_a_batch_in_parts_the_page_and_the_numbers_are_those_of_the_worst_part(tmp_path: Path, wrong: int, refused: bool) -> None:
    rows = world()[:200].assign(x=1.0, y=1.0)
    rows.loc[rows.index[10], "x"] = -1.0
    rows.loc[rows.index[60 : 60 + wrong], "x"] = -1.0  # the second of four parts
    done = in_parts(tmp_path, rows)
    assert isinstance(done, BatchRefused) is refused
    assert Path(done.docs).parent.name.startswith("20260103T02"), "a page's folder says from when to when its part is"
    said = {one.gate: one.observed for one in done.verdicts}
    assert (said["expect_column_values_to_be_between(x)"], said["quarantined rows"]) == (wrong, wrong / 50)
    assert next(one.observed for one in done.checks if one.column == "x") == f"{wrong} of 50 rows"
