"""Runs the suite with one of our engines, or reads the file once, and prints seconds, memory and failing rows as JSON.

python -m benchmarks.peers.checks_own ours|great_expectations|bound FILE
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.peers.checks_data import suite


def ours(path: Path) -> int:
    """Answer the suite as `understudy check FILE` does."""
    from adapters.checks import run_suite_on_files

    return sum(one.unexpected or 0 for one in run_suite_on_files(suite(), [path]).results)


def great_expectations(path: Path) -> int:
    """Read the file into pandas and let Great Expectations answer."""
    import pandas as pd

    from adapters.expectations import ask_great_expectations
    from adapters.suite_answers import read_suite

    answers = ask_great_expectations(read_suite(suite()), pd.read_parquet(path))
    return sum(int(one.result.get("unexpected_count") or 0) for one in answers)


def bound(path: Path) -> int:
    """Read every column once, a batch at a time."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        return 0 * sum(batch.num_rows for batch in file.iter_batches(1_000_000))


WAYS: dict[str, Callable[[Path], int]] = {"ours": ours, "great_expectations": great_expectations, "bound": bound}


def main() -> None:
    """Measure one way; libraries are imported before the clock starts."""
    way, path = sys.argv[1:3]
    import duckdb  # noqa: F401  # not what is measured
    import pyarrow.parquet  # noqa: F401  # not what is measured

    import adapters.checks  # noqa: F401  # not what is measured

    if way == "great_expectations":
        import great_expectations  # noqa: F401  # not what is measured
    began, cpu = time.perf_counter(), time.process_time()
    failing = WAYS[way](Path(path))
    taken, cpu = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": taken, "cpu": cpu, "peak_mb": peak, "failing": failing}))


if __name__ == "__main__":
    main()
