"""The job that a folder of parts belongs to: one version answers all of it, also after a kill and when the champion has moved."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from adapters.table_stream import part_of
from contracts.errors import UsageError
from contracts.rollout import ModelRef
from flows.scoring.answer import INPUT
from flows.stages.work import read_json, write_json

_JOB = "_job.json"  # readers of Parquet folders pass over what begins with an underline


@dataclass(frozen=True, slots=True)
class Job:
    """Who answers; `rows` is None until all are answered."""

    pipeline: str
    model: ModelRef
    rows: int | None = None


def job_at(place: Path) -> Job | None:
    """Return the job of a folder, or None where there is none yet.

    Raises:
        UsageError: the folder holds something else.
    """
    if (place / _JOB).is_file():
        return read_json(place / _JOB, Job)
    if place.is_dir() and any(place.iterdir()):
        raise UsageError(f"The folder {place} holds something that is no batch of answers.", "Name another folder.")
    return None


def keep_job(place: Path, job: Job) -> None:
    """Write it; the folder is made, and what a killed run half wrote goes."""
    for left in place.glob(".*.part"):
        left.unlink(missing_ok=True)
    write_json(place / _JOB, job)


def finish_job(place: Path, job: Job, parts: Sequence[str], rows: int) -> None:
    """Say that every row is answered, and remove parts of inputs that are no more."""
    for path in place.glob("*.parquet"):
        known = part_of(path)
        if path.name not in parts and known is not None and INPUT in known[1]:
            path.unlink()
    keep_job(place, replace(job, rows=rows))


def give_up(place: Path) -> None:
    """Remove a folder in which nothing was answered; what was answered is there for the next run."""
    if not any(place.glob("*.parquet")):
        shutil.rmtree(place, ignore_errors=True)
