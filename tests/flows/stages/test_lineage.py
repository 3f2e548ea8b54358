"""Every version says which rows trained it, and every row which versions saw it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types
import pytest

from adapters.data_repo import DataRepo
from adapters.parquet_files import write_parquet
from adapters.settings import Settings
from adapters.traffic_log import TrafficLog, epoch_us
from contracts.columns import EVENT_TIME, REASONS
from contracts.errors import UsageError
from contracts.traffic import AnsweredBatch, ShadowBatch
from flows.stages.lineage import trained_by
from flows.stages.retrain import retrain_local
from flows.stages.row_history import seen_by
from tests.flows.stages.retrain_world import NAME, SPEC, TRIGGER, at, build_world, pipeline_of, table
from training.roles import HELD_OUT, NOT_SAMPLED, TOO_OLD, TRAINED, UNLABELLED
from training.sample import key_hashes
from understudy.main import main


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, mlflow_database: Path) -> Settings:
    """Return a place with two versions: of 600 hours, and of 720, with a late correction of row 500 and row 650 unlabelled."""
    folder = tmp_path_factory.mktemp("lineage")
    settings = build_world(folder, mlflow_database)
    rows = table()
    rows.loc[rows["id"] == 650, "y"] = None
    rows.to_csv(folder / "rows.csv", index=False)
    retrain_local(settings, pipeline_of(settings), TRIGGER, until=at(600))
    correction = rows[rows["id"] == 500].assign(y=9.0, at="2026-01-31T00:30")
    pd.concat([rows, correction]).to_csv(folder / "rows.csv", index=False)
    retrain_local(settings, pipeline_of(settings), TRIGGER)
    bad = pd.DataFrame({EVENT_TIME: [pd.Timestamp(at(800))], "id": [800], REASONS: ["expect_column_values_to_not_be_null(x)"]})
    write_parquet(bad, settings.home / "quarantine" / NAME / "some.parquet")
    return settings


def test_the_rows_that_trained_a_version_are_those_of_its_window_before_its_holdout(world: Settings) -> None:
    found, rows = trained_by(world, NAME, "1")
    # by hand: rows 0 to 600 came; 3 days are held out: 529 to 600; 20 days before the edge at 528 are fitted: 49 to 528
    assert (found.parts[TRAINED].rows, found.parts[TRAINED].keys) == (480, {"id": (49, 528)})
    assert (found.parts[TRAINED].first, found.parts[TRAINED].last) == (at(49), at(528))
    assert (found.parts[HELD_OUT].rows, found.parts[HELD_OUT].keys) == (72, {"id": (529, 600)})
    assert (found.parts[TOO_OLD].rows, found.parts[UNLABELLED].rows) == (49, 0)
    assert rows["id"].tolist() == list(range(49, 529))
    assert (found.window, found.lineage.snapshot) == ("20d", DataRepo(world).snapshots(NAME)[0].id)


def test_a_correction_trains_in_the_place_of_the_row_that_it_corrects(world: Settings) -> None:
    found, rows = trained_by(world, NAME, "2")
    assert 500 not in set(rows["id"]), "its correction happened in the held-out days"
    assert found.parts[UNLABELLED].keys == {"id": (650, 650)}
    assert sum(part.rows for part in found.parts.values()) == 720


def test_where_a_sample_was_fitted_only_its_rows_trained_the_version(tmp_path: Path, mlflow_database: Path) -> None:
    train = {**SPEC["train"], "sample": {"rows": 100}}
    settings = build_world(tmp_path, mlflow_database, train=train)
    table().to_csv(tmp_path / "rows.csv", index=False)
    retrain_local(settings, pipeline_of(settings), TRIGGER, until=at(600))
    found, rows = trained_by(settings, NAME, "1")
    window = np.arange(49, 529)  # as above
    hashes = key_hashes(pa.table({"id": window}), ["id"], pipeline_of(settings).params.seed)
    assert rows["id"].tolist() == sorted(window[np.argsort(hashes)[:100]].tolist())
    assert {role: part.rows for role, part in found.parts.items() if part.rows} == {
        TRAINED: 100,
        NOT_SAMPLED: 380,
        HELD_OUT: 72,
        TOO_OLD: 49,
    }
    left = next(number for number in window.tolist() if number not in set(rows["id"]))
    said = [seen_by(settings, pipeline_of(settings), str(number)).versions[0].role for number in (left, rows["id"][0], 10)]
    assert said == [NOT_SAMPLED, TRAINED, TOO_OLD]


@pytest.mark.parametrize(
    ("key", "roles"),
    [
        ("10", [TOO_OLD, TOO_OLD]),
        ("300", [TRAINED, TRAINED]),
        ("id=550", [HELD_OUT, TRAINED]),
        ("500", [TRAINED, HELD_OUT]),
        ("650", ["not in its snapshot", UNLABELLED]),
        ("700.0", ["not in its snapshot", HELD_OUT]),
    ],
)
def test_a_row_says_what_it_was_to_each_version(world: Settings, key: str, roles: list[str]) -> None:
    assert [one.role for one in seen_by(world, pipeline_of(world), key).versions] == roles


def test_a_corrected_row_says_both_partitions_and_which_values_each_version_saw(world: Settings) -> None:
    found = seen_by(world, pipeline_of(world), "500")
    first, second = DataRepo(world).snapshots(NAME)
    assert [one for one, _ in found.came] == [first.id, second.id]
    assert [one.values["y"] for one in found.versions] == [table()["y"][500], 9.0]
    assert found.row["y"] == 9.0


def test_a_row_that_was_set_aside_and_one_that_only_the_log_knows_are_found(world: Settings) -> None:
    aside = seen_by(world, pipeline_of(world), "800")
    assert [(one.file, one.reasons) for one in aside.aside] == [("some.parquet", "expect_column_values_to_not_be_null(x)")]
    assert aside.versions == ()
    log, row = TrafficLog(world.traffic / NAME), table().iloc[300]
    features = {"x": [float(row["x"]), float(row["x"]) + 1], "shop": [row["shop"]] * 2}
    both = [epoch_us(at(300))] * 2
    log.append(AnsweredBatch(NAME, "1", 1, "champion", 1.0, 0, 5, ["r1", "r1"], [0, 1], both, [None, "u"], features, [0.5, 0.6]))
    log.append(ShadowBatch(NAME, "2", 1, 0, 5, ["r1"], [0], [0.7]))
    (known,) = seen_by(world, pipeline_of(world), "300").log
    assert (known.request_id, known.row, known.version, known.prediction, known.shadow) == ("r1", 0, "1", 0.5, ("2",))
    assert [one.row for one in seen_by(world, pipeline_of(world), "r1").log] == [0, 1]
    assert [one.row for one in seen_by(world, pipeline_of(world), "u").log] == [1]
    later = seen_by(world, pipeline_of(world), "301").log
    assert later == (), "another time"


def test_the_command_answers_both_questions_and_exits_1_for_a_row_that_nothing_knows(
    world: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = ["--home", str(world.home), "--pipelines", str(world.pipelines)]
    main([*typed, "lineage", NAME, "1", "--rows", str(tmp_path / "rows.csv")])
    said = capsys.readouterr().out
    assert "  trained: 480 rows, 2026-01-03T01:00:00+00:00 to 2026-01-23T00:00:00+00:00, id 49 to 528" in said
    kept = pd.read_csv(tmp_path / "rows.csv", parse_dates=[EVENT_TIME])
    assert (kept["id"].tolist(), kept[EVENT_TIME][0]) == (list(range(49, 529)), pd.Timestamp(at(49)))
    main([*typed, "lineage", NAME, "1", "--rows", "-"])
    assert len(capsys.readouterr().out.splitlines()) == 481
    main([*typed, "--json", "lineage", NAME, "--row", "550"])
    assert [one["role"] for one in json.loads(capsys.readouterr().out)["versions"]] == [HELD_OUT, TRAINED]
    for wrong, code in (([NAME, "--row", "99999"], 1), ([NAME], 2), ([NAME, "1", "--row", "5"], 2), ([NAME, "9"], 2)):
        with pytest.raises(SystemExit) as left:
            main([*typed, "lineage", *wrong])
        assert left.value.code == code, wrong


def test_several_key_columns_are_all_named_and_without_any_the_time_is_the_key(world: Settings) -> None:
    both = pipeline_of(world)
    columns = both.spec.columns.model_copy(update={"key": ["id", "shop"]})
    object.__setattr__(both, "spec", both.spec.model_copy(update={"columns": columns}))
    assert seen_by(world, both, "id=300,shop=north").row["id"] == 300
    assert not seen_by(world, both, "id=300,shop=south").row
    with pytest.raises(UsageError, match=r"Write id=…,shop=…\."):
        seen_by(world, both, "300")
    timed = pipeline_of(world)
    object.__setattr__(timed, "spec", timed.spec.model_copy(update={"columns": columns.model_copy(update={"key": []})}))
    assert seen_by(world, timed, (at(0) + timedelta(hours=3)).isoformat()).row["id"] == 3
