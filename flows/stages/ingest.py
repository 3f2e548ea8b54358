"""The first stage: new rows from the source become a snapshot, or are refused, or there are none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from adapters.batch import Batch
from adapters.data_repo import DataRepo
from adapters.joined import joined
from adapters.pipeline_files import Pipeline
from adapters.quarantine_files import QuarantineFiles, span_of
from adapters.settings import Settings
from adapters.sources import Seen
from contracts.check_line import CheckLine
from contracts.columns import EVENT_TIME, REASONS
from contracts.errors import BatchRefused, SpecError, UsageError
from contracts.expectation import SuiteResult
from contracts.snapshot import Snapshot
from contracts.spec import PipelineSpec
from contracts.verdict import Outcome, Verdict, worst
from data_checks.check_lines import batch_lines
from data_checks.history.judge import History, history_columns, judge_history
from data_checks.quarantine import Split, split
from data_checks.verdicts import check_verdicts
from flows.stages.arrivals import Arrivals, Part
from flows.stages.checked import Checked, keep_checks
from flows.stages.clock import traffic_now
from flows.stages.history import history_of
from flows.stages.staging import Staging

_MOST_ROWS = 100_000  # of a batch in several parts, that the checks of columns against the history look at


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What an ingest did.

    Attributes:
        snapshot: the newest snapshot, whether made now or before.
        new_rows: rows added to it now; 0 where the source had nothing new.
        quarantined: rows of this batch that were set aside.
        verdicts: what the suite and the checks against the history said about this batch; without new rows, how old the newest one is.
        docs: the page of the suite's results, or None; of several parts that of the worst.
        late: of the new rows, those that came behind the watermark. corrected: of the new rows, those that replace an earlier one.
        known: rows that were read again and are known already.
        waiting: late rows and corrections that do not pass without new rows beside them; they are read again.
        checks: the verdicts as people read them, with what the suite saw of the part whose page there is.
    """

    snapshot: Snapshot
    new_rows: int
    quarantined: int
    verdicts: tuple[Verdict, ...]
    docs: Path | None
    late: int = 0
    corrected: int = 0
    known: int = 0
    waiting: int = 0
    checks: tuple[CheckLine, ...] = ()

    @property
    def said(self) -> str:
        """Return what came, in one line."""
        counts = {"late": self.late, "corrected": self.corrected, "set aside": self.quarantined, "known already": self.known}
        more = "".join(f", {count} {what}" for what, count in counts.items() if count)
        waiting = f"; {self.waiting} late rows or corrections wait for new rows, for alone they do not pass" if self.waiting else ""
        return f"{self.new_rows} new rows{more}{waiting}"


def ingest(
    settings: Settings, pipeline: Pipeline, until: datetime | None = None, *, since: datetime | None = None, seen: Seen = lambda *_: None
) -> IngestResult:
    """Read rows after the newest snapshot's watermark, and late ones as far back as the spec says; check them, and add what passes.

    Args:
        settings: where everything is.
        pipeline: which pipeline.
        until: only rows whose label is known by then: event_time + label_delay <= until. When None, a pipeline with `clock: event` takes
            what its traffic says, so that a replay never learns from its future; any other takes every row there is.
        since: look for late rows and corrections from here on, once, whatever `source.lateness` says.
        seen: is told how many rows of the source were read so far, and where.

    Raises:
        UsageError: `since` is given, and the pipeline has no key by which known rows are told.
        SpecError: the source or the suite is wrong, or the source has no row at all.
        BatchRefused: too many rows failed, or an expectation about the whole batch did; the rows are kept under quarantine/.
    """
    spec = pipeline.spec
    if since is not None and not spec.columns.key:
        raise UsageError(f"Pipeline '{spec.name}' has no columns.key, so that known rows cannot be told from late ones.", "Name its key.")
    repo = DataRepo(settings)
    known = until or traffic_now(settings, spec)
    known_by = None if known is None else known - spec.columns.label_delay
    with repo.exclusive():
        before = repo.newest(spec.name)
        past = history_of(repo, spec, before, known)
        arrived = Arrivals(
            spec,
            repo,
            before,
            lambda rows, reasons: _refusal(settings, pipeline, rows, reasons, _of_reasons("columns", reasons, len(rows))),
        )
        taken = _Taken(settings, pipeline, arrived, past)
        for part in arrived.parts(known_by, since, settings.home / "sources" / spec.name, seen):
            if not taken.take(part):
                assert before is not None  # noqa: S101  # late rows are late to something
                return replace(IngestResult(before, 0, 0, (), None), known=arrived.known, waiting=len(part.rows))
        if not taken.kept:
            return replace(_nothing_new(spec, before, known_by, past), known=arrived.known)
        return taken.added(repo, before)


