"""Writes the traffic log; where it cannot, answers go on, what is lost is counted, and the log of the process says so."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from adapters.traffic_holes import HoleMarker
from adapters.traffic_log import TrafficLog
from adapters.traffic_rules import USUAL, TrafficRules
from adapters.traffic_segments import Batch
from contracts.traffic import AnsweredBatch, FailedBatch, FeedbackBatch


class Recorder:
    """One pipeline's traffic log, written from the line's thread and, for feedback, from another.

    Args:
        lost: is told how many answered rows could not be logged.
        rules: how the log is written.
    """

    def __init__(
        self, folder: Path, pipeline: str, lost: Callable[[int], None], log: FilteringBoundLogger, rules: TrafficRules = USUAL
    ) -> None:
        self._log = TrafficLog(folder, rules)
        self._holes = HoleMarker(folder)
        self._pipeline, self._lost, self._says = pipeline, lost, log
        self._lost_rows = 0  # since the log last worked
        self._feedback_lock = threading.Lock()

    def answered(self, batch: AnsweredBatch) -> None:
        """Log a micro-batch before its answers leave."""
        self._write(batch, len(batch.rows))

    def failed(self, batch: FailedBatch) -> None:
        """Log requests that were in order and got no answer."""
        self._write(batch, 0)

    def feedback(self, batch: FeedbackBatch) -> None:
        """Log labels and rewards.

        Raises:
            OSError: they could not be written; the caller keeps them and may send them again.
        """
        with self._feedback_lock:
            self._log.append(batch)

    def tend(self) -> None:
        """Leave what is old and sync what is due; called from a thread that answers nobody."""
        try:
            self._log.tend()
        except OSError as error:
            self._says.error("The traffic log cannot be synced", pipeline=self._pipeline, error=str(error))

    def _write(self, batch: Batch, rows: int) -> None:
        try:
            self._log.append(batch)
        except OSError as error:
            if not self._lost_rows:
                self._says.error("The traffic log cannot be written; answers go on, unlogged", pipeline=self._pipeline, error=str(error))
            self._holes.lost(max(rows, 1), error.strerror or str(error))
            self._lost_rows += max(rows, 1)
            self._lost(rows)
        else:
            if self._lost_rows:
                self._holes.works_again()
                self._says.warning("The traffic log is written again", pipeline=self._pipeline, lost_rows=self._lost_rows)
                self._lost_rows = 0
