"""The frame of the benchmarks: what is written is what INTERFACE.md promises, and a bar that is missed is seen."""

import json
import time
from pathlib import Path

import pytest

from benchmarks.frame import RESULTS, Bench, Row, table, versus

_PROMISED = {"what", "ours", "peer", "peer_name", "ratio", "bar", "holds"}


@pytest.mark.parametrize(
    ("row", "holds"),
    [
        (Row("s", 2.0, 1.0, "peer", bar=2.0), True),
        (Row("s", 2.1, 1.0, "peer", bar=2.0), False),
        (Row("requests/s", 2.0, 1.0, "peer", bar=2.0, better="higher"), True),
        (Row("requests/s", 1.9, 1.0, "peer", bar=2.0, better="higher"), False),
        (Row("s", 14.0, bar=15.0), True),
        (Row("s", 16.0, bar=15.0), False),
        (Row("s", 16.0, 0.0, "peer", bar=2.0), False),
        (Row("s", 16.0, 1.0, "peer"), None),
        (Row("share", 0.05, 0.01, "peer", bar=0.05, bar_on="ours"), True),
        (Row("share", 0.06, 0.30, "peer", bar=0.05, bar_on="ours"), False),
    ],
)
def test_a_bar_is_on_the_ratio_where_there_is_a_peer_and_on_ours_where_there_is_none(row: Row, holds: bool | None) -> None:
    assert row.holds is holds


def test_a_run_writes_json_and_plot_and_fails_where_a_bar_does_not_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench("sample", ["numpy"], peers={"plain": "1.2"})
    bench.add(Row("seconds", 1.0, 2.0, "plain", bar=1.0))
    assert bench.finish(tmp_path) == 0
    bench.add(Row("seconds more", 3.0, 2.0, "plain", bar=1.0))
    assert bench.finish(tmp_path) == 1
    written = json.loads((tmp_path / "sample.json").read_text())
    assert set(written) == {"machine", "versions", "rows"}
    assert all(set(row) >= _PROMISED for row in written["rows"])
    assert written["versions"]["numpy"]
    assert written["versions"]["plain"] == "1.2"
    first = (tmp_path / "sample.svg").read_bytes()
    bench.finish(tmp_path)
    assert (tmp_path / "sample.svg").read_bytes() == first
    assert "**does not hold**" in capsys.readouterr().out


def test_versus_runs_both_in_turns_and_returns_medians() -> None:
    turns: list[str] = []
    ours, peer = versus(lambda: turns.append("o"), lambda: (turns.append("p"), time.sleep(0.01)), 4)
    assert "".join(turns) == "op" + "oppo" * 2
    assert ours < 0.01 <= peer


def test_a_table_says_each_row_once() -> None:
    assert table([Row("a", 12345.0, 2.0, "b", bar=3.0)]).splitlines()[2] == "| a | 12,345 | 2 | b | 6,172 | ≤ 3 | **does not hold** |"


def test_every_committed_result_has_the_promised_form_and_its_plot() -> None:
    for path in RESULTS.glob("*.json"):
        written = json.loads(path.read_text())
        assert set(written) >= {"machine", "versions", "rows"}, path.name
        assert written["rows"], path.name
        assert all(set(row) >= _PROMISED for row in written["rows"]), path.name
        assert path.with_suffix(".svg").exists() or path.with_suffix(".png").exists(), path.name