class _Taken:
    """What passed so far, part by part; a part that does not pass refuses the batch."""

    def __init__(self, settings: Settings, pipeline: Pipeline, arrived: Arrivals, past: History) -> None:
        self._settings, self._pipeline, self._arrived, self._past = settings, pipeline, arrived, past
        self._staged = Staging(settings.home / "staging" / pipeline.spec.name)
        self._late = pd.DataFrame()
        self._aside: list[pd.DataFrame] = []
        self._verdicts: dict[str, Verdict] = {}
        self._worst: SuiteResult | None = None
        self._badness: tuple[float, ...] = ()
        self.kept = 0

    def take(self, part: Part) -> bool:
        """Judge a part; False where there are late rows only, and they do not pass alone.

        Raises:
            BatchRefused: it does not pass.
        """
        settings, pipeline = self._settings, self._pipeline
        parts, verdicts, answer = _check(settings, pipeline, part.rows, part.misfits)
        behind = self._arrived.behind(parts.kept)
        late, ahead = parts.kept[behind].reset_index(drop=True), parts.kept[~behind].reset_index(drop=True)
        self._staged.put(ahead)
        badness = _badness(verdicts, answer)
        if part.last:  # the history is about the whole batch
            verdicts = (*verdicts, *self._against_history(ahead))
        failed = _failed(part.rows, parts, verdicts)
        if failed and not self.kept and bool(self._arrived.behind(part.rows).all()) and len(part.rows):
            return False
        whole = pd.concat([part.rows, part.misfits]) if len(part.misfits) else part.rows
        self._note(verdicts, answer, badness)
        if failed:
            raise _refusal(settings, pipeline, whole, failed, tuple(self._verdicts.values()), self._worst)
        self._late = late
        judged = Checked(verdicts, len(part.rows), len(parts.quarantined), answer.docs if answer else None)
        keep_checks(settings, pipeline.spec.name, late if ahead.empty else ahead, judged)
        self._aside.append(parts.quarantined)
        self.kept += len(parts.kept)
        return True

    def added(self, repo: DataRepo, before: Snapshot | None) -> IngestResult:
        """Make the snapshot."""
        spec, arrived, aside = self._pipeline.spec, self._arrived, sum(map(len, self._aside))
        corrected, late = arrived.corrections(self._late), len(self._late)
        times = [rows[EVENT_TIME].max().to_pydatetime() for rows in self._aside if not rows.empty]
        batch = Batch(
            self._staged.tables(),
            spec.columns.key,
            before,
            late=self._late,
            corrected=corrected,
            quarantined=aside,
            aside_until=max(times, default=None),
            marks=arrived.marks_after(self._aside),
            lateness=spec.source.lateness,
            retention=spec.source.retention,
        )
        QuarantineFiles(self._settings, spec.name).keep(self._aside, before.watermark if before else None)
        snapshot = repo.add_batch(spec.name, batch)
        verdicts = tuple(self._verdicts.values())
        checks = batch_lines(self._pipeline.spec.checks, self._worst, verdicts)
        docs = Path(self._worst.docs) if self._worst and self._worst.docs else None
        return IngestResult(snapshot, self.kept, aside, verdicts, docs, late - corrected, corrected, arrived.known, checks=checks)

    def _against_history(self, last: pd.DataFrame) -> tuple[Verdict, ...]:
        """Judge the rows of all parts; of very many rows the checks of columns see some, evenly spaced in time."""
        spec = self._pipeline.spec
        if not self.kept:
            return judge_history(spec, last, self._past)
        times = self._staged.column(EVENT_TIME)
        by_time = times.argsort(kind="stable").to_numpy()
        places = np.sort(by_time[np.unique(np.linspace(0, len(times) - 1, _MOST_ROWS).astype(int))])
        some = joined([one for one in self._staged.rows([EVENT_TIME, *history_columns(spec)], places) if not one.empty])
        return judge_history(spec, some.sort_values(EVENT_TIME, kind="stable", ignore_index=True), self._past, times)

    def _note(self, verdicts: tuple[Verdict, ...], answer: SuiteResult | None, badness: tuple[float, ...]) -> None:
        """Of several parts the worst verdict of each gate speaks, and the page of the worst part; of equals the first."""
        for one in verdicts:
            known = self._verdicts.get(one.gate)
            if known is None or (one.outcome, one.observed or 0.0) > (known.outcome, known.observed or 0.0):
                self._verdicts[one.gate] = one
        if answer is not None and badness > self._badness:
            self._worst, self._badness = answer, badness


