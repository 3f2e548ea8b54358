"""Rows of a PostgreSQL or SQLite table or query, streamed by a cursor; what is known already does not leave the database."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
from sqlalchemy import ColumnClause, Connection, Select, column, create_engine, literal_column, or_, select, table, text
from sqlalchemy.engine import URL, Row, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, InternalError, ProgrammingError, SQLAlchemyError

from adapters.sources.rows import Tables, check_columns
from adapters.sources.variables import variable
from contracts.errors import OutsideError, SpecError
from contracts.spec import Columns, SqlSource

_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg", "sqlite": "sqlite"}
_SLACK = timedelta(days=2)  # the database only narrows down; which rows are new is decided here, to the microsecond
_DATE_FIRST = re.compile(r"\d{4}-\d\d-\d\d")
_KEPT = (bool, int, float, str, datetime, pd.Timestamp)


def tables(source: SqlSource, columns: Columns, after: datetime | None, until: datetime | None) -> Tables:
    """Yield rows that may lie in after < event_time <= until, in order of time and key, as many at a time as the spec says.

    Dates, clock times and UUIDs that are not the event time become text, decimals become floats.

    Raises:
        SpecError: the variable is unset, the database cannot answer the query, or a column is missing.
        OutsideError: the database does not answer; trying again may help.
    """
    with _connected(source) as connection:
        yield from _chunks(connection, source, columns, after, until)


def look(source: SqlSource, columns: Columns) -> str:
    """Say what is there, without reading it; the errors are those of `tables`."""
    with _connected(source) as connection:
        where, names, first = _first(connection, source, columns)
    return f"{where}, {len(names)} columns, all needed ones are there" + ("" if first else ", no row yet")


def _table(chunk: Sequence[Row[Any]], names: list[str]) -> pd.DataFrame:
    rows = pd.DataFrame.from_records([tuple(row) for row in chunk], columns=names, coerce_float=True)
    for name in rows.columns[rows.dtypes.map(pd.api.types.is_object_dtype)]:
        rows[name] = pd.Series([_plain(value) for value in rows[name]], index=rows.index)
    return rows


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, _KEPT) else float(value) if isinstance(value, Decimal) else str(value)


def _chunks(
    connection: Connection, source: SqlSource, columns: Columns, after: datetime | None, until: datetime | None
) -> Iterator[tuple[str, pd.DataFrame]]:
    where, names, first = _first(connection, source, columns)
    query = _narrowed(_rows_of(source), columns, first, after, until)
    count = 0
    with connection.execution_options(stream_results=True, max_row_buffer=source.chunk_rows).execute(query) as result:
        for chunk in result.partitions(source.chunk_rows):
            yield f"{where}, rows from {count}", _table(chunk, names)
            count += len(chunk)
    if not count:
        yield where, pd.DataFrame({name: pd.Series(dtype="object") for name in names})


def _first(connection: Connection, source: SqlSource, columns: Columns) -> tuple[str, list[str], Row[Any] | None]:
    """Return what errors call the table, its columns, and one of its rows, having seen that no column is missing."""
    where = f"table '{source.table}'" if source.table else "source.query"
    result = connection.execute(_rows_of(source).limit(1))
    names = list(result.keys())
    check_columns(names, columns, where)
    return where, names, result.first()


def _rows_of(source: SqlSource) -> Select[Any]:
    if source.table:
        schema, _, name = source.table.rpartition(".")
        return select(literal_column("*")).select_from(table(name, schema=schema or None))
    query = str(source.query).strip().rstrip(";").replace(":", r"\:")  # a colon is the query's own, never a parameter of ours
    return select(literal_column("*")).select_from(text(f"({query}) AS source_rows"))


def _narrowed(query: Select[Any], columns: Columns, first: Row[Any] | None, after: datetime | None, until: datetime | None) -> Select[Any]:
    """Leave out what is known already, in the time column's own kind; rows without a time stay, to be named as a mistake."""
    name = str(columns.time)
    at: ColumnClause[Any] = column(name)
    sample = None if first is None else first._mapping[name]  # the public way to a row's value by name
    low, high = _bound(after, sample, columns, -_SLACK), _bound(until, sample, columns, _SLACK)
    if low is not None:
        query = query.where(or_(at > low, at.is_(None)))
    if high is not None:
        query = query.where(or_(at < high, at.is_(None)))
    return query.order_by(at, *(column(one) for one in columns.key))


def _bound(limit: datetime | None, sample: object, columns: Columns, slack: timedelta) -> datetime | date | str | None:
    """Return a limit as the time column writes it, or None where the column's order is not that of time."""
    if limit is None:
        return None
    local = (limit + slack).astimezone(ZoneInfo(columns.timezone)).replace(tzinfo=None)
    if isinstance(sample, datetime):
        return local if sample.tzinfo is None else limit + slack
    if isinstance(sample, date):
        return local.date()
    dated = columns.time_format is None or columns.time_format.startswith("%Y-%m-%d")
    if isinstance(sample, str) and dated and _DATE_FIRST.match(sample) and slack < timedelta():
        return local.date().isoformat()  # from below only: text in another ISO 8601 form sorts behind it, and none is lost
    return None


@contextmanager
def _connected(source: SqlSource) -> Iterator[Connection]:
    """Open the database for reading only; times come in UTC."""
    url = _url(source)
    what = f"The database that {source.url_env} names"
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            if url.get_backend_name() == "sqlite":
                connection.execute(text("PRAGMA query_only = ON"))
            else:
                connection.execution_options(postgresql_readonly=True)
                connection.execute(text("SET TIME ZONE 'UTC'"))
            yield connection
    except (ProgrammingError, DataError, InternalError) as error:
        raise SpecError(f"{what} refused the query: {_said(error)}.", "Mend source in pipeline.yaml, or the user's rights.") from None
    except SQLAlchemyError as error:
        if isinstance(error, DBAPIError) and re.search(r"no such|syntax error|unable to open", str(error.orig)):  # SQLite's ways to say it
            raise SpecError(f"{what} refused the query: {_said(error)}.", "Mend source in pipeline.yaml.") from None
        raise OutsideError(f"{what} failed: {_said(error)}.", "Look whether it is up; then try again.") from None
    finally:
        engine.dispose()


def _said(error: SQLAlchemyError) -> str:
    """The database's own sentence; the statement and the address, which may hold a secret, are left out."""
    return str(error.orig if isinstance(error, DBAPIError) else error).strip().splitlines()[0].rstrip(".")


def _url(source: SqlSource) -> URL:
    try:
        url = make_url(variable(source.url_env, "source.url_env"))
    except ArgumentError:
        raise SpecError(f"{source.url_env} holds no SQLAlchemy URL.", "Write postgresql://USER:PASSWORD@HOST/NAME.") from None
    driver = _DRIVERS.get(url.drivername, url.drivername)
    if driver not in _DRIVERS.values():
        raise SpecError(f"{source.url_env} names a database of kind '{url.drivername}'.", "Known are postgresql and sqlite.")
    if driver == "sqlite" and not (url.database and Path(url.database).is_file()):
        raise SpecError(f"The SQLite file that {source.url_env} names is not there.", "An absolute path has four slashes.")
    return url.set(drivername=driver)
