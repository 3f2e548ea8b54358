"""Batch inference: the same answers whatever the file's kind and size of a group, with the model's lineage beside them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from adapters.ledger import Ledger
from adapters.model_cache import cached_package
from adapters.package_store import LoadedPackage, load_package
from adapters.settings import Settings
from adapters.sources.file import read_table
from adapters.table_stream import Wanted, parquet_groups, read_chunks
from contracts.errors import OutsideError, SpecError, UsageError
from contracts.package import Manifest
from contracts.rollout import Act, Decision, ModelRef, Phase, Route, fresh_state
from flows.score import _answered, score
from flows.stages.retrain import retrain_local
from tests.flows.stages.retrain_world import NAME, TRIGGER, at, build_world, pipeline_of, table
from understudy.main import main

World = tuple[Settings, ModelRef, pd.DataFrame]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, mlflow_database: Path) -> World:
    """Return a place with a champion, and the rows that are to be answered with its answers."""
    settings = build_world(tmp_path_factory.mktemp("score"), mlflow_database)
    model = retrain_local(settings, pipeline_of(settings), TRIGGER).model
    ledger = Ledger(settings.ledger_url)
    ledger.save(Decision(Act.BOOTSTRAP, replace(fresh_state(NAME), revision=1, phase=Phase.IDLE, route=Route(1, model, None)), "t"), at(0))
    ledger.close()
    rows = table(100)
    package = load_package(cached_package(settings, model), model.digest)
    return settings, model, rows.assign(wanted=package.predict(rows))


def write(rows: pd.DataFrame, path: Path) -> Path:
    rows = rows.drop(columns=["wanted", "y"], errors="ignore")
    if path.suffix == ".parquet":
        rows.to_parquet(path)
    elif "jsonl" in path.name:
        rows.to_json(path, orient="records", lines=True)
    else:
        rows.to_csv(path, index=False, sep="\t" if "tsv" in path.name else ",")
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.tsv", "a.jsonl", "a.parquet"])
@pytest.mark.parametrize("size", [7, 1000])
def test_every_row_is_answered_once_and_in_order(world: World, tmp_path: Path, name: str, size: int) -> None:
    settings, model, rows = world
    seen: list[int] = []
    done = score(settings, pipeline_of(settings), write(rows, tmp_path / name), tmp_path / "out.parquet", None, size, seen.append)
    found = read_table(tmp_path / "out.parquet")
    assert found["prediction"].tolist() == rows["wanted"].tolist()
    assert [int(one) for one in found["id"]] == rows["id"].tolist()
    assert list(found.columns) == ["id", "at", "prediction"]
    assert (done.rows, done.version, seen[-1]) == (100, model.version, 100)
    assert parquet.read_metadata(tmp_path / "out.parquet").num_row_groups == len(seen) == -(-100 // size)


def test_who_answered_stands_in_the_file(world: World, tmp_path: Path) -> None:
    settings, model, rows = world
    score(settings, pipeline_of(settings), write(rows, tmp_path / "a.parquet"), tmp_path / "out.parquet", "1")
    kept = parquet.read_schema(tmp_path / "out.parquet").metadata
    assert kept[b"understudy.version"] == b"1"
    assert kept[b"understudy.digest"].decode() == model.digest
    assert kept[b"understudy.snapshot"].decode() == model.snapshot
    assert parquet.read_schema(tmp_path / "out.parquet").field("id").type == pa.int64()  # as it was


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda rows: rows.drop(columns="x"), UsageError, "in the rows from 0 on: Column 'x' is missing."),
        (
            lambda rows: rows.assign(x=[*rows["x"][:9], "much", *rows["x"][10:]]),
            UsageError,
            "in the rows from 7 on: Column 'x', row 2: 'much'",
        ),
        (lambda rows: rows.iloc[:0], UsageError, "has no row."),
    ],
)
def test_a_mistake_is_named_and_what_was_there_stays(
    world: World, tmp_path: Path, change: object, error: type[Exception], message: str
) -> None:
    settings, _, rows = world
    (tmp_path / "out.parquet").write_bytes(b"before")
    source = write(change(rows), tmp_path / "a.csv")  # type: ignore[operator]  # one of the functions above
    with pytest.raises(error) as caught:
        score(settings, pipeline_of(settings), source, tmp_path / "out.parquet", None, 7)
    assert message in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == {"a.csv", "out.parquet"}
    assert (tmp_path / "out.parquet").read_bytes() == b"before"


def test_wrong_use_is_named(world: World, tmp_path: Path) -> None:
    settings, _, rows = world
    source = write(rows, tmp_path / "a.parquet")
    pipeline = pipeline_of(settings)
    with pytest.raises(UsageError, match="is the input"):
        score(settings, pipeline, source, source)
    with pytest.raises(UsageError, match="has no version '9'"):
        score(settings, pipeline, source, tmp_path / "out.parquet", "9")
    with pytest.raises(UsageError, match=r"is not there\. Make it first"):
        score(settings, pipeline, source, tmp_path / "absent" / "out.parquet")
    with pytest.raises(UsageError, match="has no champion yet"):
        score(replace(settings, ledger_url=f"sqlite:///{tmp_path / 'empty.db'}"), pipeline, source, tmp_path / "out.parquet")
    for name in ("a.xls", "b.parquet"):
        (tmp_path / name).write_bytes(b"no")
        with pytest.raises(SpecError, match=r"no kind that is known|cannot be read"):
            score(settings, pipeline, tmp_path / name, tmp_path / "out.parquet")


def test_the_command_says_who_answered_and_exits_2_on_a_mistake(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings, model, rows = world
    source = write(rows, tmp_path / "a.csv")
    typed = ["--home", str(settings.home), "--pipelines", str(settings.pipelines), "--json", "score", NAME]
    main([*typed, "--input", str(source), "--output", str(tmp_path / "out.parquet"), "--rows-per-group", "30"])
    assert json.loads(capsys.readouterr().out) == {
        "output": str(tmp_path / "out.parquet"),
        "rows": 100,
        "version": "1",
        "digest": model.digest,
        "snapshot": model.snapshot,
    }
    with pytest.raises(SystemExit) as left:
        main([*typed, "--input", str(source), "--output", str(tmp_path / "out.parquet"), "--version", "9"])
    assert left.value.code == 2
    assert "has no version '9'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_text_that_looks_like_a_number_in_one_chunk_stays_text(tmp_path: Path, name: str) -> None:
    write(pd.DataFrame({"shop": ["01", "02", "x", "y"], "id": ["007", "8", "9", "A"]}), tmp_path / name)
    chunks = list(read_chunks(tmp_path / name, Wanted(["shop"], ["shop"], ["id"]), 2))
    assert [frame["shop"].tolist() for frame, _ in chunks] == [["01", "02"], ["x", "y"]]
    assert [carried["id"].to_pylist() for _, carried in chunks] == [["007", "8"], ["9", "A"]]


def test_the_answers_have_the_gateways_names() -> None:
    manifest = Manifest(pipeline="p", task="binary", target="y", columns={"x": "float"}, classes=("no", "yes"), cutoff="")
    ids = pa.table({"id": [1, 2]})
    binary = _answered(ids, np.array([0.5, 0.6]), LoadedPackage(manifest, "", None, None))
    assert binary.to_pydict() == {"id": [1, 2], "probability": [0.5, 0.6], "label": ["no", "yes"]}
    three = manifest.model_copy(update={"task": "multiclass", "classes": (1, 2, 3)})
    many = _answered(ids, np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]]), LoadedPackage(three, "", None, None))
    assert many.to_pydict()["label"] == [2, 1]
    assert many.to_pydict()["probability"] == [[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]]


def test_a_disk_that_cannot_take_the_output_is_named(tmp_path: Path) -> None:
    (tmp_path / "out.parquet").mkdir()
    with pytest.raises(OutsideError, match="could not be written"), parquet_groups(tmp_path / "out.parquet", {}) as groups:
        groups.add(pa.table({"x": [1]}))
