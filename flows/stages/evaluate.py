"""The third stage: candidate and champion answer the same held-out rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from adapters.cluster import cluster_of
from adapters.model_cache import cached_package
from adapters.package_store import LoadedPackage, load_package, read_files
from adapters.parquet_files import write_parquet
from adapters.pipeline_files import Pipeline
from adapters.settings import Settings
from adapters.table_stream import Wanted, count_rows, read_chunks
from contracts.columns import EVENT_TIME
from contracts.rollout import ModelRef
from contracts.spec import PipelineSpec
from flows.scoring.answer import Answering
from flows.scoring.blocks import BLOCK_ROWS, in_blocks
from flows.scoring.remote import OnCluster, Shipped
from flows.stages.fit import FitResult
from flows.stages.work import Work, write_json
from training.compare import Answers, Evaluation, by_row, compare, unmeasured, unseen

_POINTS = 60  # of the error over held-out time
_RECORDED_ROWS = 10_000
_WHOLE = 100_000  # held-out rows; more of them are streamed
_ROWS_AT_ONCE = 25_000


@dataclass(frozen=True, slots=True)
class Rival:
    """The champion, and how its package is had."""

    model: ModelRef
    load: Callable[[], Answering]


_Ask = Callable[[Answering, pd.DataFrame], Answers]


@dataclass(frozen=True, slots=True)
class Trial:
    """Which rows were asked, what both said, and what was measured; `champion` is None where there is none, or no row is fair to it."""

    evaluation: Evaluation
    rows: pd.DataFrame
    candidate: Answers
    champion: Answers | None


def evaluate_stage(settings: Settings, pipeline: Pipeline, fitted: FitResult, champion: ModelRef | None, workdir: Path) -> Evaluation:
    """Measure candidate and champion on the same held-out rows, overall and by slice, and write the measures as JSON.

    Rows that the champion was fitted on are left out; where that leaves none, the champion cannot be measured and the candidate is measured
    on all of them. More rows than one block go to the Dask cluster that the settings or the spec name.

    Raises:
        DigestMismatch: the champion's bytes are not the ones approved.
        OutsideError: the champion's package could not be fetched.
    """
    work, spec = Work(workdir), pipeline.spec
    ask, rows = _reading(spec, work.held_out)
    with cluster_of(settings, spec.compute) if len(rows) > BLOCK_ROWS else nullcontext() as cluster:

        def package(folder: Path, digest: str) -> Answering:
            return load_package(folder, digest) if cluster is None else OnCluster(cluster, Shipped(digest, read_files(folder)))

        rival = None if champion is None else Rival(champion, lambda: package(cached_package(settings, champion), champion.digest))
        held = hold_trial(spec, rows, package(work.package, fitted.digest), rival, ask)
    _keep(work, spec, held)
    write_json(work.result("evaluate"), held.evaluation)
    return held.evaluation


def hold_trial(
    spec: PipelineSpec,
    held_out: pd.DataFrame,
    candidate: Answering,
    champion: Rival | None,
    ask: _Ask | None = None,
) -> Trial:
    """Let candidate and champion answer the held-out rows that neither was fitted on; a backtest does the same.

    Args:
        held_out: rows that the candidate has not seen.
        champion: its package is loaded only where some rows are fair to both.
        ask: what a package says to some of these rows, where they do not hold its features themselves.
    """
    ask = ask or _answers
    rows = held_out if champion is None else unseen(held_out, pd.Timestamp(champion.model.cutoff))
    nothing_fair = rows.empty
    rows = held_out if nothing_fair else rows
    rival = None if champion is None or nothing_fair else ask(champion.load(), rows)
    mine = ask(candidate, rows)
    overall, slices = compare(spec, rows, mine, rival)
    found = Evaluation(overall, slices, champion.model.version if champion else None, len(held_out) - len(rows))
    return Trial(unmeasured(found) if nothing_fair else found, rows, mine, rival)


def _answers(package: Answering, rows: pd.DataFrame) -> Answers:
    said = in_blocks(package, rows) if isinstance(package, LoadedPackage) else package.predict(rows)
    return Answers(said, package.manifest.classes)


def _reading(spec: PipelineSpec, held_out: Path) -> tuple[_Ask, pd.DataFrame]:
    """Return the held-out rows and how a package is asked about them; where the spec samples, many rows come without their features."""
    if not spec.train.streamed or (count_rows(held_out) or 0) <= _WHOLE:
        return _answers, pd.read_parquet(held_out)
    slices = [gate.slice for gate in spec.gates if gate.slice is not None]
    narrow = pd.read_parquet(held_out, columns=list(dict.fromkeys([EVENT_TIME, spec.columns.target, *slices])))
    return lambda package, rows: _streamed(package, held_out, rows.index.to_numpy()), narrow


def _streamed(package: Answering, path: Path, places: np.ndarray) -> Answers:
    """Return what a package says to the rows at these places of a Parquet file, which is read a piece at a time."""
    pieces = _pieces(list(package.manifest.columns), path, places)
    said = package.predict_blocks(pieces) if isinstance(package, OnCluster) else [_answers(package, one).values for one in pieces]
    return Answers(np.concatenate(said), package.manifest.classes)


def _pieces(names: list[str], path: Path, places: np.ndarray) -> Iterator[pd.DataFrame]:
    """Yield these columns of the rows at these places, none of them empty."""
    first = 0
    for frame, _ in read_chunks(path, Wanted(names, (), ()), _ROWS_AT_ONCE):
        low, high = np.searchsorted(places, [first, first + len(frame)])
        if low < high:
            yield frame.iloc[places[low:high] - first]
        first += len(frame)


def _recorded(rows: pd.DataFrame, said: Answers) -> pd.DataFrame:
    """Return the answers to the first rows, with each row's place among the held-out ones."""
    numbers = said.values.reshape(len(rows), -1)[:_RECORDED_ROWS]
    return pd.DataFrame(numbers, columns=[f"answer_{number}" for number in range(numbers.shape[1])]).assign(row=rows.index[:_RECORDED_ROWS])


def _keep(work: Work, spec: PipelineSpec, held: Trial) -> None:
    """Write every row's truth, answers and losses, and the mean loss over time."""
    rows, both = held.rows, (("candidate", held.candidate), ("champion", held.champion))
    parts = [pd.DataFrame({EVENT_TIME: rows[EVENT_TIME], "truth": rows[spec.columns.target]})]
    parts += [by_row(spec, rows, one).add_prefix(f"{name}_") for name, one in both if one]
    kept = pd.concat(parts, axis=1)
    write_parquet(kept, work.answers)
    write_parquet(_recorded(rows, held.candidate), work.predictions)
    steps = np.arange(len(kept)) * _POINTS // len(kept)
    losses = [name for name in kept.columns if name.endswith("_loss")]
    over_time = kept.groupby(steps).agg({EVENT_TIME: "first", **dict.fromkeys(losses, "mean")})
    over_time.to_csv(work.error_over_time, index=False, float_format="%.6g", date_format="%Y-%m-%dT%H:%M:%SZ")
