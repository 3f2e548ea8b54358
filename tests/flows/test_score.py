"""Batch inference: the same answers whatever the file's kind and size of a group, with the model's lineage beside them."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from adapters.ledger import Ledger
from adapters.model_cache import cached_package
from adapters.package_store import load_package
from adapters.settings import Settings
from adapters.sources.file_kinds import read_table
from adapters.table_stream import Wanted, join_parts, parquet_groups, read_chunks
from contracts.errors import OutsideError, SpecError, UsageError
from contracts.package import Manifest
from contracts.rollout import Act, Decision, ModelRef, Phase, Route, fresh_state
from contracts.source import TableFiles
from flows.score import Sizes, score
from flows.scoring.answer import answered
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
    done = score(settings, pipeline_of(settings), write(rows, tmp_path / name), tmp_path / "out.parquet", None, Sizes(size), seen.append)
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
        score(settings, pipeline_of(settings), source, tmp_path / "out.parquet", None, Sizes(7))
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
        "parts": 1,
        "kept": 0,
    }
    with pytest.raises(SystemExit) as left:
        main([*typed, "--input", str(source), "--output", str(tmp_path / "out.parquet"), "--version", "9"])
    assert left.value.code == 2
    assert "has no version '9'" in capsys.readouterr().err
    (tmp_path / "b.parquet").write_bytes(b"no")
    with pytest.raises(SystemExit) as left:
        main([*typed, "--input", str(tmp_path / "b.parquet"), "--output", str(tmp_path / "out.parquet")])
    assert left.value.code == 2
    assert "b.parquet cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_text_that_looks_like_a_number_in_one_chunk_stays_text(tmp_path: Path, name: str) -> None:
    write(pd.DataFrame({"shop": ["01", "02", "x", "y"], "id": ["007", "8", "9", "A"]}), tmp_path / name)
    chunks = list(read_chunks(tmp_path / name, Wanted(["shop"], ["shop"], ["id"]), 2))
    assert [frame["shop"].tolist() for frame, _ in chunks] == [["01", "02"], ["x", "y"]]
    assert [carried["id"].to_pylist() for _, carried in chunks] == [["007", "8"], ["9", "A"]]


def test_text_files_are_read_as_the_source_writes_them(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("shop;x\nCaf\u00e9;1,5\n".encode("latin-1"))
    files = TableFiles(delimiter=";", decimal=",", encoding="latin-1")
    frames = [frame for frame, _ in read_chunks(tmp_path / "a.csv", Wanted(["shop", "x"], ["shop"], []), 2, files)]
    assert [frame.to_dict("records") for frame in frames] == [[{"shop": "Caf\u00e9", "x": 1.5}]]


def test_the_answers_have_the_gateways_names() -> None:
    manifest = Manifest(pipeline="p", task="binary", target="y", columns={"x": "float"}, classes=("no", "yes"), cutoff="")
    ids = pa.table({"id": [1, 2]})
    binary = answered(ids, np.array([0.5, 0.6]), manifest)
    assert binary.to_pydict() == {"id": [1, 2], "probability": [0.5, 0.6], "label": ["no", "yes"]}
    three = manifest.model_copy(update={"task": "multiclass", "classes": (1, 2, 3)})
    many = answered(ids, np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]]), three)
    assert many.to_pydict()["label"] == [2, 1]
    assert many.to_pydict()["probability"] == [[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]]


def test_a_disk_that_cannot_take_the_output_is_named(tmp_path: Path) -> None:
    (tmp_path / "out.parquet").mkdir()
    with pytest.raises(OutsideError, match="could not be written"), parquet_groups(tmp_path / "out.parquet", {}) as groups:
        groups.add(pa.table({"x": [1]}))


def answers(folder: Path) -> pd.DataFrame:
    """Return the parts of a folder as any reader of Parquet folders finds them."""
    return pd.read_parquet(folder)


def killed_at(rows: int, settings: Settings, source: Path, output: Path, sizes: Sizes) -> None:
    """Run a batch in a process of its own that is killed once so many rows were answered."""
    child = os.fork()
    if child == 0:
        score(settings, pipeline_of(settings), source, output, None, sizes, lambda done: os.kill(os.getpid(), 9) if done >= rows else None)
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("whole", [True, False], ids=["file", "folder"])
def test_killed_in_the_middle_twice_and_run_again_every_row_is_there_once_and_no_done_part_is_done_again(
    world: World, tmp_path: Path, kind: str, whole: bool
) -> None:
    settings, _, rows = world
    source = write(rows, tmp_path / f"a.{kind}")
    if kind == "parquet":
        pq_table = pa.Table.from_pandas(rows.drop(columns=["wanted", "y"]), preserve_index=False)
        parquet.write_table(pq_table, source, row_group_size=5)
    sizes, output = Sizes(5, 10), tmp_path / ("out.parquet" if whole else "out")
    parts = tmp_path / ".out.parquet.parts" if whole else output
    killed_at(43, settings, source, output, sizes)
    first = {path.name: path.stat().st_mtime_ns for path in parts.glob("*.parquet")}
    assert len(first) == 4
    assert not (tmp_path / "out.parquet").exists()
    killed_at(75, settings, source, output, sizes)
    second = {path.name: path.stat().st_mtime_ns for path in parts.glob("*.parquet")}
    assert len(second) == 7
    assert first.items() <= second.items(), "they were not written again"
    seen: list[int] = []
    done = score(settings, pipeline_of(settings), source, output, None, sizes, seen.append)
    assert (done.rows, done.parts, done.kept, seen[-1]) == (100, 10, 70, 100)
    found = answers(output)
    assert found["prediction"].tolist() == rows["wanted"].tolist()
    assert not any(path.name.startswith(".a") for path in output.parent.rglob("*"))
    assert (tmp_path / ".out.parquet.parts").exists() is False
    again = score(settings, pipeline_of(settings), source, output, None, sizes)
    assert again.kept == (0 if whole else 100), "a file is made anew, a folder is complete"


def test_who_began_a_batch_ends_it_although_the_champion_moved_and_versions_are_never_mixed(world: World, tmp_path: Path) -> None:
    settings, model, rows = world
    source = write(rows, tmp_path / "a.csv")
    killed_at(43, settings, source, tmp_path / "out", Sizes(5, 10))
    nobody = replace(settings, ledger_url=f"sqlite:///{tmp_path / 'empty.db'}")
    assert score(nobody, pipeline_of(settings), source, tmp_path / "out", None, Sizes(5, 10)).version == "1"
    job = tmp_path / "out" / "_job.json"
    job.write_text(job.read_text().replace(model.digest, "0" * 64))
    with pytest.raises(UsageError, match=r"holds answers of 'sales', version 1\. Name another folder"):
        score(settings, pipeline_of(settings), source, tmp_path / "out", "1")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("")
    with pytest.raises(UsageError, match="holds something that is no batch"):
        score(settings, pipeline_of(settings), source, tmp_path / "other")


def test_folders_patterns_and_several_files_are_answered_and_a_changed_file_alone_is_done_again(world: World, tmp_path: Path) -> None:
    settings, _, rows = world
    (tmp_path / "in" / "sub").mkdir(parents=True)
    write(rows[:30], tmp_path / "in" / "a.csv")
    write(rows[30:60], tmp_path / "in" / "b.csv.gz")
    write(rows[60:], tmp_path / "in" / "sub" / "a.csv")
    (tmp_path / "in" / "_SUCCESS").write_text("")
    (tmp_path / "in" / "README.md").write_text("")
    pipeline = pipeline_of(settings)
    done = score(settings, pipeline, tmp_path / "in", tmp_path / "out", None, Sizes(10, 20))
    assert (done.rows, done.parts) == (100, 6)
    assert sorted(answers(tmp_path / "out")["prediction"]) == sorted(rows["wanted"])
    write(rows[30:50], tmp_path / "in" / "b.csv.gz")
    some = score(settings, pipeline, tmp_path / "in", tmp_path / "out", None, Sizes(10, 20))
    assert (some.rows, some.parts, some.kept) == (90, 5, 70)
    assert len(answers(tmp_path / "out")) == 90, "the part that is no more is gone"
    pattern = score(settings, pipeline, str(tmp_path / "in" / "**" / "a.csv"), tmp_path / "two.parquet")
    assert pattern.rows == 70
    assert json.loads(parquet.read_schema(tmp_path / "two.parquet").metadata[b"understudy.inputs"]) == [
        str(tmp_path / "in" / "a.csv"),
        str(tmp_path / "in" / "sub" / "a.csv"),
    ]
    with pytest.raises(UsageError, match="No file is at"):
        score(settings, pipeline, str(tmp_path / "in" / "*.parquet"), tmp_path / "out.parquet")


def test_csv_comes_out_as_csv_with_the_lineage_beside_it(world: World, tmp_path: Path) -> None:
    settings, model, rows = world
    source = write(rows, tmp_path / "a.parquet")
    for name in ("out.csv", "out.csv.gz"):
        score(settings, pipeline_of(settings), source, tmp_path / name, None, Sizes(7, 14))
        found = pd.read_csv(tmp_path / name)
        assert found["prediction"].tolist() == rows["wanted"].tolist()
        assert found["id"].tolist() == rows["id"].tolist()
        assert json.loads((tmp_path / f"{name}.lineage.json").read_text())["understudy.digest"] == model.digest
    parquet.write_table(pa.table({"probability": [[0.5, 0.5]]}), tmp_path / "p.parquet")
    with pytest.raises(UsageError, match=r"cannot hold these answers: .* Name a \.parquet"):
        join_parts([tmp_path / "p.parquet"], tmp_path / "p.csv", {})
    parquet.write_table(pa.table({"probability": ["much"]}), tmp_path / "q.parquet")
    with pytest.raises(UsageError, match="do not fit into one file"):
        join_parts([tmp_path / "p.parquet", tmp_path / "q.parquet"], tmp_path / "pq.parquet", {})


def test_a_mistake_in_a_late_file_keeps_what_was_answered(world: World, tmp_path: Path) -> None:
    settings, _, rows = world
    good, bad = write(rows[:50], tmp_path / "a.csv"), write(rows[50:].drop(columns="x"), tmp_path / "b.csv")
    with pytest.raises(UsageError, match="Column 'x' is missing"):
        score(settings, pipeline_of(settings), [str(good), str(bad)], tmp_path / "out.parquet")
    write(rows[50:], bad)
    done = score(settings, pipeline_of(settings), [str(good), str(bad)], tmp_path / "out.parquet")
    assert (done.rows, done.kept) == (100, 50)
    assert answers(tmp_path / "out.parquet")["prediction"].tolist() == rows["wanted"].tolist()
