"""What the champion answers to the rows that were held out when it was fitted: what is expected of it from then on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from adapters.data_repo import DataRepo
from adapters.model_cache import cached_package
from adapters.package_store import load_package
from adapters.parquet_files import write_parquet
from adapters.settings import Settings
from contracts.columns import EVENT_TIME
from contracts.rollout import ModelRef
from contracts.spec import PipelineSpec


def held_out_answers(settings: Settings, spec: PipelineSpec, champion: ModelRef) -> pd.DataFrame:
    """Return event_time, label and prediction of the rows of its snapshot after its cutoff; computed once for each version, then kept.

    Raises:
        UsageError: the data repository has no such snapshot, or it lacks a column.
        OutsideError: rows or package are not here and could not be fetched.
        DigestMismatch: the package is not the one approved.
    """
    kept = settings.home / "monitor" / f"{spec.name}-{champion.version}-{champion.digest[:12]}.parquet"
    if kept.is_file():
        return pd.read_parquet(kept)
    repo, target = DataRepo(settings), spec.columns.target
    columns = [*spec.columns.features.all, target, EVENT_TIME]
    rows = repo.frame(repo.get(spec.name, champion.snapshot), columns, since=champion.cutoff)
    rows = rows[(rows[EVENT_TIME] > champion.cutoff) & rows[target].notna()].reset_index(drop=True)
    answers = answers_to(rows, target, lambda asked: load_package(cached_package(settings, champion), champion.digest).predict(asked))
    write_parquet(answers, kept)
    return answers


def answers_to(rows: pd.DataFrame, target: str, predict: Callable[[pd.DataFrame], np.ndarray]) -> pd.DataFrame:
    """Return event_time, label and prediction of rows with a label; of no rows, nobody is asked."""
    answers = rows[[EVENT_TIME]].assign(label=rows[target], prediction=pd.Series(dtype="float64"))
    if not rows.empty:
        answers["prediction"] = predict(rows).tolist()
    return answers