def _nothing_new(spec: PipelineSpec, before: Snapshot | None, until: datetime | None, past: History) -> IngestResult:
    if before is None:
        upto = f" up to {until.isoformat()}" if until else ""
        raise SpecError(f"The source of '{spec.name}' has no row{upto}, and there is no snapshot yet.", "Look at source in pipeline.yaml.")
    return IngestResult(before, 0, 0, judge_history(spec, past.rows.iloc[:0], past), None)


def _check(
    settings: Settings, pipeline: Pipeline, rows: pd.DataFrame, misfits: pd.DataFrame
) -> tuple[Split, tuple[Verdict, ...], SuiteResult | None]:
    if pipeline.suite is None or rows.empty:
        verdicts = () if misfits.empty else check_verdicts(SuiteResult(len(rows), (), None), len(misfits), _most(pipeline))
        return Split(rows, misfits), verdicts, None
    from adapters.checks import run_suite

    docs = settings.home / "data-docs" / pipeline.spec.name / span_of(rows)
    answer = run_suite(pipeline.suite, rows, docs, pipeline.expectations, pipeline.spec.checks.engine)
    parts = split(rows, answer)
    if not misfits.empty:
        parts = Split(parts.kept, pd.concat([parts.quarantined, misfits], ignore_index=True))
    verdicts = check_verdicts(answer, len(parts.quarantined), _most(pipeline))
    return parts, verdicts, answer


def _most(pipeline: Pipeline) -> float:
    return pipeline.spec.checks.max_quarantined


def _failed(rows: pd.DataFrame, parts: Split, verdicts: tuple[Verdict, ...]) -> list[str]:
    """Return why a part does not pass."""
    failed = [verdict.reason for verdict in verdicts if verdict.outcome is Outcome.FAIL]
    return failed if failed or not parts.kept.empty else [f"none of {len(rows)} rows passed."]


def _badness(verdicts: tuple[Verdict, ...], answer: SuiteResult | None) -> tuple[float, ...]:
    """Return how bad the suite found a part: whether it refuses it, how many expectations failed, how many rows or cells failed them."""
    results = answer.results if answer else ()
    return (worst(verdicts), sum(not one.success for one in results), sum(one.unexpected or 0 for one in results))


def _of_reasons(gate: str, reasons: list[str], rows: int) -> tuple[Verdict, ...]:
    return tuple(Verdict(gate, Outcome.FAIL, None, None, rows, reason) for reason in reasons)


def _refusal(
    settings: Settings,
    pipeline: Pipeline,
    rows: pd.DataFrame,
    reasons: list[str],
    verdicts: tuple[Verdict, ...],
    answer: SuiteResult | None = None,
) -> BatchRefused:
    """Keep a refused batch's rows for looking at, and return the error that says why, with all that was said of it."""
    if worst(verdicts) is not Outcome.FAIL:  # no row passed, and each by itself might be set aside
        verdicts = (*verdicts, *_of_reasons("rows that pass", reasons, len(rows)))
    path = QuarantineFiles(settings, pipeline.spec.name).refuse(rows.assign(**{REASONS: " ".join(reasons)}))
    return BatchRefused(
        f"A batch of {len(rows)} rows of '{pipeline.spec.name}' was refused: {' '.join(reasons)}",
        f"No snapshot was made. The rows are in {path}; mend the source or the suite, then ingest again.",
        rows=answer.rows if answer else len(rows),
        verdicts=verdicts,
        checks=batch_lines(pipeline.spec.checks, answer, verdicts),
        docs=answer.docs if answer else None,
    )
