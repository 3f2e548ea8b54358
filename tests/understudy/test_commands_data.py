"""ingest, snapshots, check and status on a small pipeline with a real data repository."""

import json
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
