"""Tables larger than memory: read a chunk at a time, written as Parquet a row group at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types
from pyarrow import parquet

from adapters.sources.file_kinds import csv_options, is_lines, is_parquet, json_options, named_mistakes
from contracts.errors import OutsideError, SpecError, UsageError
from contracts.source import TableFiles

_USUAL = TableFiles()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is read of a table.

    Attributes:
        inputs: columns for computing; those that are absent are left to their user to miss.
        text: those of them that are text, whatever a chunk of a CSV file looks like.
        carried: columns handed through where they are there: as they are in Parquet, as they are written in text files.
    """

    inputs: Sequence[str]
    text: Collection[str]
    carried: Sequence[str]


Chunk = tuple[pd.DataFrame, pa.Table]


def row_groups(path: Path) -> list[int]:
    """Return how many rows each row group of a Parquet file has.

    Raises:
        SpecError: it is no Parquet file.
    """
    try:
        known = parquet.read_metadata(path)
    except (ValueError, OSError) as error:
        raise SpecError(f"{path} cannot be read: {str(error).strip().splitlines()[0]}.", "Mend the file.") from error
    return [known.row_group(number).num_rows for number in range(known.num_row_groups)]


def cut(sizes: Sequence[int], rows: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield parts: rows before it, and its row groups, joined until they have at least so many rows; a row group is never split."""
    start, held, count = 0, [], 0
    for index, size in enumerate(sizes):
        held.append(index)
        count += size
        if count >= rows:
            yield start, tuple(held)
            start, held, count = start + count, [], 0
    if count:
        yield start, tuple(held)


def regrouped(tables: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """Yield the rows of tables in tables of exactly so many rows; the last one may be smaller."""
    held: list[pa.Table] = []
    for table in tables:
        held.append(table)
        while sum(map(len, held)) >= rows:
            whole = pa.concat_tables(held)
            yield whole.slice(0, rows).combine_chunks()
            held = [whole.slice(rows)]
    if sum(map(len, held)):
        yield pa.concat_tables(held).combine_chunks()


def part_of(path: Path) -> tuple[int, dict[str, str]] | None:
    """Return the rows and the metadata of a Parquet file that may not be there, or None."""
    if not path.is_file():
        return None
    known = parquet.read_metadata(path)
    return known.num_rows, {name.decode(): value.decode() for name, value in (known.metadata or {}).items() if name != b"ARROW:schema"}


def read_chunks(path: Path, wanted: Wanted, rows: int, how: TableFiles = _USUAL, groups: Sequence[int] | None = None) -> Iterator[Chunk]:
    """Yield inputs and carried columns of at most `rows` rows at a time, in order; the kind is told by the name, as for a source's files.

    Args:
        path, wanted, rows, how: which file, what of it, how many rows at most, and how text files are written.
        groups: of a Parquet file only these row groups.

    Raises:
        SpecError: the kind is not known, or the content is not of that kind.
    """
    with named_mistakes(path, how):
        if is_parquet(path):
            yield from _parquet(path, wanted, rows, groups)
        elif is_lines(path):
            with pd.read_json(path, chunksize=rows, **json_options(how)) as frames:
                yield from (_text(frame, wanted) for frame in frames)
        else:
            yield from _csv(path, wanted, rows, csv_options(path, how))


def count_rows(path: Path) -> int | None:
    """Return how many rows a file has where that is known without reading it, else None.

    Raises:
        SpecError: it is called Parquet and is not.
    """
    return sum(row_groups(path)) if is_parquet(path) else None


def _parquet(path: Path, wanted: Wanted, rows: int, groups: Sequence[int] | None) -> Iterator[Chunk]:
    with parquet.ParquetFile(path) as file:
        names = file.schema_arrow.names
        inputs = [name for name in wanted.inputs if name in names]
        carried = [name for name in wanted.carried if name in names]
        for batch in file.iter_batches(rows, row_groups=groups, columns=list(dict.fromkeys([*inputs, *carried]))):
            table = pa.Table.from_batches([batch])
            yield table.select(inputs).to_pandas(), table.select(carried)


def _csv(path: Path, wanted: Wanted, rows: int, options: dict[str, Any]) -> Iterator[Chunk]:
    known = {*wanted.inputs, *wanted.carried}
    kinds: dict[Any, Any] = dict.fromkeys([*wanted.text, *(name for name in wanted.carried if name not in wanted.inputs)], "str")
    with pd.read_csv(path, usecols=lambda name: name in known, dtype=kinds, chunksize=rows, **options) as frames:
        yield from (_text(frame, wanted) for frame in frames)


def _text(frame: pd.DataFrame, wanted: Wanted) -> Chunk:
    carried = {name: pa.array(frame[name].astype("string"), pa.string()) for name in wanted.carried if name in frame}
    return frame[[name for name in wanted.inputs if name in frame]], pa.table(carried)


class Groups:
    """A Parquet file in the making; each table that is added becomes a row group."""

    def __init__(self, path: Path, metadata: Mapping[str, str]) -> None:
        self._path, self._metadata = path, metadata
        self._writer: Any = None

    def add(self, table: pa.Table) -> None:
        """Write a table; all have the columns of the first."""
        if self._writer is None:
            self._writer = parquet.ParquetWriter(self._path, table.schema.with_metadata(self._metadata), compression="zstd")
        self._writer.write_table(table.cast(self._writer.schema), row_group_size=max(1, len(table)))

    def close(self) -> None:
        """Write the footer."""
        if self._writer is not None:
            self._writer.close()


@contextmanager
def parquet_groups(path: Path, metadata: Mapping[str, str]) -> Iterator[Groups]:
    """Give a Parquet file to write row groups to; it is at its place whole, when the block ends without an error, or not at all.

    Where nothing was added, nothing is written.

    Args:
        path: where it will be; what is there is replaced.
        metadata: kept in its schema.

    Raises:
        UsageError: the folder is not there.
        OutsideError: the disk could not take it.
    """
    if not path.parent.is_dir():
        raise UsageError(f"The folder {path.parent} is not there.", "Make it first.")
    with _placed(path) as part:
        groups = Groups(part, metadata)
        try:
            yield groups
        finally:
            groups.close()


@contextmanager
def _placed(path: Path) -> Iterator[Path]:
    """Give a name beside a file's place; what is written there is at the place when the block ends without an error, else nowhere."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.unlink(missing_ok=True)  # of a killed process with the same number
        yield part
        if part.is_file():
            with part.open("rb+") as stream:
                os.fsync(stream.fileno())
            part.replace(path)
    except OSError as error:
        raise OutsideError(f"{path} could not be written: {error.strerror or error}.", "Look at the disk and its rights.") from error
    finally:
        part.unlink(missing_ok=True)


def join_parts(parts: Sequence[Path], path: Path, metadata: Mapping[str, str]) -> None:
    """Put Parquet files one behind the other into one file, Parquet or CSV by its name, a row group at a time.

    Beside a CSV file `NAME.lineage.json` holds the metadata.

    Raises:
        UsageError: CSV cannot hold a list of probabilities.
        OutsideError: the disk could not take it.
    """
    if is_parquet(path):
        with parquet_groups(path, metadata) as groups:
            for table in _tables(parts):
                _add(groups, table)
        return
    with _placed(path) as part:
        _write_csv(_tables(parts), part, gzipped=path.name.endswith(".gz"), called=path)
        path.with_name(f"{path.name}.lineage.json").write_text(json.dumps(dict(metadata), indent=2) + "\n", encoding="utf-8")


def _add(groups: Groups, table: pa.Table) -> None:
    try:
        groups.add(table)
    except (ValueError, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:  # other names, or a type that cannot be the first's
        raise UsageError(
            f"The inputs do not fit into one file: {str(error).splitlines()[0]}.", "Name a folder as output, or give the columns one type."
        ) from error


def _write_csv(tables: Iterator[pa.Table], part: Path, *, gzipped: bool, called: Path) -> None:
    from pyarrow import csv

    try:
        with pa.CompressedOutputStream(str(part), "gzip") if gzipped else pa.OSFile(str(part), "wb") as stream:
            writer: Any = None
            for table in tables:
                writer = writer or csv.CSVWriter(stream, table.schema)
                writer.write_table(table)
            writer.close()
    except pa.ArrowInvalid as error:
        raise UsageError(f"{called} cannot hold these answers: {error}.", "Name a .parquet file.") from error


def _tables(parts: Sequence[Path]) -> Iterator[pa.Table]:
    for one in parts:
        with parquet.ParquetFile(one) as file:
            for number in range(file.num_row_groups):
                yield file.read_row_group(number)
