"""What a source has: new rows part by part, then those behind the watermark that are late or corrected; the rest is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd

from adapters.data_repo import DataRepo
from adapters.joined import joined
from adapters.partitions import kinds
from adapters.sources import Seen, read_parts
from contracts.columns import EVENT_TIME, REASONS
from contracts.errors import BatchRefused
from contracts.snapshot import Snapshot
from contracts.spec import PipelineSpec
from data_checks.column_rule import fit_columns
from data_checks.late_rows import Late, fingerprints, keys_of, late_rows

Refuse = Callable[[pd.DataFrame, list[str]], BatchRefused]
_NONE_LATE = Late(pd.DataFrame(), frozenset(), 0)


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that are judged together; the last part has the late ones too. `misfits`: rows of another type, with their reasons."""

    rows: pd.DataFrame
    misfits: pd.DataFrame
    last: bool = False


class Arrivals:
    """One reading of a source, held against the newest snapshot; iterate once.

    Attributes, complete when the iteration has ended:
        known: rows behind the watermark that the snapshot has already, or that were set aside before.
        marks: fingerprints of rows that were set aside before.
        watermark: of the newest snapshot, or None.
    """

    def __init__(self, spec: PipelineSpec, repo: DataRepo, before: Snapshot | None, refuse: Refuse) -> None:
        self._spec, self._repo, self._before, self._refuse = spec, repo, before, refuse
        self._columns = dict(before.columns) if before else {}
        self._filled: set[str] = set()
        self._behind: list[pd.DataFrame] = []
        self._corrected: frozenset[str] = frozenset()
        self.watermark = before.watermark if before else None
        self.marks = repo.marks(before) if before else {}
        self.known = 0

    def parts(self, until: datetime | None, since: datetime | None, kept: Path, seen: Seen) -> Iterator[Part]:
        """Yield the parts.

        Args:
            until: the newest time that is wanted; None for all.
            since: look for late rows from here on; None for as far back as `source.lateness` says.
            kept: folder for copies of remote files.
            seen: is told how many rows of the source were read, and where.
        """
        held: Part | None = None
        reach = since or (self.watermark - self._spec.source.lateness if self.watermark else None)
        with closing(read_parts(self._spec, reach, until, kept, seen)) as read:
            for frame in read:
                part = self._fitted(frame)
                if held is not None and held.rows.empty:
                    part = Part(part.rows, pd.concat([held.misfits, part.misfits], ignore_index=True))
                elif held is not None:
                    yield held
                held = part
        late = self._late(reach)
        self._corrected, self.known = late.corrected, self.known + late.known
        if held is not None:
            rows = [one for one in (late.rows, held.rows) if not one.empty]
            if rows or not held.misfits.empty:
                yield Part(joined(rows) if rows else held.rows, held.misfits, last=True)

    def behind(self, rows: pd.DataFrame) -> pd.Series:
        """Return which rows are not after the watermark."""
        at = rows[EVENT_TIME]
        return at <= self.watermark if self.watermark else pd.Series(data=False, index=rows.index)

    def corrections(self, late: pd.DataFrame) -> int:
        """Return how many late rows have a key that is known."""
        return sum(one in self._corrected for one in keys_of(late, self._spec.columns.key)) if self._corrected else 0

    def marks_after(self, aside: list[pd.DataFrame]) -> dict[str, datetime]:
        """Return the fingerprints of what was set aside, now and before, as long as the source is read again there."""
        if not self._spec.source.lateness:
            return {}
        now = {mark: at for rows in aside for mark, at in _marked(rows).items()}
        return self.marks | now

    def _fitted(self, frame: pd.DataFrame) -> Part:
        """Give a part the columns of the snapshot by the spec's rule, and put aside what is not after the watermark."""
        fitted = fit_columns(self._columns, frame, self._spec.source.on_change)
        if fitted.conflicts:
            raise self._refuse(frame, list(fitted.conflicts))
        self._columns |= {name: dtype for name, dtype in kinds(fitted.rows).items() if name not in self._columns}
        self._filled |= set(fitted.filled)
        behind = self.behind(fitted.rows)
        if behind.any():
            self._behind.append(fitted.rows[behind])
        return Part(fitted.rows[~behind].reset_index(drop=True), self._not_marked(fitted.misfits))

    def _not_marked(self, misfits: pd.DataFrame) -> pd.DataFrame:
        known = pd.Series([mark in self.marks for mark in _fingerprints(misfits)], index=misfits.index, dtype=bool)
        self.known += int(known.sum())
        return misfits[~known]

    def _late(self, reach: datetime | None) -> Late:
        if not self._behind or self._before is None:
            return _NONE_LATE
        known = self._repo.frame(self._before, since=reach)
        return late_rows(known, joined(self._behind), self._spec.columns.key, self.marks, self._filled)


def _marked(rows: pd.DataFrame) -> dict[str, datetime]:
    return dict(zip(_fingerprints(rows), [at.to_pydatetime() for at in rows[EVENT_TIME]], strict=True))


def _fingerprints(rows: pd.DataFrame) -> list[str]:
    return fingerprints(rows.drop(columns=REASONS, errors="ignore"))
