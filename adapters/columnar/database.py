"""DuckDB in bounded memory: what does not fit goes to a folder of its own, and nothing is fetched from anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@contextmanager
def open_database(memory: str, threads: int) -> Iterator[DuckDBPyConnection]:
    """Open an empty database for the time of a block; it keeps no order that is not asked for.

    Args:
        memory: of DuckDB's own, such as `256MB`; beyond it goes to disk.
        threads: that may work at once.
    """
    import duckdb

    with TemporaryDirectory(prefix="understudy-duckdb-") as folder:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory,
            "threads": threads,
            "preserve_insertion_order": "false",
            "temp_directory": folder,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        with duckdb.connect(config=config) as database:
            yield database
