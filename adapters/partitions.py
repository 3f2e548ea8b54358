"""Partitions: how they are read, which of them a window needs, and the snapshot that further ones make."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from adapters.batch import Batch
from contracts.snapshot import Partition, Snapshot


def read_partition(path: Path, columns: list[str] | None) -> pd.DataFrame:
    """Return a partition's rows; a column that came only later is empty."""
    if columns is None:
        return pd.read_parquet(path)
    try:
        return pd.read_parquet(path, columns=columns)
    except ValueError:  # the partition is older than one of the columns
        return pd.read_parquet(path).reindex(columns=columns)


def ended(partitions: Sequence[Partition], since: datetime | None) -> int:
    """Count leading partitions that end before `since`; later ones may correct earlier rows and count as needed."""
    count = 0
    while since is not None and count < len(partitions) and partitions[count].last < since:
        count += 1
    return count


def kinds(frame: pd.DataFrame) -> dict[str, str]:
    """Return the names of the columns' pandas dtypes."""
    return {str(name): str(dtype) for name, dtype in frame.dtypes.items()}


def left_out(before: Snapshot | None, after: Snapshot) -> list[str]:
    """Return the names of partitions that a snapshot does not have any more."""
    names = {one.name for one in after.partitions}
    return [one.name for one in before.partitions if one.name not in names] if before else []


def snapshot_after(before: Snapshot | None, pipeline: str, added: tuple[Partition, ...], columns: dict[str, str], batch: Batch) -> Snapshot:
    """Return the snapshot of the one before, less what is older than the batch's retention, and these further partitions."""
    if not added:
        raise ValueError("a snapshot needs at least one row")
    times = [*(one.last for one in added), batch.aside_until, before.watermark if before else None]
    watermark = max(at for at in times if at is not None)
    old = before.partitions if before else ()
    kept = old if batch.retention is None else old[ended(old, watermark - batch.retention) :]
    partitions = (*kept, *added)
    digest = hashlib.sha256("".join(f"{one.digest}\n" for one in partitions).encode()).hexdigest()
    return Snapshot(
        id=f"s{digest[:12]}",
        pipeline=pipeline,
        digest=digest,
        partitions=partitions,
        columns=columns,
        rows=sum(one.rows - one.corrected for one in partitions),
        quarantined=batch.quarantined + (before.quarantined if before else 0),
        watermark=watermark,
        created_at=datetime.now(UTC),
        key=tuple(batch.key),
    )
