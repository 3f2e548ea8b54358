"""Replay: rows of a frame as live requests to the gateway, their labels as feedback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pandas as pd

from adapters.pipeline_files import Pipeline
from adapters.settings import Settings
from contracts.columns import EVENT_TIME
from contracts.errors import OutsideError, UsageError
from contracts.spec import PipelineSpec

Reward = Callable[[pd.DataFrame, list[float]], Sequence[dict[str, float] | None]]
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
        error: what the first request without an answer of 200 was told, or None.
    """

    requests: int
    rows: int
    failed: int
    seconds: float
    predictions: pd.Series[float]
    latency_p50_ms: float | None = None
    latency_p99_ms: float | None = None
    feedback: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    request_id: str
    rows: pd.DataFrame
    data: list[Any] | None
    milliseconds: float
    error: str | None = None


def replay_frame(
    settings: Settings,
    pipeline: Pipeline,
    frame: pd.DataFrame,
    *,
    rows_per_request: int = 20,
    feedback: bool = True,
    speed: float | None = None,
    feedback_delay: timedelta | None = None,
    reward: Reward | None = None,
) -> ReplayResult:
    """Send every row of a frame to the gateway in order of event time, and its labels as feedback.

    Args:
        frame: the features, `event_time`, and the target where feedback is wanted.
        rows_per_request: rows in one request, at least 1.
        speed: how many times faster than the rows happened; as fast as the gateway answers when None.
        feedback_delay: how long after its row a label comes, on the rows' clock; the spec's label_delay when None. Without `speed` all
            labels come after the last request.
        reward: what each answered row earned, sent with its label; takes the rows and their answers.

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
    if speed is not None and speed <= 0:
        raise UsageError("The speed of a replay is more than 0.", "Write 60 for a minute a second.")
    delay = spec.columns.label_delay if feedback_delay is None else feedback_delay
    pace = _Pace(speed, delay, frame[EVENT_TIME].min(), reward)
    ordered = frame.sort_values(EVENT_TIME, kind="stable")
    result = asyncio.run(_replay(settings, spec, ordered, rows_per_request, feedback, pace))
    return replace(result, predictions=result.predictions.reindex(frame.index))


@dataclass(frozen=True, slots=True)
class _Pace:
    """When a row's request and its label are sent: `speed` times faster than they happened, counted from the first row."""

    speed: float | None
    label_delay: timedelta
    first: pd.Timestamp
    reward: Reward | None = None
    began: float = field(default_factory=time.perf_counter)

    async def reach(self, at: pd.Timestamp) -> None:
        """Wait until a time on the rows' clock has come."""
        if self.speed is not None:
            await asyncio.sleep(self.began + (at - self.first).total_seconds() / self.speed - time.perf_counter())


async def _replay(settings: Settings, spec: PipelineSpec, frame: pd.DataFrame, size: int, feedback: bool, pace: _Pace) -> ReplayResult:
    limit = asyncio.Semaphore(_IN_FLIGHT)
    parts = [frame.iloc[start : start + size] for start in range(0, len(frame), size)]
    url, headers = settings.gateway_url or "", settings.gateway_headers
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
        started = time.perf_counter()
        answers = await asyncio.gather(*(_play(client, limit, spec, part, feedback, pace) for part in parts))
        seconds = time.perf_counter() - started
        answered = [one for one in answers if one.data is not None]
        labels = [label for one in answered for label in _labels(spec, one, pace)] if feedback else []
        if pace.speed is None:
            await _give_feedback(client, spec, labels)
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
        feedback=len(labels),
        error=next((one.error for one in answers if one.error is not None), None),
    )


async def _play(
    client: httpx.AsyncClient, limit: asyncio.Semaphore, spec: PipelineSpec, rows: pd.DataFrame, feedback: bool, pace: _Pace
) -> _Answer:
    """Send one request at its time and, where the replay is paced, its labels at theirs."""
    await pace.reach(rows[EVENT_TIME].iloc[-1])
    answer = await _ask(client, limit, spec, rows)
    if feedback and pace.speed is not None and answer.data is not None:
        await pace.reach(rows[EVENT_TIME].iloc[-1] + pace.label_delay)
        await _give_feedback(client, spec, _labels(spec, answer, pace))
    return answer


async def _ask(client: httpx.AsyncClient, limit: asyncio.Semaphore, spec: PipelineSpec, rows: pd.DataFrame) -> _Answer:
    request_id = uuid4().hex
    body = infer_request(spec, rows, request_id)
    async with limit:
        started = time.perf_counter()
        try:
            response = await client.post(f"/v2/models/{spec.name}/infer", json=body)
        except httpx.TransportError as error:
            return _Answer(request_id, rows, None, 0.0, f"{type(error).__name__}: {error}")
        milliseconds = (time.perf_counter() - started) * 1000
    if response.status_code != httpx.codes.OK:
        return _Answer(request_id, rows, None, milliseconds, f"{response.status_code}: {response.text}")
    data = response.json()["outputs"][0]["data"]
    return _Answer(request_id, rows, data[:: max(1, len(data) // len(rows))], milliseconds)


def infer_request(spec: PipelineSpec, rows: pd.DataFrame, request_id: str) -> dict[str, Any]:
    """Return rows as one Open Inference Protocol request, one tensor a column; per row its event time and unit."""
    times = [one.isoformat() for one in rows[EVENT_TIME]]
    inputs = [_tensor(name, rows[name]) for name in spec.columns.features.all]
    told: dict[str, Any] = {"event_time": times}
    if spec.columns.unit is not None and spec.columns.unit in rows:
        told["unit"] = [None if pd.isna(one) else str(one) for one in rows[spec.columns.unit]]
    return {"id": request_id, "parameters": told, "inputs": inputs}


def _tensor(name: str, values: pd.Series[Any]) -> dict[str, Any]:
    """Return a column as the tensor of its own kind: a category that is a number is sent as a number, as the model was fitted on it."""
    if pd.api.types.is_bool_dtype(values):
        datatype, data = "BOOL", values.tolist()
    elif pd.api.types.is_numeric_dtype(values):
        datatype, data = "FP64", [None if pd.isna(one) else float(one) for one in values]
    else:
        datatype, data = "BYTES", [None if pd.isna(one) else str(one) for one in values]
    return {"name": name, "shape": [len(data)], "datatype": datatype, "data": data}


async def _give_feedback(client: httpx.AsyncClient, spec: PipelineSpec, labels: list[dict[str, Any]]) -> None:
    for start in range(0, len(labels), _FEEDBACK_PER_CALL):
        try:
            response = await client.post(f"/v2/models/{spec.name}/feedback", json={"feedback": labels[start : start + _FEEDBACK_PER_CALL]})
        except httpx.TransportError as error:
            raise OutsideError(
                f"The gateway at {client.base_url} did not take the labels of '{spec.name}': {error}.", "Try again."
            ) from error
        if response.status_code != httpx.codes.ACCEPTED:
            raise OutsideError(f"The gateway refused the labels of '{spec.name}' with {response.status_code}: {response.text}")


def _labels(spec: PipelineSpec, answer: _Answer, pace: _Pace) -> list[dict[str, Any]]:
    labels, times = answer.rows[spec.columns.target].tolist(), answer.rows[EVENT_TIME]
    earned = [None] * len(labels) if pace.reward is None else pace.reward(answer.rows, answer.data or [])
    return [
        {"id": answer.request_id, "row": row, "label": label, "reward": reward, "observed_at": (at + pace.label_delay).isoformat()}
        for row, (label, reward, at) in enumerate(zip(labels, earned, times, strict=True))
        if not pd.isna(label)
    ]
