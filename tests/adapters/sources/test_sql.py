"""Rows of real databases: only what is new leaves them, in chunks, whatever kind the time column has."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import psycopg
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from adapters.sources import read_rows
from adapters.sources.sql import look
from contracts.errors import OutsideError, SpecError
from contracts.spec import Columns, SqlSource
from tests.adapters.ledger.conftest import postgresql

__all__ = ["postgresql"]
START = datetime(2026, 1, 1, tzinfo=UTC)
Run = Callable[[str], None]


def columns(**more: object) -> Columns:
    return Columns.model_validate({"time": "at", "target": "y", "key": ["id"], "features": {"numeric": ["x"]}, **more})


def source(**more: object) -> SqlSource:
    return SqlSource.model_validate({"kind": "sql", "url_env": "ROWS_URL", **({} if "query" in more else {"table": "sales"}), **more})


def hour(number: float) -> datetime:
    return START + timedelta(hours=number)


@pytest.fixture
def sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    path = tmp_path / "rows.db"
    monkeypatch.setenv("ROWS_URL", f"sqlite:///{path}")

    def run(script: str) -> None:
        connection = sqlite3.connect(path)
        connection.executescript(script)
        connection.close()

    return run


@pytest.fixture
def server(postgresql: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("ROWS_URL", postgresql.replace("+psycopg", ""))

    def run(script: str) -> None:
        with psycopg.connect(postgresql.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            connection.execute(script)  # type: ignore[arg-type]  # a test's own text

    return run


@pytest.fixture(params=["sqlite", "server"])
def run(request: pytest.FixtureRequest) -> Run:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]  # one of the two fixtures above


def table(kind: str, times: list[str], name: str = "sales") -> str:
    values = ", ".join(f"({number}, '{at}', {number}.5, {number * 10})" for number, at in enumerate(times))
    return f"CREATE TABLE {name} (id INTEGER, at {kind}, x NUMERIC, y INTEGER); INSERT INTO {name} VALUES {values};"


def test_only_rows_after_the_watermark_and_until_the_end_are_read(run: Run) -> None:
    run(table("TEXT", [f"2026-01-0{day} 0{one}:00:00" for day in (1, 2, 9) for one in range(5)]))
    rows = read_rows(source(), columns(), hour(24), hour(26))
    assert rows["y"].tolist() == [60, 70]
    assert rows["x"].tolist() == [6.5, 7.5]
    assert rows["event_time"].tolist() == [pd.Timestamp(hour(25)), pd.Timestamp(hour(26))]
    assert len(read_rows(source(), columns(), None, None)) == 15


@pytest.mark.parametrize(
    ("kind", "zone", "count"),
    [("TIMESTAMPTZ", "UTC", 2), ("TIMESTAMP", "UTC", 2), ("TIMESTAMP", "America/New_York", 2), ("DATE", "UTC", 1), ("TEXT", "UTC", 2)],
)
def test_the_watermark_is_exact_for_every_kind_of_time_column(server: Run, kind: str, zone: str, count: int) -> None:
    server("SET TIME ZONE 'UTC';" + table(kind, [f"2026-01-0{day} 12:00:00" for day in range(1, 10)]))
    everything = read_rows(source(), columns(timezone=zone), None, None)
    after, until = everything["event_time"].iloc[5], everything["event_time"].iloc[5 + count]
    assert read_rows(source(), columns(timezone=zone), after, until)["id"].tolist() == list(range(6, 6 + count))


def test_a_clock_that_was_set_back_loses_no_row(server: Run) -> None:
    server(table("TIMESTAMP", [f"2026-10-25 0{one}:30:00" for one in range(6)]))
    everything = read_rows(source(), columns(timezone="Europe/Vienna"), None, None)
    for number in range(6):
        new = read_rows(source(), columns(timezone="Europe/Vienna"), everything["event_time"].iloc[number], None)
        assert new["id"].tolist() == list(range(number + 1, 6))


def test_what_is_known_does_not_leave_the_database(server: Run) -> None:
    server(
        "SET TIME ZONE 'UTC'; CREATE TABLE sales (id INTEGER, at TIMESTAMPTZ, x FLOAT, y INTEGER); INSERT INTO sales"
        " SELECT n, timestamptz '2026-01-01' + n * interval '1 hour', n, n FROM generate_series(0, 9999) n;"
    )
    fetched: list[tuple[str, bool]] = []

    def note(_connection: object, cursor: psycopg.Cursor, statement: str, *_more: object) -> None:
        fetched.append((statement, type(cursor).__name__ == "ServerCursor"))

    event.listen(Engine, "after_cursor_execute", note)
    try:
        rows = read_rows(source(chunk_rows=7), columns(), hour(9900), None)
    finally:
        event.remove(Engine, "after_cursor_execute", note)
    assert len(rows) == 99
    statement, at_the_server = fetched[-1]
    assert "WHERE" in statement
    assert at_the_server


def test_chunks_change_nothing(run: Run) -> None:
    run(
        "CREATE TABLE sales (id INTEGER, at TEXT, x INTEGER, y INTEGER, note TEXT, maybe INTEGER);"
        + "".join(
            f"INSERT INTO sales VALUES ({n}, '2026-01-01 {n:02}:00:00', {n}, {n}, {'NULL' if n < 6 else repr('n')}, "
            f"{'NULL' if n > 3 else n});"
            for n in range(12)
        )
    )
    whole = read_rows(source(), columns(), None, None)
    for size in (1, 5, 12):
        pd.testing.assert_frame_equal(read_rows(source(chunk_rows=size), columns(), None, None), whole)
    assert str(whole["maybe"].dtype) == "float64"
    assert str(whole["note"].dtype) == "str"


def test_rows_of_one_time_come_in_order_of_their_key(run: Run) -> None:
    run(table("TEXT", ["2026-01-01 00:00:00"] * 5) + "UPDATE sales SET id = 4 - id;")
    assert read_rows(source(), columns(), None, None)["id"].tolist() == [0, 1, 2, 3, 4]


def test_a_query_may_hold_colons_and_percents(server: Run) -> None:
    server(table("TEXT", ["2026-01-01 00:00:00", "2026-01-02 00:00:00"]))
    query = "SELECT id, at::timestamp AS at, x, y, 'a :b 5%' AS note FROM sales WHERE at LIKE '2026-%' -- every one\n;"
    rows = read_rows(source(query=query), columns(), hour(1), None)
    assert rows[["y", "note"]].to_numpy().tolist() == [[10, "a :b 5%"]]


def test_a_table_in_a_schema_and_kinds_that_files_do_not_know(server: Run) -> None:
    server(
        'CREATE SCHEMA IF NOT EXISTS "Shop"; DROP TABLE IF EXISTS "Shop"."Sales"; CREATE TABLE "Shop"."Sales" AS SELECT 1 AS id,'
        " timestamptz '2026-01-01' AS at, 1.25 AS x, 2 AS y, date '2026-01-02' AS day,"
        " '00000000-0000-0000-0000-000000000001'::uuid AS who, true AS ok, NULL::numeric AS gone;"
    )
    rows = read_rows(source(table="Shop.Sales"), columns(), None, None)
    assert rows.loc[0, ["x", "day", "who", "ok"]].tolist() == [1.25, "2026-01-02", "00000000-0000-0000-0000-000000000001", True]


def test_nothing_new_is_an_empty_table(run: Run) -> None:
    run(table("TEXT", ["2026-01-01 00:00:00"]))
    assert read_rows(source(), columns(), hour(100), None).empty
    run("DROP TABLE IF EXISTS sales; CREATE TABLE sales (id INTEGER, at TEXT, x NUMERIC, y INTEGER);")
    assert look(source(), columns()) == "table 'sales', 4 columns, all needed ones are there, no row yet"
    assert list(read_rows(source(), columns(), None, None).columns) == ["id", "at", "x", "y", "event_time"]


def test_a_row_without_a_time_is_named_and_not_left_out(run: Run) -> None:
    run(table("TEXT", ["2026-01-01 00:00:00", "2026-01-05 00:00:00"]) + "INSERT INTO sales VALUES (9, NULL, 1, 1);")
    with pytest.raises(SpecError, match="column 'at' is empty"):
        read_rows(source(), columns(), hour(1), None)


@pytest.mark.parametrize("form", ["%d.%m.%Y", "%Y-%d-%m"])
def test_text_in_another_order_than_time_is_not_narrowed_down(sqlite: Run, form: str) -> None:
    sqlite(table("TEXT", [datetime(2026, month, 5, tzinfo=UTC).strftime(form) for month in (1, 3, 12)]))
    assert read_rows(source(), columns(time_format=form), datetime(2026, 6, 30, tzinfo=UTC), None)["id"].tolist() == [2]


def test_the_sqlite_file_is_only_read(sqlite: Run) -> None:
    sqlite(table("TEXT", ["2026-01-01 00:00:00"]))
    written: list[str] = []

    def write(_connection: object, cursor: sqlite3.Cursor, statement: str, *_more: object) -> None:
        if statement.startswith("SELECT") and not written:
            written.append(statement)
            cursor.execute("DELETE FROM sales")

    event.listen(Engine, "before_cursor_execute", write)
    try:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            read_rows(source(), columns(), None, None)
    finally:
        event.remove(Engine, "before_cursor_execute", write)
    assert written


def test_a_query_that_writes_is_refused(server: Run) -> None:
    server(
        table("TEXT", ["2026-01-01 00:00:00"])
        + "CREATE FUNCTION wipe() RETURNS SETOF sales LANGUAGE sql AS 'DELETE FROM sales RETURNING *';"
    )
    with pytest.raises(SpecError, match="refused the query: cannot execute DELETE in a read-only transaction"):
        read_rows(source(query="SELECT * FROM wipe()"), columns(), None, None)
    assert len(read_rows(source(), columns(), None, None)) == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"table": "sails"}, "refused the query: .*sails"),
        ({"query": "SELECT id, at, x AS xx, y FROM sales"}, "source.query has no column 'x'. Did you mean 'xx'"),
        ({"query": "SELEKT 1"}, "refused the query: .*syntax error"),
    ],
)
def test_mistakes_are_named(run: Run, more: dict[str, object], message: str) -> None:
    run(table("TEXT", ["2026-01-01 00:00:00"]))
    with pytest.raises(SpecError, match=message):
        read_rows(source(**more), columns(), None, None)


@pytest.mark.parametrize(
    ("url", "error", "message"),
    [
        (None, SpecError, "environment variable ROWS_URL, which is unset"),
        ("hush", SpecError, "ROWS_URL holds no SQLAlchemy URL"),
        ("mysql://u:hush@h/db", SpecError, "a database of kind 'mysql'. Known are postgresql and sqlite"),
        ("sqlite:////absent/hush.db", SpecError, "file that ROWS_URL names is not there"),
        ("postgresql://u:hush@127.0.0.1:9/db", OutsideError, "The database that ROWS_URL names failed: .*Look whether it is up"),
    ],
)
def test_an_address_that_leads_nowhere_is_named_and_its_secret_is_not(
    monkeypatch: pytest.MonkeyPatch, url: str | None, error: type[Exception], message: str
) -> None:
    monkeypatch.delenv("ROWS_URL", raising=False)
    if url:
        monkeypatch.setenv("ROWS_URL", url)
    with pytest.raises(error, match=message) as caught:
        read_rows(source(), columns(), None, None)
    assert "hush" not in str(caught.value)
