"""The table that suites are measured on, and the suite: 12 columns of all kinds, clean but for a few rows that fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

COLOURS = ["red", "green", "blue", "black", "white"]
_CHUNK = 1_000_000
_SEED = 20261124


def write(path: Path, rows: int) -> None:
    """Write the table, a million rows at a time; five rows in a million fail."""
    random = np.random.default_rng(_SEED)
    writer = None
    for start in range(0, rows, _CHUNK):
        table = _chunk(random, start, min(_CHUNK, rows - start))
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def _chunk(random: np.random.Generator, start: int, rows: int) -> pa.Table:
    numbers = np.arange(start, start + rows)
    price = np.round(random.gamma(2, 20, rows), 2)
    price[:5] = -1.0
    code = np.char.add("C", random.integers(10_000, 99_999, rows).astype(str))
    return pa.table(
        {
            "id": numbers,
            "at": np.datetime64("2025-01-01", "us") + numbers * np.timedelta64(1, "s"),
            "x1": random.normal(size=rows),
            "x2": random.normal(10, 3, rows),
            "x3": pa.array(random.random(rows), mask=random.random(rows) < 0.01),
            "price": price,
            "count": random.integers(0, 1000, rows),
            "hour": random.integers(0, 24, rows),
            "colour": pa.array(COLOURS).take(pa.array(random.integers(0, len(COLOURS), rows))),
            "code": code,
            "flag": random.random(rows) < 0.3,
            "y": random.poisson(40, rows),
        }
    )


def suite() -> dict[str, Any]:
    """Return the suite in Great Expectations' JSON form: 20 expectations."""
    of_rows: list[tuple[str, dict[str, Any]]] = [
        *(("values_to_not_be_null", {"column": name}) for name in ("id", "at", "price", "y")),
        ("values_to_not_be_null", {"column": "x3", "mostly": 0.95}),
        ("values_to_be_between", {"column": "x1", "min_value": -8, "max_value": 8}),
        ("values_to_be_between", {"column": "x2", "min_value": -20, "max_value": 40}),
        ("values_to_be_between", {"column": "x3", "min_value": 0, "max_value": 1}),
        ("values_to_be_between", {"column": "price", "min_value": 0}),
        ("values_to_be_between", {"column": "count", "min_value": 0, "max_value": 999}),
        ("values_to_be_in_set", {"column": "hour", "value_set": list(range(24))}),
        ("values_to_be_in_set", {"column": "colour", "value_set": COLOURS}),
        ("value_lengths_to_equal", {"column": "code", "value": 6}),
        ("values_to_match_regex", {"column": "code", "regex": r"^C[0-9]{5}$"}),
        ("values_to_be_unique", {"column": "id"}),
        ("mean_to_be_between", {"column": "x2", "min_value": 9, "max_value": 11}),
        ("stdev_to_be_between", {"column": "x2", "min_value": 2, "max_value": 4}),
        ("max_to_be_between", {"column": "y", "min_value": 40, "max_value": 120}),
        ("unique_value_count_to_be_between", {"column": "colour", "min_value": 5, "max_value": 5}),
    ]
    asked = [{"type": f"expect_column_{kind}", "kwargs": kwargs} for kind, kwargs in of_rows]
    return {"name": "bench", "expectations": [*asked, {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1}}]}
