"""Replay: rows of a frame as live requests to the gateway, their labels as feedback."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import httpx
import pandas as pd

from adapters.pipeline_files import Pipeline
from adapters.settings import Settings
from contracts.columns import EVENT_TIME
from contracts.errors import OutsideError, UsageError
from contracts.spec import PipelineSpec

_IN_FLIGHT = 8
_TIMEOUT_SECONDS = 30.0
_FEEDBACK_PER_CALL = 1000


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a replay did.

    Attributes:
        failed: requests without an answer of 200.
        seconds: wall time of all requests, feedback not counted.
        predictions: one per row, in the frame's order and index; NaN where not answered; of multiclass the chance of the first class.
        latency_p50_ms, latency_p99_ms: of answered requests, milliseconds.
        feedback: labels sent.
    """

    requests: int
    rows: int
    failed: int
    seconds: float
    predictions: pd.Series[float]
    latency_p50_ms: float | None = None
    latency_p99_ms: float | None = None
    feedback: int = 0


@dataclass(frozen=True, slots=True)
class _Answer:
    request_id: str
    rows: pd.DataFrame
    data: list[Any] | None
    milliseconds: float


def replay_frame(
    settings: Settings, pipeline: Pipeline, frame: pd.DataFrame, *, rows_per_request: int = 20, feedback: bool = True
) -> ReplayResult:
    """Send every row of a frame to the gateway in order of event time, then its labels as feedback.

    Args:
        frame: the features, `event_time`, and the target where feedback is wanted.
        rows_per_request: rows in one request, at least 1.

    Raises:
        UsageError: no gateway is up, or the frame lacks a column.
        OutsideError: the gateway does not take the feedback.
    """
    if settings.gateway_url is None:
        raise UsageError("No gateway is up.", "Start everything with: understudy up --detach")
    spec = pipeline.spec
    wanted = [*spec.columns.features.all, EVENT_TIME, *([spec.columns.target] if feedback else [])]
    missing = [name for name in wanted if name not in frame.columns]
    if missing:
        raise UsageError(f"The rows to replay have no column '{missing[0]}'.", f"Columns there are: {', '.join(map(str, frame.columns))}.")
    if rows_per_request < 1 or frame.index.has_duplicates:
        raise UsageError("A replay needs at least one row a request and an index without duplicates.", "Reset the frame's index.")
    result = asyncio.run(_replay(settings.gateway_url, spec, frame.sort_values(EVENT_TIME, kind="stable"), rows_per_request, feedback))
    return replace(result, predictions=result.predictions.reindex(frame.index))


async def _replay(url: str, spec: PipelineSpec, frame: pd.DataFrame, size: int, feedback: bool) -> ReplayResult:
    limit = asyncio.Semaphore(_IN_FLIGHT)
    parts = [frame.iloc[start : start + size] for start in range(0, len(frame), size)]
    async with httpx.AsyncClient(base_url=url, timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
        started = time.perf_counter()
        answers = await asyncio.gather(*(_ask(client, limit, spec, part) for part in parts))
        seconds = time.perf_counter() - started
        answered = [one for one in answers if one.data is not None]
        sent = await _give_feedback(client, spec, answered) if feedback else 0
    times = pd.Series([one.milliseconds for one in answered], dtype="float64")
    found: dict[Any, Any] = {}
    for one in answered:
        found.update(zip(one.rows.index, one.data or [], strict=True))
    return ReplayResult(
        requests=len(parts),
        rows=len(frame),
        failed=len(parts) - len(answered),
        seconds=seconds,
        predictions=pd.Series(found, name="prediction"),
        latency_p50_ms=float(times.quantile(0.5)) if answered else None,
        latency_p99_ms=float(times.quantile(0.99)) if answered else None,
        feedback=sent,
    )


async def _ask(client: httpx.AsyncClient, limit: asyncio.Semaphore, spec: PipelineSpec, rows: pd.DataFrame) -> _Answer:
    request_id = uuid4().hex
    body = infer_request(spec, rows, request_id)
    async with limit:
        started = time.perf_counter()
        try:
            response = await client.post(f"/v2/models/{spec.name}/infer", json=body)
        except httpx.TransportError:
            return _Answer(request_id, rows, None, 0.0)
        milliseconds = (time.perf_counter() - started) * 1000
    data = response.json()["outputs"][0]["data"] if response.status_code == 200 else None
    return _Answer(request_id, rows, None if data is None else data[:: max(1, len(data) // len(rows))], milliseconds)


def infer_request(spec: PipelineSpec, rows: pd.DataFrame, request_id: str) -> dict[str, Any]:
    """Return rows as one Open Inference Protocol request, one tensor a column, with an event time per row."""
    times = [one.isoformat() for one in rows[EVENT_TIME]]
    inputs = [_tensor(name, rows[name]) for name in spec.columns.features.all]
    return {"id": request_id, "parameters": {"event_time": times}, "inputs": inputs}


def _tensor(name: str, values: pd.Series[Any]) -> dict[str, Any]:
    """Return a column as the tensor of its own kind: a category that is a number is sent as a number, as the model was fitted on it."""
    if pd.api.types.is_bool_dtype(values):
        datatype, data = "BOOL", values.tolist()
    elif pd.api.types.is_numeric_dtype(values):
        datatype, data = "FP64", [None if pd.isna(one) else float(one) for one in values]
    else:
        datatype, data = "BYTES", [None if pd.isna(one) else str(one) for one in values]
    return {"name": name, "shape": [len(data)], "datatype": datatype, "data": data}


async def _give_feedback(client: httpx.AsyncClient, spec: PipelineSpec, answers: list[_Answer]) -> int:
    items = [item for one in answers for item in _labels(spec, one)]
    for start in range(0, len(items), _FEEDBACK_PER_CALL):
        try:
            response = await client.post(f"/v2/models/{spec.name}/feedback", json={"feedback": items[start : start + _FEEDBACK_PER_CALL]})
        except httpx.TransportError as error:
            raise OutsideError(
                f"The gateway at {client.base_url} did not take the labels of '{spec.name}': {error}.", "Try again."
            ) from error
        if response.status_code != 202:
            raise OutsideError(f"The gateway refused the labels of '{spec.name}' with {response.status_code}: {response.text}")
    return len(items)


def _labels(spec: PipelineSpec, answer: _Answer) -> list[dict[str, Any]]:
    delay = spec.columns.label_delay
    pairs = zip(answer.rows[spec.columns.target].tolist(), answer.rows[EVENT_TIME], strict=True)
    return [
        {"id": answer.request_id, "row": row, "label": label, "observed_at": (at + delay).isoformat()}
        for row, (label, at) in enumerate(pairs)
        if not pd.isna(label)
    ]
