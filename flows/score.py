"""Batch inference: a table of any size in, a Parquet file with predictions and their lineage out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types

from adapters.model_cache import cached_package
from adapters.package_store import LoadedPackage, load_package
from adapters.pipeline_files import Pipeline
from adapters.settings import Settings
from adapters.sources.times import time_columns
from adapters.table_stream import Wanted, parquet_groups, read_chunks
from contracts.errors import UsageError
from contracts.rollout import ModelRef
from contracts.spec import TableFiles
from flows.stages.retrain import champion_of

ROWS_PER_GROUP = 65_536


@dataclass(frozen=True, slots=True)
class Scored:
    """What was answered, and by whom.

    Attributes:
        version, digest, snapshot: of the model; the same stand in the output's metadata.
    """

    output: Path
    rows: int
    version: str
    digest: str
    snapshot: str


def score(
    settings: Settings,
    pipeline: Pipeline,
    source: Path,
    output: Path,
    version: str | None = None,
    rows_per_group: int = ROWS_PER_GROUP,
    tell: Callable[[int], None] = lambda _: None,
) -> Scored:
    """Answer every row of a file, in order, holding one row group at a time.

    Args:
        settings: where everything is.
        pipeline: whose model.
        source: CSV, TSV, JSON Lines (each also gzipped) or Parquet.
        output: a Parquet file: the key and the time columns where the input has them; `prediction`, or `probability` and `label`.
        version: which; the champion when None.
        rows_per_group: how many rows are answered and written at once.
        tell: called with the number of rows done.

    Raises:
        UsageError: no such version, no champion, no row, or a column that the model needs is missing or of another type.
        SpecError: the file cannot be read.
        OutsideError: the package could not be fetched, or the disk could not take the output.
        DigestMismatch: the package is not the one approved.
    """
    if output.exists() and output.samefile(source):
        raise UsageError(f"{output} is the input.", "Name another file as output.")
    model = _model(settings, pipeline.spec.name, version)
    package = load_package(cached_package(settings, model), model.digest)
    spec_source = pipeline.spec.source
    delimiter = spec_source.delimiter if isinstance(spec_source, TableFiles) else ","
    rows = 0
    with parquet_groups(output, _lineage(pipeline.spec.name, model)) as groups:
        for inputs, carried in read_chunks(source, _wanted(pipeline, package), rows_per_group, delimiter):
            if not len(inputs):
                continue
            try:
                predicted = package.predict(_numbers(inputs.reset_index(drop=True), package))
            except UsageError as error:
                raise UsageError(f"{source}, in the rows from {rows} on: {error.message}", error.remedy) from error
            groups.add(_answered(carried, predicted, package))
            rows += len(inputs)
            tell(rows)
        if not rows:
            raise UsageError(f"{source} has no row.", "Nothing was written.")
    return Scored(output, rows, model.version, model.digest, model.snapshot)


def _model(settings: Settings, name: str, version: str | None) -> ModelRef:
    if version is not None:
        from adapters.registry import Registry

        return Registry(settings).model(name, version)
    champion = champion_of(settings, name)
    if champion is None:
        raise UsageError(f"Pipeline '{name}' has no champion yet.", f"Name a --version, or see: understudy status {name}")
    return champion


def _wanted(pipeline: Pipeline, package: LoadedPackage) -> Wanted:
    columns = pipeline.spec.columns
    kinds = package.manifest.columns
    carried = tuple(dict.fromkeys([*columns.key, *time_columns(columns)]))
    return Wanted(tuple(kinds), tuple(name for name, kind in kinds.items() if kind == "str"), carried)


def _numbers(inputs: pd.DataFrame, package: LoadedPackage) -> pd.DataFrame:
    """Read numbers that one wrong value in a chunk of a text file turned into text, and name that value."""
    read = {}
    for name in inputs.columns[inputs.dtypes.map(pd.api.types.is_string_dtype)]:
        if package.manifest.columns[name] not in {"float", "int"}:
            continue
        read[name] = pd.to_numeric(inputs[name], errors="coerce")
        wrong = read[name].isna() & inputs[name].notna()
        if wrong.any():
            row = int(wrong.to_numpy().argmax())
            raise UsageError(f"Column '{name}', row {row}: {inputs[name].iloc[row]!r} is not a number.", "Mend it, or leave it empty.")
    return inputs.assign(**read)


def _lineage(name: str, model: ModelRef) -> dict[str, str]:
    known = {
        "pipeline": name,
        "version": model.version,
        "digest": model.digest,
        "snapshot": model.snapshot,
        "cutoff": model.cutoff.isoformat(),
    }
    return {f"understudy.{key}": value for key, value in known.items()}


def _answered(carried: pa.Table, predicted: np.ndarray, package: LoadedPackage) -> pa.Table:
    """Add what the gateway would answer, under the names that it uses."""
    manifest = package.manifest
    if manifest.task == "regression":
        return _with(carried, {"prediction": pa.array(predicted)})
    binary = manifest.task == "binary"
    chosen = (predicted > 0.5).astype(int) if binary else predicted.argmax(axis=1)
    chances = pa.array(predicted) if binary else pa.FixedSizeListArray.from_arrays(pa.array(predicted.ravel()), predicted.shape[1])
    return _with(carried, {"probability": chances, "label": pa.array(manifest.classes).take(pa.array(chosen))})


def _with(carried: pa.Table, answers: dict[str, pa.Array]) -> pa.Table:
    kept = {name: carried[name] for name in carried.column_names if name not in answers}
    return pa.table({**kept, **answers})
