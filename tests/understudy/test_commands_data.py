"""ingest, snapshots, check and status on a small pipeline with a real data repository."""

import json
import re
from pathlib import Path

import pytest

from understudy.main import main

_SPEC = """
name: tiny
task: regression
source: {kind: file, path: ROWS}
columns: {time: at, target: y, features: {numeric: [x]}}
train: {holdout: 1d, estimator: sklearn.linear_model.Ridge}
gates: [{metric: mae, max: 10}]
rollout: {stages: [{kind: shadow, loss: absolute_error}]}
"""
_SUITE = {
    "name": "tiny",
    "expectations": [
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "x", "min_value": 0, "max_value": 9},
            "meta": {"severity": "row"},
        }
    ],
}


@pytest.fixture
def tiny(tmp_path: Path) -> list[str]:
    rows = tmp_path / "rows.csv"
    rows.write_text("at,x,y\n" + "".join(f"2026-01-0{day}T00:00:00Z,{day},{day}\n" for day in range(1, 9)))
    folder = tmp_path / "pipelines" / "tiny"
    folder.mkdir(parents=True)
    (folder / "pipeline.yaml").write_text(_SPEC.replace("ROWS", str(rows)))
    (folder / "params.yaml").write_text("seed: 0\nestimator: {}\n")
    (folder / "suite.json").write_text(json.dumps(_SUITE))
    return ["--home", str(tmp_path / "home"), "--pipelines", str(tmp_path / "pipelines"), "--json"]


@pytest.mark.filterwarnings("default")  # Great Expectations and DVC warn about their own insides
def test_ingest_then_check_and_a_bad_file_exits_1(tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([*tiny, "ingest", "tiny"])
    assert json.loads(capsys.readouterr().out)["new_rows"] == 8
    main([*tiny, "snapshots", "tiny"])
    assert len(json.loads(capsys.readouterr().out)) == 1
    main([*tiny, "check", "tiny"])
    capsys.readouterr()
    bad = tmp_path / "bad.csv"
    bad.write_text("at,x,y\n2026-02-01T00:00:00Z,99,1\n")
    with pytest.raises(SystemExit) as left:
        main([*tiny, "check", "tiny", str(bad)])
    assert left.value.code == 1
    assert json.loads(capsys.readouterr().out)["results"][0]["success"] is False


@pytest.mark.filterwarnings("default")  # Great Expectations and DVC warn about their own insides
def test_check_lists_the_failing_rows_by_value_and_holds_the_newest_batch_against_the_history(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    people = [one for one in tiny if one != "--json"]
    main([*tiny, "ingest", "tiny"])
    with (tmp_path / "rows.csv").open("a") as rows:
        rows.write("".join(f"2026-01-{day}T00:00:00Z,{day % 9},1\n" for day in (12, 13)))
    main([*tiny, "ingest", "tiny"])
    spec = tmp_path / "pipelines" / "tiny" / "pipeline.yaml"
    spec.write_text(spec.read_text() + "checks: {gaps: {max_gap: 2d, severity: warn}, volume: {}}\n")
    capsys.readouterr()

    main([*people, "check", "tiny"])  # a warning alone is only said
    said = capsys.readouterr().out
    assert said.splitlines()[0] == "10 rows, 3 checks: 1 fail, 1 inconclusive, 1 pass."
    assert re.search(r"table +gaps +warn +fail +4 d +2 d", said)
    assert "no row for 4 d before 2026-01-12T00:00:00+00:00" in said

    suite = tmp_path / "pipelines" / "tiny" / "suite.json"
    suite.write_text(suite.read_text().replace('"max_value": 9', '"max_value": 4.5'))
    with pytest.raises(SystemExit) as left:
        main([*people, "check", "tiny", "--all"])
    assert left.value.code == 1
    said = capsys.readouterr().out
    assert re.search(r"x +be between +row +fail +4 of 10 rows +min_value=0, *(max_value=4.5)? +5 \(row 4\)", said), said
    assert "6 (row 5)" in said
    assert "7 (row 6)" in said
    assert "8 (row 7)" not in said, "three examples are enough"

    with pytest.raises(SystemExit):
        main([*tiny, "check", "tiny"])
    document = json.loads(capsys.readouterr().out)
    first = document["checks"][0]
    assert (first["column"], first["outcome"], first["severity"], first["observed"]) == ("x", "fail", "row", "4 of 10 rows")
    assert (first["limit"], first["examples"]) == ("min_value=0, max_value=4.5", ["5 (row 4)", "6 (row 5)", "7 (row 6)"])
    assert [one["gate"] for one in document["history"]] == ["gaps", "volume"]
    assert document["history"][0]["observed"] == 4 * 86_400


def test_status_of_a_pipeline_that_never_ran_is_idle_and_names_every_promised_key(
    tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    main([*tiny, "status", "tiny"])
    said = json.loads(capsys.readouterr().out)
    promised = "pipeline champion previous candidate phase stage epoch route evidence shadow decisions engine"
    assert set(promised.split()) <= said.keys()
    assert said["phase"] == "idle"


def test_replay_without_a_gateway_exits_2_and_says_so(tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([*tiny, "replay", "tiny", str(tmp_path / "rows.csv")])
    assert left.value.code == 2
    assert "No gateway is up" in capsys.readouterr().err


@pytest.mark.filterwarnings("default")  # Great Expectations and DVC warn about their own insides
@pytest.mark.parametrize("as_json", [False, True])
def test_an_ingest_that_refuses_its_batch_shows_on_stderr_what_check_would(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    with (tmp_path / "rows.csv").open("a") as rows:
        rows.write("2026-01-11T00:00:00Z,99,1\n")
    with pytest.raises(SystemExit) as left:
        main([*(one for one in tiny if as_json or one != "--json"), "ingest", "tiny"])
    said = capsys.readouterr()
    assert (left.value.code, said.out) == (1, "")
    assert said.err.splitlines()[0] == "9 rows, 2 checks: 2 fail."
    assert re.search(r"x +be between +row +fail +1 of 9 rows +min_value=0, max_value=9 +99 \(row 8\)", said.err)
    assert re.search(r"table +quarantined rows +batch +fail +11.1% +1.0%", said.err)
    assert "A batch of 9 rows of 'tiny' was refused: 1 of 9 rows (11.11%) were set aside" in said.err
