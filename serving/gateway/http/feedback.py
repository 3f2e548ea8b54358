"""Labels and rewards that come later, by request id and row."""

from __future__ import annotations

import asyncio
import math
import time
from datetime import datetime
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.traffic_log import epoch_us
from contracts.package import Task
from contracts.traffic import FeedbackBatch
from serving.columns import BadRequest, shown
from serving.gateway.beside import beside
from serving.gateway.http.bodies import as_json, read_body
from serving.gateway.plane import DataPlane

_MOST_LETTERS = 200


class _Item(msgspec.Struct):
    id: str
    row: int = 0
    label: Any = None
    reward: float | dict[str, float] | None = None
    observed_at: datetime | None = None


class _Body(msgspec.Struct):
    feedback: list[_Item]


_DECODER = msgspec.json.Decoder(_Body)


class Feedback:
    """Takes feedback for what a data plane answered; an id that is not known yet is joined later."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    def routes(self) -> list[Route]:
        """Return the path."""
        return [Route("/v2/models/{model}/feedback", self.take, methods=["POST"])]

    async def take(self, request: Request) -> Response:
        """Log labels and rewards, then answer 202."""
        serving = self._plane.serving(request.path_params["model"])
        body = await read_body(request.scope, request.receive, self._plane.limits.body_bytes)
        batch = await beside(len(body), lambda: read_feedback(body, serving.pipeline, serving.champion.manifest.task))
        await asyncio.to_thread(self._plane.record_feedback, batch)
        return as_json({"accepted": len(batch.rows)}, 202)


def read_feedback(body: bytes, pipeline: str, task: Task) -> FeedbackBatch:
    """Return the feedback of one request.

    Raises:
        BadRequest: names the item and what is wrong with it.
    """
    try:
        items = _DECODER.decode(body).feedback
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"The feedback cannot be read: {error}.") from None
    except RecursionError:
        raise BadRequest("The feedback cannot be read: it is nested too deeply.") from None
    if not items:
        raise BadRequest("The feedback is empty.", "Send at least one item.")
    for place, item in enumerate(items):
        _check(place, item, task)
    now = time.time_ns() // 1000
    return FeedbackBatch(
        pipeline=pipeline,
        received_at=now,
        request_ids=[one.id for one in items],
        rows=[one.row for one in items],
        labels=[one.label for one in items],
        rewards=[one.reward for one in items],
        observed_at=[now if one.observed_at is None else epoch_us(one.observed_at) for one in items],
    )


def _check(place: int, item: _Item, task: Task) -> None:
    where = f"Feedback {place}"
    if not item.id or len(item.id) > _MOST_LETTERS:
        raise BadRequest(f"{where}: the id is not a text of 1 to {_MOST_LETTERS} letters.")
    if not 0 <= item.row < 2**31:
        raise BadRequest(f"{where}: row {item.row} is not the index of a row.")
    if item.label is None and item.reward is None:
        raise BadRequest(f"{where}: there is neither a label nor a reward.")
    if item.observed_at is not None and item.observed_at.tzinfo is None:
        raise BadRequest(f"{where}: observed_at has no offset.", "Write it like 2026-01-31T08:00:00Z.")
    if item.label is None:
        return
    number = isinstance(item.label, int | float) and not isinstance(item.label, bool)
    if task == "regression" and not (number and math.isfinite(item.label)):
        raise BadRequest(f"{where}: the label {shown(item.label)} is not a number.")
    if not isinstance(item.label, str | int | float | bool):
        raise BadRequest(f"{where}: the label {shown(item.label)} is not a single value.")
    if isinstance(item.label, int) and abs(item.label) >= 2**63:
        raise BadRequest(f"{where}: the label is too large a number.")
