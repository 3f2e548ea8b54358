"""Answers one task: reads its rows a group at a time, and leaves each part whole at its place, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types

from adapters.table_stream import Chunk, Wanted, parquet_groups, part_of, read_chunks
from contracts.errors import UsageError
from contracts.package import Manifest
from contracts.source import TableFiles
from flows.scoring.plan import Task

INPUT, START = "understudy.input", "understudy.first_row"  # beside the lineage, in a part's metadata


class Answering(Protocol):
    """A model that answers rows."""

    @property
    def manifest(self) -> Manifest:
        """What it says of itself."""

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Answer rows, as `LoadedPackage.predict`."""


@dataclass(frozen=True, slots=True)
class How:
    """What all tasks of a job have in common.

    Attributes:
        place: the folder of the parts.
        files: how text files are written.
        groups_per_part: of a text file. lineage: metadata of every part.
    """

    place: Path
    wanted: Wanted
    files: TableFiles
    rows_per_group: int
    groups_per_part: int
    lineage: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Part:
    """A part that is there; `kept` where an earlier run answered it."""

    name: str
    rows: int
    kept: bool


def answer_task(task: Task, model: Answering, how: How, tell: Callable[[int], None] = lambda _: None) -> list[Part]:
    """Answer every row of a task that no part holds yet; `tell` takes the number of further rows.

    Raises:
        UsageError: a column that the model needs is missing or of another type.
        SpecError: the file cannot be read.
        OutsideError: the disk could not take a part.
    """
    if task.groups is not None:
        kept = _kept(how, task, 0)
        if kept is not None:
            tell(kept.rows)
            return [kept]
    chunks = read_chunks(task.source, how.wanted, how.rows_per_group, how.files, task.groups)
    found, start = [], task.start
    for offset, numbered in groupby(enumerate(chunks), lambda one: 0 if task.groups is not None else one[0] // how.groups_per_part):
        part = _part(task, model, how, offset, start, (chunk for _, chunk in numbered), tell)
        if part is not None:
            found.append(part)
            start += part.rows
    return found


def _kept(how: How, task: Task, offset: int) -> Part | None:
    """Return a part of an earlier run, where it is of this very input."""
    name = task.part(offset)
    known = part_of(how.place / name)
    return Part(name, known[0], kept=True) if known is not None and known[1].get(INPUT) == task.fingerprint else None


def _part(
    task: Task, model: Answering, how: How, offset: int, start: int, chunks: Iterator[Chunk], tell: Callable[[int], None]
) -> Part | None:
    kept = _kept(how, task, offset)
    if kept is not None:
        for inputs, _ in chunks:  # a text file is read past what is answered
            tell(len(inputs))
        return kept
    name, rows = task.part(offset), 0
    metadata = {**how.lineage, INPUT: task.fingerprint, START: str(start)}
    with parquet_groups(how.place / name, metadata) as groups:
        for inputs, carried in chunks:
            if not len(inputs):
                continue
            try:
                predicted = model.predict(_numbers(inputs.reset_index(drop=True), model.manifest))
            except UsageError as error:
                raise UsageError(f"{task.source}, in the rows from {start + rows} on: {error.message}", error.remedy) from error
            groups.add(answered(carried, predicted, model.manifest))
            rows += len(inputs)
            tell(len(inputs))
    return Part(name, rows, kept=False) if rows else None


def _numbers(inputs: pd.DataFrame, manifest: Manifest) -> pd.DataFrame:
    """Read numbers that one wrong value in a chunk of a text file turned into text, and name that value."""
    read = {}
    for name in inputs.columns[inputs.dtypes.map(pd.api.types.is_string_dtype)]:
        if manifest.columns[name] not in {"float", "int"}:
            continue
        read[name] = pd.to_numeric(inputs[name], errors="coerce")
        wrong = read[name].isna() & inputs[name].notna()
        if wrong.any():
            row = int(wrong.to_numpy().argmax())
            raise UsageError(f"Column '{name}', row {row}: {inputs[name].iloc[row]!r} is not a number.", "Mend it, or leave it empty.")
    return inputs.assign(**read)


def answered(carried: pa.Table, predicted: np.ndarray, manifest: Manifest) -> pa.Table:
    """Add what the gateway would answer, under the names that it uses."""
    if manifest.task == "regression":
        return _with(carried, {"prediction": pa.array(predicted)})
    binary = manifest.task == "binary"
    chosen = (predicted > 0.5).astype(int) if binary else predicted.argmax(axis=1)
    chances = pa.array(predicted) if binary else pa.FixedSizeListArray.from_arrays(pa.array(predicted.ravel()), predicted.shape[1])
    return _with(carried, {"probability": chances, "label": pa.array(manifest.classes).take(pa.array(chosen))})


def _with(carried: pa.Table, answers: dict[str, pa.Array]) -> pa.Table:
    kept = {name: carried[name] for name in carried.column_names if name not in answers}
    return pa.table({**kept, **answers})
