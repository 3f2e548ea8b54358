"""Rows from files on disk: CSV, gzip CSV, Parquet and JSON Lines."""

from __future__ import annotations

import difflib
import glob
import os
import re
from datetime import datetime
from pathlib import Path

import pandas as pd

from adapters.sources.times import event_times, time_columns
from contracts.columns import EVENT_TIME, RESERVED
from contracts.errors import SpecError
from contracts.spec import Columns, FileSource

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def read_files(source: FileSource, columns: Columns, after: datetime | None, until: datetime | None) -> pd.DataFrame:
    """Return the rows of all matching files with after < event_time <= until, sorted by event time; equal times keep file order.

    Raises:
        SpecError: no file matches, a file cannot be read, a column is missing, or a time cannot be read.
    """
    frames = []
    for path in matching_files(source.path):
        frame = _checked(read_table(path, source.delimiter), columns, path)
        times = event_times(frame, columns, str(path))
        keep = pd.Series(data=True, index=frame.index)
        if after is not None:
            keep &= times > after
        if until is not None:
            keep &= times <= until
        frames.append(frame.assign(**{EVENT_TIME: times})[keep])
    rows = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    return rows.sort_values(EVENT_TIME, kind="stable", ignore_index=True)


def matching_files(path: str) -> list[Path]:
    """Return the files that a path with `${NAME}` and globs names, sorted.

    Raises:
        SpecError: an environment variable is unset, or no file matches.
    """
    known = _VARIABLE.sub(_value, path)
    found = [Path(name) for name in sorted(glob.glob(known, recursive=True)) if Path(name).is_file()]  # noqa: PTH207  # absolute patterns
    if not found:
        raise SpecError(
            f"The source's path '{known}' matches no file.", "Mend source.path in pipeline.yaml; it is read from the working directory."
        )
    return found


def _value(found: re.Match[str]) -> str:
    value = os.environ.get(found[1])
    if value is None:
        raise SpecError(f"source.path names the environment variable {found[1]}, which is unset.", f"Set it: export {found[1]}=…")
    return value


def read_table(path: Path, delimiter: str = ",") -> pd.DataFrame:
    """Return a file's rows; its kind is told by its name (.csv, .tsv, .parquet, .jsonl, .ndjson, each text form also with .gz).

    Raises:
        SpecError: the kind is not known, or the content is not of that kind.
    """
    name = path.name.lower().removesuffix(".gz")
    try:
        if name.endswith((".parquet", ".pq")):
            return pd.read_parquet(path)
        if name.endswith((".jsonl", ".ndjson")):
            return pd.read_json(path, lines=True, dtype=False)
        if name.endswith((".csv", ".tsv", ".txt")):
            return pd.read_csv(path, sep="\t" if name.endswith(".tsv") else delimiter, low_memory=False)
    except (ValueError, OSError, EOFError) as error:  # pandas' and pyarrow's parser errors are ValueErrors
        raise SpecError(f"{path} cannot be read: {str(error).strip().splitlines()[0]}.", "Mend the file, or source.delimiter.") from error
    raise SpecError(f"{path} is of no kind that is known.", "Give a .csv, .csv.gz, .tsv, .parquet or .jsonl file.")


def _checked(frame: pd.DataFrame, columns: Columns, path: Path) -> pd.DataFrame:
    wanted = [*time_columns(columns), *columns.key, columns.target, *columns.features.all, *([columns.unit] if columns.unit else [])]
    for name in wanted:
        if name not in frame.columns:
            close = difflib.get_close_matches(name, [str(one) for one in frame.columns], 1)
            hint = f"Did you mean '{close[0]}'?" if close else f"It has: {', '.join(map(str, frame.columns[:20]))}."
            raise SpecError(f"{path} has no column '{name}'.", hint)
    taken = [name for name in RESERVED if name in frame.columns and name not in time_columns(columns)]
    if taken:
        raise SpecError(f"{path} has a column '{taken[0]}', a name used by Understudy itself.", "Rename it, or name it under columns.time.")
    return frame
