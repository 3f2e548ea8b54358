"""Tables larger than memory: read a chunk at a time, written as Parquet a row group at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types
from pyarrow import parquet

from adapters.sources.file_kinds import is_table
from contracts.errors import OutsideError, SpecError, UsageError


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


def is_parquet(path: Path) -> bool:
    """Return whether a file's name says Parquet."""
    return path.name.lower().endswith((".parquet", ".pq"))


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


def part_of(path: Path) -> tuple[int, dict[str, str]] | None:
    """Return the rows and the metadata of a Parquet file that may not be there, or None."""
    if not path.is_file():
        return None
    known = parquet.read_metadata(path)
    return known.num_rows, {name.decode(): value.decode() for name, value in (known.metadata or {}).items() if name != b"ARROW:schema"}


def read_chunks(path: Path, wanted: Wanted, rows: int, delimiter: str = ",", groups: Sequence[int] | None = None) -> Iterator[Chunk]:
    """Yield inputs and carried columns of at most `rows` rows at a time, in order; the kind is told by the name, as for a source's files.

    Args:
        path, wanted, rows, delimiter: which file, what of it, how many rows at most, and what parts the fields of a CSV file.
        groups: of a Parquet file only these row groups.

    Raises:
        SpecError: the kind is not known, or the content is not of that kind.
    """
    name = path.name.lower().removesuffix(".gz")
    if not is_table(name):
        raise SpecError(f"{path} is of no kind that is known.", "Give a .csv, .csv.gz, .tsv, .parquet or .jsonl file.")
    try:
        if is_parquet(path):
            yield from _parquet(path, wanted, rows, groups)
        elif name.endswith((".jsonl", ".ndjson")):
            with pd.read_json(path, lines=True, dtype=False, precise_float=True, chunksize=rows) as frames:
                yield from (_text(frame, wanted) for frame in frames)
        else:
            separator = "\t" if name.endswith(".tsv") else delimiter
            yield from _csv(path, wanted, rows, separator)
    except (ValueError, OSError, EOFError) as error:  # pandas' and pyarrow's parser errors are ValueErrors
        raise SpecError(f"{path} cannot be read: {str(error).strip().splitlines()[0]}.", "Mend the file, or source.delimiter.") from error


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


def _csv(path: Path, wanted: Wanted, rows: int, separator: str) -> Iterator[Chunk]:
    known = {*wanted.inputs, *wanted.carried}
    kinds: dict[Any, Any] = dict.fromkeys([*wanted.text, *(name for name in wanted.carried if name not in wanted.inputs)], "str")
    with pd.read_csv(path, sep=separator, usecols=lambda name: name in known, dtype=kinds, chunksize=rows) as frames:
        yield from (_text(frame, wanted) for frame in frames)


def _text(frame: pd.DataFrame, wanted: Wanted) -> Chunk:
    carried = {name: pa.array(frame[name].astype("string"), pa.string()) for name in wanted.carried if name in frame}
    return frame[[name for name in wanted.inputs if name in frame]], pa.table(carried)


class Groups:
    """A Parquet file in the making; each table that is added becomes a row group."""

    def __init__(self, path: Path, metadata: Mapping[str, str]) -> None:
        self._path, self._metadata = path, metadata
        self._writer: Any = None

    @property
    def begun(self) -> bool:
        """Whether anything was added."""
        return self._writer is not None

    def add(self, table: pa.Table) -> None:
        """Write a table; all have the columns of the first."""
        if self._writer is None:
            self._writer = parquet.ParquetWriter(self._path, table.schema.with_metadata(self._metadata), compression="zstd")
        self._writer.write_table(table.cast(self._writer.schema))

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
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    groups = Groups(part, metadata)
    try:
        try:
            yield groups
        finally:
            groups.close()
        if groups.begun:
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
        try:
            with parquet_groups(path, metadata) as groups:
                for table in _tables(parts):
                    groups.add(table)
        except (ValueError, TypeError, NotImplementedError) as error:  # pyarrow's word for columns that do not go together
            raise UsageError(
                f"The inputs do not fit into one file: {str(error).splitlines()[0]}.",
                "Name a folder as output, or give the columns one type.",
            ) from error
        return
    from pyarrow import csv

    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with pa.CompressedOutputStream(str(part), "gzip") if path.name.endswith(".gz") else pa.OSFile(str(part), "wb") as stream:
            writer: Any = None
            for table in _tables(parts):
                writer = writer or csv.CSVWriter(stream, table.schema)
                writer.write_table(table)
            writer.close()
        path.with_name(f"{path.name}.lineage.json").write_text(json.dumps(dict(metadata), indent=2) + "\n", encoding="utf-8")
        part.replace(path)
    except pa.ArrowInvalid as error:
        raise UsageError(f"{path} cannot hold these answers: {error}.", "Name a .parquet file.") from error
    except OSError as error:
        raise OutsideError(f"{path} could not be written: {error.strerror or error}.", "Look at the disk and its rights.") from error
    finally:
        part.unlink(missing_ok=True)


def _tables(parts: Sequence[Path]) -> Iterator[pa.Table]:
    for one in parts:
        with parquet.ParquetFile(one) as file:
            for number in range(file.num_row_groups):
                yield file.read_row_group(number)
