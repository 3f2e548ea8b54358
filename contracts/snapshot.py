"""A snapshot: an immutable, content-addressed data set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Partition:
    """One immutable Parquet file of a snapshot.

    Attributes:
        name: file name below the pipeline's folder in the data repository.
        digest: sha256 of the rows in canonical form, hex.
        first, last: smallest and greatest event time.
        late: of its rows, those that came behind the watermark with a key that was not known.
        corrected: of its rows, those whose key was known: they replace the earlier row when a window is read.
    """

    name: str
    digest: str
    rows: int
    first: datetime
    last: datetime
    late: int = 0
    corrected: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A version of a pipeline's data.

    Attributes:
        id: `s` and the first twelve hex digits of `digest`; git tag `PIPELINE/ID` in the data repository.
        digest: sha256 over the partitions' digests in order, hex.
        rows: of all partitions, without those known to be replaced by a correction.
        watermark: greatest event time; rows after it are new, rows before it late or corrections.
        quarantined: rows set aside in all batches so far.
        key: columns that identify a row; of rows with one key the one that came last counts.
    """

    id: str
    pipeline: str
    digest: str
    partitions: tuple[Partition, ...]
    columns: dict[str, str]
    rows: int
    quarantined: int
    watermark: datetime
    created_at: datetime
    commit: str = ""
    key: tuple[str, ...] = ()
