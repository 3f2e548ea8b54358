"""Rows that come late and rows that are corrected: each counts once, at its newest value, and what is known is dropped and counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from adapters.data_repo import DataRepo
from adapters.pipeline_files import load_pipeline
from adapters.settings import Settings, read_settings
from contracts.errors import BatchRefused, SpecError, UsageError
from contracts.snapshot import Snapshot
from flows.stages.ingest import IngestResult, ingest
from flows.stages.quarantine import rows_aside
from tests.flows.stages.test_ingest import SPEC, SUITE, at, table

LATE = {"lateness": "1d"}


class Place:
    def __init__(self, folder: Path, *, suite: bool = False, **source: Any) -> None:
        self.folder = folder / "pipelines" / "sales"
        self.folder.mkdir(parents=True)
        self.data = folder / "rows.csv"
        self.settings: Settings = read_settings(folder / "home", folder / "pipelines")
        (self.folder / "params.yaml").write_text("seed: 1\n")
        if suite:
            (self.folder / "suite.json").write_text(json.dumps(SUITE))
        self.source(**source)

    def source(self, **source: Any) -> None:
        spec = {**SPEC, "checks": {"max_quarantined": 0.5}, "source": {"kind": "file", "path": str(self.data), **source}}
        (self.folder / "pipeline.yaml").write_text(json.dumps(spec))

    def run(self, rows: pd.DataFrame, **more: Any) -> IngestResult:
        rows.to_csv(self.data, index=False)
        return ingest(self.settings, load_pipeline(self.settings, "sales"), **more)

    def rows(self, snapshot: Snapshot, **more: Any) -> pd.DataFrame:
        return DataRepo(self.settings).frame(snapshot, **more)


def counts(one: IngestResult) -> tuple[int, int, int, int]:
    return one.new_rows, one.late, one.corrected, one.known


def test_a_late_row_and_a_correction_come_in_once_and_known_rows_are_counted(tmp_path: Path) -> None:
    place, world = Place(tmp_path, **LATE), table(50)
    place.run(world.drop(index=[40]).head(47))  # the row of hour 40 is late
    world.loc[[30, 45], "y"] = 9.0  # two are corrected, one of them with new rows beside it
    done = place.run(world)
    assert counts(done) == (5, 1, 2, 24 - 3), "hours 48 and 49 are new; of the day before the watermark the rest is known"
    rows = place.rows(done.snapshot)
    assert rows["id"].tolist() == list(range(50))
    assert rows.loc[rows["y"] == 9.0, "id"].tolist() == [30, 45]
    assert done.snapshot.rows == len(rows)
    again = place.run(world)
    assert (counts(again), again.snapshot.id) == ((0, 0, 0, 24), done.snapshot.id)
    assert place.rows(done.snapshot, since=at(29))["id"].tolist() == list(range(29, 50))
    earlier = DataRepo(place.settings).snapshots("sales")[0]
    assert place.rows(earlier)["y"].tolist() == [5.0] * 47, "a snapshot stays as it was"


def test_a_correction_alone_makes_a_snapshot_and_may_be_taken_back(tmp_path: Path) -> None:
    place, world = Place(tmp_path, **LATE), table(30)
    first = place.run(world)
    values = []
    for value in (7.0, 5.0, 7.0):
        world.loc[20, "y"] = value
        done = place.run(world)
        assert counts(done) == (1, 0, 1, 23)
        values.append(place.rows(done.snapshot).loc[20, "y"])
    assert values == [7.0, 5.0, 7.0]
    assert (done.snapshot.rows, done.snapshot.watermark) == (30, first.snapshot.watermark)


def test_the_same_rows_by_the_same_way_give_the_same_digest_anywhere(tmp_path: Path) -> None:
    places = [Place(tmp_path / name, **LATE) for name in ("one", "other")]
    digests = []
    for place in places:
        world = table(40)
        place.run(world.drop(index=[35]))
        world.loc[30, "y"] = 8.0
        digests.append(place.run(world).snapshot.digest)
    assert digests[0] == digests[1]


def test_what_is_later_than_the_spec_allows_waits_for_an_operator(tmp_path: Path) -> None:
    place, world = Place(tmp_path, **LATE), table(48)
    place.run(world.drop(index=[3]))
    assert counts(place.run(world))[:3] == (0, 0, 0)
    done = place.run(world, since=at(0))
    assert counts(done)[:3] == (1, 1, 0)
    assert place.rows(done.snapshot)["id"].tolist() == list(range(48))


def test_of_two_rows_with_one_key_in_the_window_the_last_counts_and_nothing_goes_to_and_fro(tmp_path: Path) -> None:
    place, world = Place(tmp_path, **LATE), table(30)
    place.run(world)
    world = pd.concat([world, world.iloc[[25]].assign(y=6.0)])  # corrected by a further row, as a log has it
    assert counts(place.run(world))[:3] == (1, 0, 1)
    assert counts(place.run(world)) == (0, 0, 0, 25)


def test_a_row_that_was_set_aside_is_set_aside_once_and_comes_in_when_it_is_mended(tmp_path: Path) -> None:
    place, world = Place(tmp_path, suite=True, **LATE), table(30)
    world.loc[[25, 29], "x"] = -1.0  # the suite wants none below 0
    first = place.run(world)
    assert (first.new_rows, first.quarantined) == (28, 2)
    again = place.run(world)
    assert (counts(again), again.quarantined) == ((0, 0, 0, 24), 0)
    world.loc[25, "x"] = 1.0
    mended = place.run(world)
    assert (counts(mended)[:3], mended.quarantined, mended.snapshot.quarantined) == ((1, 1, 0), 0, 2)
    assert place.rows(mended.snapshot)["id"].tolist() == list(range(29))


def test_late_rows_that_do_not_pass_alone_wait_for_new_ones(tmp_path: Path) -> None:
    place, world = Place(tmp_path, suite=True, **LATE), table(48)
    before = place.run(world.drop(index=[40]))
    world.loc[40, "y"] = 1e6  # alone, the batch's mean is far too high
    waits = place.run(world)
    assert (waits.new_rows, waits.waiting, waits.snapshot.id) == (0, 1, before.snapshot.id)
    assert "wait for new rows" in waits.said
    longer = pd.concat([world, table(51).tail(3).assign(y=-3.4e5)])
    assert place.run(longer).late == 1


def test_a_wrong_batch_is_refused_with_its_late_rows(tmp_path: Path) -> None:
    place, world = Place(tmp_path, suite=True, **LATE), table(48)
    place.run(world.head(40).drop(index=[30]))
    with pytest.raises(BatchRefused, match="y column mean"):
        place.run(world.assign(y=1e6))
    assert counts(place.run(world))[:3] == (9, 1, 0), "no row of the refused batch came in"


def test_lateness_needs_a_key(tmp_path: Path) -> None:
    place = Place(tmp_path, **LATE)
    spec = json.loads((place.folder / "pipeline.yaml").read_text())
    spec["columns"]["key"] = []
    (place.folder / "pipeline.yaml").write_text(json.dumps(spec))
    with pytest.raises(SpecError, match=r"columns\.key, which is empty"):
        place.run(table())
    spec["source"].pop("lateness")
    (place.folder / "pipeline.yaml").write_text(json.dumps(spec))
    with pytest.raises(UsageError, match=r"no columns\.key"):
        place.run(table(), since=at(0))


def test_killed_before_the_snapshot_and_run_again_each_row_that_is_set_aside_is_in_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, world = Place(tmp_path, suite=True, **LATE), table(60)
    world.loc[[35, 45, 55], "x"] = -1.0  # the suite wants none below 0
    place.run(world.drop(index=[35]).head(40))
    with monkeypatch.context() as patch:
        patch.setattr(DataRepo, "add_batch", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            place.run(world.head(50))  # 35 is late, 45 is new: one file
    done = place.run(world)
    aside = rows_aside(place.settings, load_pipeline(place.settings, "sales"))
    assert (aside["id"].tolist(), done.snapshot.quarantined) == ([35, 45, 55], 3)
