"""Checks on a Dask cluster say what they say here, row by row and example by example; what parts cannot tell is decided here."""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from adapters import checks_there
from adapters.checks import run_suite_on_files
from adapters.checks_there import There
from adapters.cluster import Cluster, cluster_of
from adapters.columnar.engine import ask_columnar
from adapters.columnar.parts import Look, look
from adapters.columnar.table import WHOLE as WHOLE_TABLE
from adapters.columnar.table import open_parquet
from adapters.settings import read_settings
from adapters.suite_answers import Answer, read_suite
from contracts.compute import Compute
from contracts.errors import OutsideError
from flows.stages.check import check_file, check_snapshot, keep_failing
from flows.stages.ingest import ingest
from tests.adapters.columnar.test_parity import SUITE, frame_of, same
from tests.flows.stages.retrain_world import NAME, build_world, pipeline_of, table

IN_ANOTHER_ORDER = {("mean", "f"), ("sum", "f"), ("stdev", "f"), ("stdev", "i")}  # sums of floats; a deviation is one here, too
WHOLE = {"column_stdev_to_be_between", "column_median_to_be_between", "column_quantile_values_to_be_between"}
WHOLE |= {"column_to_exist", "table_columns_to_match_set", "table_columns_to_match_ordered_list"}  # rows do not tell these


def dirty(count: int, seed: int) -> list[tuple[Any, ...]]:
    draw = random.Random(seed)
    return [
        (
            draw.randint(-2, 40),
            draw.choice([None, 0.0, -0.0, 1.5, 2.0, math.nan, -7.25, draw.uniform(-3, 3)]),
            draw.choice([None, 0.0, 1.5, 2.0]),
            draw.choice([None, "a", "b", "a1", "b٣", "it's", "", "a\n", "é👍", f"x{draw.randint(0, 30)}"]),
            draw.random() < 0.5,
            draw.choice([None, datetime(2026, 1, 1) + timedelta(hours=draw.randint(0, 90))]),
        )
        for _ in range(count)
    ]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return files of 60, 0 and 37 rows in groups of 7: values come twice within a part, across parts and across files."""
    folder, found = tmp_path_factory.mktemp("files"), []
    for number, count in enumerate((60, 0, 37)):
        found.append(folder / f"{number}.parquet")
        frame_of(dirty(count, number)).to_parquet(found[-1], row_group_size=7)
    return found


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    with cluster_of(read_settings(), Compute(engine="dask", address=address)) as cluster:
        assert cluster is not None
        yield cluster


def told(answer: Answer) -> str:
    """Return every digit that was said; of equal zeros any may come first."""
    return re.sub(r"-0\.0\b", "0.0", repr(answer.result))


def asked_of(paths: list[Path], there: There | None) -> list[Answer]:
    with open_parquet(paths) as rows:
        answers, left = ask_columnar(read_suite(SUITE), rows, **({} if there is None else {"elsewhere": there}))
    assert left == []
    return answers


def test_two_workers_find_the_same_in_parts_as_this_process_in_the_whole(
    files: list[Path], dask_cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks_there, "ROWS_PER_PART", 20)
    here = asked_of(files, None)
    with connected(dask_cluster) as cluster:
        assert cluster.slots == 2
        there = asked_of(files, There(cluster, files, positions=True))
    assert any(one.result.get("unexpected_count", 0) > 20 for one in here), "more fail than are listed"
    for mine, theirs in zip(here, there, strict=True):
        what = mine.asked.kind.removeprefix("expect_column_").removesuffix("_to_be_between")
        exact = (what, mine.asked.kwargs.get("column")) not in IN_ANOTHER_ORDER
        assert theirs.success == mine.success, (theirs, mine)
        assert told(theirs) == told(mine) if exact else same(theirs.result, mine.result), mine.asked
        assert (theirs.engine == "columnar") == (mine.asked.kind.removeprefix("expect_") in WHOLE), mine.asked


def test_a_suite_for_two_engines_is_answered_by_three(files: list[Path], dask_cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks_there, "ROWS_PER_PART", 20)
    kinds = ["values_to_be_unique", "values_to_be_increasing"]
    suite = {"expectations": [{"type": f"expect_column_{kind}", "kwargs": {"column": "i"}} for kind in kinds]}
    suite["expectations"].append({"type": "expect_column_median_to_be_between", "kwargs": {"column": "i", "max_value": 3}})
    with connected(dask_cluster) as cluster:
        there = run_suite_on_files(suite, files, cluster=cluster)
    assert [one.engine for one in there.results] == ["cluster", "great_expectations", "columnar"]
    whole = pd.concat([pd.read_parquet(path) for path in files], ignore_index=True)["i"]
    assert there.results[0].rows == tuple(whole.index[whole.duplicated(keep=False)])
    assert [replace(one, engine="columnar") for one in there.results] == [
        replace(one, engine="columnar") for one in run_suite_on_files(suite, files).results
    ]


def test_a_check_of_a_large_file_goes_to_the_cluster_of_the_pipeline_and_a_small_one_stays(
    dask_cluster: str, tmp_path: Path, mlflow_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(build_world(tmp_path, mlflow_database), dask=dask_cluster)
    stored = ingest(settings, pipeline_of(settings)).snapshot
    suite = [{"type": "expect_column_values_to_be_between", "kwargs": {"column": "x", "max_value": 1}, "meta": {"severity": "row"}}]
    (settings.pipelines / NAME / "suite.json").write_text(json.dumps({"name": "s", "expectations": suite}))
    rows = table(200)
    rows.to_parquet(tmp_path / "rows.parquet", row_group_size=50)
    pipeline = pipeline_of(settings)
    here = check_file(settings, pipeline, tmp_path / "rows.parquet")
    monkeypatch.setattr(checks_there, "ROWS_PER_PART", 100)
    there = check_file(settings, pipeline, tmp_path / "rows.parquet")
    snapshot, _ = check_snapshot(settings, pipeline)
    assert ([one.engine for one in snapshot.results], snapshot.rows) == (["cluster"], stored.rows)
    assert ([one.engine for one in here.results], [one.engine for one in there.results]) == (["columnar"], ["cluster"])
    assert there.results[0].unexpected == here.results[0].unexpected == (rows["x"] > 1).sum() > 0
    assert keep_failing(pipeline, tmp_path / "rows.parquet", there, tmp_path / "aside.parquet") == (rows["x"] > 1).sum()


def test_workers_that_see_other_files_are_noticed(files: list[Path], dask_cluster: str) -> None:
    with connected(dask_cluster) as cluster:
        with pytest.raises(OutsideError, match="The workers saw 37 rows"):
            asked_of(files, There(cluster, files[2:], positions=True))
        with pytest.raises(OutsideError, match=r"failed: .*gone\.parquet"):
            list(cluster.each(look, [Look((files[0].with_name("gone.parquet"),), WHOLE_TABLE)]))
