"""The windows of the drift benchmark: a change is what it says, and nothing else changes; ours sees the large ones."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.drift.windows import CATEGORICAL, NUMERIC, SIZES, Pair, plan, population, shifted, write
from benchmarks.frame import Bench
from benchmarks.peers.drift_ours import judge
from benchmarks.peers.drift_runner import main

_ROWS = 4000


def _changed(pair: Pair) -> set[str]:
    before, after = shifted(3, replace(pair, kind="none"), _ROWS), shifted(3, pair, _ROWS)
    return {name for name in before if not before[name].equals(after[name])}


def test_every_change_is_of_one_column_and_by_its_size() -> None:
    column = shifted(3, Pair(0, "none", 0.0), _ROWS)["temperature"]
    assert (shifted(3, Pair(0, "mean", 0.3), _ROWS)["temperature"] - column).mean() == pytest.approx(0.3 * column.std())
    assert shifted(3, Pair(0, "spread", 0.2), _ROWS)["temperature"].std() == pytest.approx(1.2 * column.std())
    assert shifted(3, Pair(0, "missing", 0.04), _ROWS)["temperature"].isna().mean() == pytest.approx(0.04, abs=0.01)
    assert (shifted(3, Pair(0, "unseen", 0.04), _ROWS)["device"] == "brand new").mean() == pytest.approx(0.04, abs=0.01)
    for kind in ("mean", "spread", "missing"):
        assert _changed(Pair(0, kind, 0.2)) == {"temperature"}
    for kind in ("shares", "unseen"):
        assert _changed(Pair(0, kind, 0.1)) == {"device"}


def test_a_correlation_changes_no_column_by_itself() -> None:
    window = shifted(3, Pair(0, "correlation", 0.7), _ROWS)
    assert window["temperature"].corr(window["margin"]) == pytest.approx(0.7, abs=0.05)
    assert window["margin"].std() == pytest.approx(1.0, abs=0.05)
    assert _changed(Pair(0, "correlation", 0.7)) == {"margin"}


def test_every_beginning_of_the_plan_has_its_share_of_windows_without_a_change() -> None:
    pairs = plan(500, 24)
    cases = sum(len(sizes) for sizes in SIZES.values())
    assert len(pairs) == len(set(pairs)) == 500 + 24 * cases
    part = pairs[:200]
    assert sum(one.kind == "none" for one in part) / 200 == pytest.approx(500 / len(pairs), abs=0.02)
    assert {one.kind for one in part} == {"none", *SIZES}


def test_the_product_is_asked_by_the_peers_protocol_and_sees_large_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [Pair(0, "none", 0.0), Pair(0, "mean", 0.5), Pair(1, "unseen", 0.1), Pair(2, "missing", 0.2)]
    write(tmp_path, pairs, 3, (2000, 1000))
    monkeypatch.setattr("sys.argv", ["drift_ours", "score", str(tmp_path), str(tmp_path / "out.json"), "60"])
    main(lambda table: table.to_pandas(), {"all": judge}, ())
    quiet, mean, unseen, missing = (one["all"] for one in json.loads((tmp_path / "out.json").read_text())["scores"])
    assert not any(value for name, value in quiet.items() if name.startswith("shipped"))
    assert mean["shipped data_drift temperature"] == 1.0
    assert unseen["shipped unseen channel"] == 1.0
    assert missing["shipped missing price"] == 1.0


def test_a_season_raises_no_alarm_where_the_same_hours_are_compared() -> None:
    from benchmarks.drift.season import season_alarms

    bench = Bench("sample")
    season_alarms(bench, 6)
    assert bench.rows[0].ours <= 1 / 6
    assert "against all hours 1" in bench.rows[0].what


def test_columns_are_of_many_shapes_and_rows_are_the_same_for_a_seed() -> None:
    first, again = population(np.random.default_rng(1), 500), population(np.random.default_rng(1), 500)
    pd.testing.assert_frame_equal(first, again)
    assert list(first) == [*NUMERIC, *CATEGORICAL]
    assert abs(first["price"].skew()) > 1 > abs(first["temperature"].skew())
