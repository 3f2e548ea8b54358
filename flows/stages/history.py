"""What a batch is held against: the newest snapshot's rows, its newest time, and what time it is."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd

from adapters.data_repo import DataRepo
from contracts.columns import EVENT_TIME
from contracts.snapshot import Snapshot
from contracts.spec import PipelineSpec
from data_checks.history.judge import History, history_columns


def history_of(repo: DataRepo, spec: PipelineSpec, before: Snapshot | None, asked: datetime | None) -> History:
    """Return the history that a pipeline's checks need, and no more of it than they do.

    Args:
        repo: where the snapshots are.
        spec: whose checks.
        before: the newest snapshot; None where there is none.
        asked: the time on an event clock, or up to which rows were asked for; None: the wall clock's, where the pipeline lives by it.
    """
    now = asked or (datetime.now(UTC) if spec.clock == "wall" else None)
    nothing = pd.DataFrame({EVENT_TIME: pd.Series(dtype="datetime64[us, UTC]")})
    if before is None:
        return History(nothing, None, now)
    wanted = [name for name in history_columns(spec) if name in before.columns]
    rows = repo.frame(before, wanted, since=before.watermark - spec.checks.reference) if wanted else nothing
    return History(rows, before.watermark, now)
