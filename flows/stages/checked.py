"""What the suite said of the batch that became a snapshot, kept so that the version fitted on it can show it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from adapters.row_digest import row_digest
from adapters.settings import Settings
from contracts.snapshot import Snapshot
from contracts.verdict import Verdict
from flows.stages.work import read_json, write_json


@dataclass(frozen=True, slots=True)
class Checked:
    """The suite's answer to one batch.

    Attributes:
        rows: of the batch. quarantined: of these, set aside.
        docs: the page of the results, or None.
    """

    verdicts: tuple[Verdict, ...]
    rows: int
    quarantined: int
    docs: str | None


def keep_checks(settings: Settings, pipeline: str, kept: pd.DataFrame, found: Checked) -> None:
    """Write it under the digest of the rows that go on, before they become a partition: a kill in between loses nothing."""
    write_json(_path(settings, pipeline, row_digest(kept)), found)


def checks_of(settings: Settings, snapshot: Snapshot) -> Checked | None:
    """Return what the suite said of a snapshot's newest partition; None where it was made on another machine."""
    path = _path(settings, snapshot.pipeline, snapshot.partitions[-1].digest)
    return read_json(path, Checked) if path.is_file() else None


def _path(settings: Settings, pipeline: str, digest: str) -> Path:
    return settings.home / "checks" / pipeline / f"{digest[:16]}.json"
