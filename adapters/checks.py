"""A suite on a table in memory or on Parquet files of any size: one suite, two engines, one kind of answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types
from pyarrow import parquet

from adapters.checks_there import There
from adapters.cluster import Cluster
from adapters.columnar.engine import Elsewhere, ask_columnar, failing_rows, nowhere
from adapters.columnar.table import Table, open_frame, open_parquet
from adapters.expectations import ask_great_expectations, write_page
from adapters.suite_answers import Answer, Asked, read_suite, result_of
from adapters.table_stream import parquet_groups
from contracts.checks import Engine
from contracts.errors import SpecError
from contracts.expectation import SuiteResult


def run_suite(
    suite: dict[str, Any], frame: pd.DataFrame, docs_dir: Path | None = None, code: Path | None = None, engine: Engine = "auto"
) -> SuiteResult:
    """Run a suite in Great Expectations' JSON form on a table; with `docs_dir`, write its page there as index.html.

    `code` is a module with further expectations, which the suite may name.

    The table's index is ignored: positions in the result count from 0. Nothing is sent anywhere, and the page loads nothing.

    Raises:
        SpecError: the suite holds an expectation that Great Expectations does not know or accept, or `code` does not run; with
            `engine: columnar`, it holds one that this engine cannot answer.
    """
    asked = read_suite(suite)
    if engine == "great_expectations":
        return _told(suite, len(frame), ask_great_expectations(asked, frame, code), docs_dir)
    with open_frame(frame) as table:
        answers = _both(asked, table, engine, lambda _: frame, code)
    return _told(suite, len(frame), answers, docs_dir)


def run_suite_on_files(
    suite: dict[str, Any],
    paths: Sequence[Path],
    docs_dir: Path | None = None,
    code: Path | None = None,
    engine: Engine = "auto",
    *,
    positions: bool = True,
    cluster: Cluster | None = None,
) -> SuiteResult:
    """Run a suite on Parquet files that have one schema; what the columnar engine answers is streamed.

    Args:
        suite, docs_dir, code, engine: as for `run_suite`.
        paths: in the order in which rows are counted.
        positions: whether the result names the rows that fail; there may be very many.
        cluster: whose workers look at parts of the files, under the same paths; what parts cannot tell is decided here.

    Raises:
        SpecError: as `run_suite`; or a file is no Parquet.
        OutsideError: the cluster failed.
    """
    asked = read_suite(suite)
    try:
        with open_parquet(paths) as table:
            rows = table.rows
            if engine == "great_expectations":
                answers = ask_great_expectations(asked, _read(paths, asked), code)
            else:
                there = nowhere if cluster is None else There(cluster, paths, positions)
                answers = _both(asked, table, engine, lambda left: _read(paths, left), code, there, positions=positions)
    except (pa.ArrowInvalid, OSError) as error:
        raise SpecError(f"{paths[0]} cannot be read: {str(error).strip().splitlines()[0]}.", "Give Parquet files.") from error
    return _told(suite, rows, answers, docs_dir)


def write_failing(suite: dict[str, Any], paths: Sequence[Path], answer: SuiteResult, which: Sequence[int], reasons: str, to: Path) -> int:
    """Write the rows of Parquet files that fail, with their reasons, to another; return how many. They are streamed.

    Args:
        suite, paths: as for `run_suite_on_files`.
        answer: what it said.
        which: positions in the suite of the expectations that count.
        reasons: name of the column that says what a row fails.
    """
    asked = {one.position: one for one in read_suite(suite)}
    ours = [asked[place] for place in which if answer.results[place].engine != "great_expectations"]
    others = {one.name: one.rows for one in (answer.results[place] for place in which) if one.engine == "great_expectations"}
    rows = 0
    with open_parquet(paths) as table, parquet_groups(to, {}) as groups:
        for batch in failing_rows(ours, others, table, reasons):
            groups.add(pa.Table.from_batches([batch]))
            rows += batch.num_rows
    return rows


def _both(
    asked: list[Asked],
    table: Table | None,
    engine: Engine,
    frame: Callable[[list[Asked]], pd.DataFrame],
    code: Path | None,
    elsewhere: Elsewhere = nowhere,
    *,
    positions: bool = True,
) -> list[Answer]:
    answers, left = ([], asked) if table is None else ask_columnar(asked, table, positions=positions, elsewhere=elsewhere)
    if left and engine == "columnar":
        kinds = ", ".join(f"{one.kind} (number {one.position + 1})" for one in left[:3])
        raise SpecError(f"The columnar engine cannot answer {kinds}.", "Write checks.engine: auto, which gives it to Great Expectations.")
    return answers + ask_great_expectations(left, frame(left), code) if left else answers


def _read(paths: Sequence[Path], asked: Sequence[Asked]) -> pd.DataFrame:
    """Read what these expectations name; all columns where one of them names none, or a condition on rows."""
    frames = []
    for path in paths:
        there = parquet.read_schema(path).names
        narrow = all(one.columns and not one.kwargs.get("row_condition") and not one.kind.startswith("expect_table") for one in asked)
        wanted = {name for one in asked for name in one.columns}
        frames.append(pd.read_parquet(path, columns=[name for name in there if name in wanted] if narrow else None))
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def _told(suite: dict[str, Any], rows: int, answers: list[Answer], docs_dir: Path | None) -> SuiteResult:
    ordered = sorted(answers, key=lambda one: one.asked.position)
    docs = None if docs_dir is None else str(write_page(str(suite.get("name", "suite")), ordered, docs_dir))
    return SuiteResult(rows, tuple(result_of(one) for one in ordered), docs)
