"""The suite's meaning in pandera (on pandas and on Polars) and in plain Polars, streaming; runs inside the peers' environment.

    python checks_peers.py polars|pandera_polars|pandera_pandas FILE

Prints seconds, memory and failing rows as JSON; what the table as a whole must meet is computed too, and does not count among the rows.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import polars as pl
from checks_data import COLOURS

_NULLS = ("id", "at", "price", "y")
_REGEX = r"^C[0-9]{5}$"


def polars(path: str) -> int:
    """One lazy query, streamed."""
    col = pl.col
    wrong = [
        *(col(name).null_count().alias(f"null_{name}") for name in _NULLS),
        *(
            (~col(name).is_between(low, high)).sum().alias(f"range_{name}")
            for name, low, high in (("x1", -8, 8), ("x2", -20, 40), ("x3", 0, 1))
        ),
        (col("price") < 0).sum().alias("price"),
        (~col("count").is_between(0, 999)).sum().alias("count"),
        (~col("hour").is_in(list(range(24)))).sum().alias("hour"),
        (~col("colour").is_in(COLOURS)).sum().alias("colour"),
        (col("code").str.len_chars() != 6).sum().alias("length"),
        (~col("code").str.contains(_REGEX)).sum().alias("regex"),
        (col("id").count() - col("id").n_unique()).alias("unique"),
        col("x3").null_count().alias("null_x3"),
    ]
    whole = [
        col("x2").mean().alias("mean"),
        col("x2").std().alias("std"),
        col("y").max().alias("max"),
        col("colour").n_unique().alias("colours"),
    ]
    found = pl.scan_parquet(path).select([*wrong, *whole]).collect(engine="streaming").row(0)
    return int(sum(found[: len(wrong)]))


def _schema(pa: Any, types: dict[str, Any]) -> Any:
    check, column = pa.Check, pa.Column
    return pa.DataFrameSchema(
        {
            "id": column(types["int"], unique=True),
            "at": column(types["time"]),
            "x1": column(types["float"], check.in_range(-8, 8)),
            "x2": column(types["float"], check.in_range(-20, 40)),
            "x3": column(types["float"], check.in_range(0, 1), nullable=True),
            "price": column(types["float"], check.ge(0)),
            "count": column(types["int"], check.in_range(0, 999)),
            "hour": column(types["int"], check.isin(list(range(24)))),
            "colour": column(types["text"], check.isin(COLOURS)),
            "code": column(types["text"], [check.str_length(6, 6), check.str_matches(_REGEX)]),
            "y": column(types["int"]),
        }
    )


def pandera_polars(path: str) -> int:
    """A schema on a Polars table in memory: pandera judges values of a lazy one by collecting it."""
    import pandera.polars as pa

    frame = pl.read_parquet(path)
    types = {"int": pl.Int64, "time": pl.Datetime("us"), "float": pl.Float64, "text": pl.String}
    failing = _failures(lambda: _schema(pa, types).validate(frame, lazy=True))
    frame.select(pl.col("x2").mean(), pl.col("x2").std().alias("std"), pl.col("y").max(), pl.col("colour").n_unique())
    return failing + frame["x3"].null_count()


def pandera_pandas(path: str) -> int:
    """A schema on a pandas table."""
    import pandas as pd
    import pandera.pandas as pa

    frame = pd.read_parquet(path)
    types = {"int": "int64", "time": "datetime64[us]", "float": "float64", "text": None}
    failing = _failures(lambda: _schema(pa, types).validate(frame, lazy=True))
    frame["x2"].agg(["mean", "std"]), frame["y"].max(), frame["colour"].nunique()
    return failing + int(frame["x3"].isna().sum())


def _failures(validate: Callable[[], object]) -> int:
    from pandera.errors import SchemaErrors

    try:
        validate()
    except SchemaErrors as errors:
        return len(errors.failure_cases)
    return 0


def main() -> None:
    """Measure one way; libraries are imported before the clock starts."""
    way, path = sys.argv[1:3]
    if way != "polars":
        import pandera.pandas
        import pandera.polars  # noqa: F401  # not what is measured
    began, cpu = time.perf_counter(), time.process_time()
    failing = {"polars": polars, "pandera_polars": pandera_polars, "pandera_pandas": pandera_pandas}[way](path)
    taken, cpu = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": taken, "cpu": cpu, "peak_mb": peak, "failing": failing}))


if __name__ == "__main__":
    main()
