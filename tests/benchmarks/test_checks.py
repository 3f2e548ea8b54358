"""The benchmark of checks asks both engines the same, and both find the rows that were made to fail."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.peers.checks_data import suite, write
from benchmarks.peers.checks_own import WAYS


@pytest.mark.parametrize("way", ["ours", "great_expectations"])
def test_who_is_measured_finds_the_rows_that_fail(way: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    write(path, 2000)
    assert len(suite()["expectations"]) == 20
    missing = pq.read_table(path)["x3"].null_count
    assert WAYS[way](path) == 5 + missing  # prices below nothing, and what is missing
