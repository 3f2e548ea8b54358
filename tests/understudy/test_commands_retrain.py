"""retrain --local: one JSON document, progress on stderr, exit 1 where a gate was not met, 2 where the data cannot be fitted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapters.ledger import Ledger
from adapters.registry.connection import connect
from adapters.settings import read_settings
from tests.flows.stages.retrain_world import NAME, build_world
from understudy.main import main


@pytest.fixture
def typed(tmp_path: Path, mlflow_database: Path) -> list[str]:
    settings = build_world(tmp_path, mlflow_database)
    return ["--home", str(settings.home), "--pipelines", str(settings.pipelines), "--json", "retrain", NAME, "--local"]


def exit_code(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    return int(left.value.code or 0)


def test_a_retrain_prints_one_document_and_its_steps_beside_it_and_a_second_one_says_why_it_did_nothing(
    typed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    main([*typed, "--reason", "the first of all"])
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert (document["model"]["version"], document["submitted"], document["new_rows"]) == ("1", True, 720)
    assert "Seconds by step: ingest " in said.err
    assert "Version 1 of 'sales' is registered; it asks to become champion." in said.err
    main(typed)
    said = capsys.readouterr()
    assert json.loads(said.out)["skipped"].startswith("Nothing was fitted: no new row came")


def test_a_gate_that_is_not_met_exits_1_and_the_version_is_registered_all_the_same(
    typed: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "pipelines" / NAME / "pipeline.yaml"
    spec.write_text(json.dumps(json.loads(spec.read_text()) | {"gates": [{"metric": "mae", "max": 0.01}]}))
    assert exit_code(typed) == 1
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert (document["submitted"], document["model"]["version"]) == (False, "1")
    assert "NOT met: mae" in said.err


def test_data_that_cannot_be_fitted_exits_2_with_the_column_and_the_remedy(
    typed: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows.csv"
    head, *lines = rows.read_text().splitlines()
    rows.write_text("\n".join([head, *(line.replace(line.split(",")[2], "much", 1) for line in lines)]))
    assert exit_code(typed) == 2
    said = capsys.readouterr().err
    assert "Column 'x' is a numeric feature and holds text." in said
    assert "List it under columns.features.categorical." in said


def kept(home: Path) -> tuple[int, int, int]:
    """Return how many MLflow runs, versions and submissions there are."""
    settings = read_settings(home, home.parent / "pipelines")
    client = connect(settings.mlflow_uri)
    found = client.search_runs([one.experiment_id for one in client.search_experiments()])
    ledger = Ledger(settings.ledger_url)
    submitted = ledger.submissions(NAME, waiting=False)
    ledger.close()
    return len(found), len(client.search_model_versions(f"name = '{NAME}'")), len(submitted)


def test_a_dry_run_on_another_window_is_judged_by_every_gate_and_keeps_nothing(
    typed: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([*typed, "--dry-run", "--window", "10d"])
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert ([one["outcome"] for one in document["verdicts"]], document["new_rows"]) == (["PASS"] * 4, 720)
    assert "Fitted 240 rows" in said.err  # ten days of hours, before what is held out
    assert kept(tmp_path / "home") == (0, 0, 0)
    main([*typed, "--dry-run"])
    assert "Fitted 480 rows" in capsys.readouterr().err  # the spec's twenty days
    main([*typed, "--window", "10d"])
    assert json.loads(capsys.readouterr().out)["skipped"] is None
    assert kept(tmp_path / "home") == (1, 1, 1)


def test_a_dry_run_whose_gate_is_not_met_exits_1_and_keeps_nothing(
    typed: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "pipelines" / NAME / "pipeline.yaml"
    spec.write_text(json.dumps(json.loads(spec.read_text()) | {"gates": [{"metric": "mae", "max": 0.01}]}))
    assert exit_code([*typed, "--dry-run"]) == 1
    assert "NOT met: mae" in capsys.readouterr().err
    assert kept(tmp_path / "home") == (0, 0, 0)


@pytest.mark.parametrize("where", [["--local"], []])
def test_a_window_that_is_none_exits_2(typed: list[str], where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code([*typed[:-1], *where, "--window", "a fortnight"]) == 2
    assert "Or write `all`." in capsys.readouterr().err
