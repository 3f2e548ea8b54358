"""One request as the data plane knows it, and its answer; nothing here knows HTTP."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from adapters.traffic_log import epoch_us
from contracts.errors import UnderstudyError
from contracts.rollout import Route
from serving.columns import BadRequest, Columns, shown
from serving.version import LoadedVersion

_MOST_LETTERS = 200


@dataclass(frozen=True, slots=True)
class ServingArm:
    """A loaded version and the share of units it answers; `name` is its role."""

    name: str
    version: LoadedVersion
    share: float


@dataclass(frozen=True, slots=True)
class Serving:
    """What answers a pipeline: a route and its versions, loaded; swapped as a whole.

    Attributes:
        since: when this gateway began to answer with this version.
        arms: as the route has them; empty where the champion answers everybody.
    """

    pipeline: str
    route: Route
    champion: LoadedVersion
    since: datetime
    arms: tuple[ServingArm, ...] = ()

    @property
    def version(self) -> str:
        """The version that answers."""
        return self.champion.model.version

    @property
    def quick(self) -> bool:
        """Whether whoever answers is quick."""
        return self.champion.quick and (not self.arms or all(arm.version.quick for arm in self.arms))


@dataclass(frozen=True, slots=True)
class Answer:
    """Predictions for the rows of one request, and per row the version that made them."""

    serving: Serving
    request_id: str
    predictions: npt.NDArray[np.float64]
    versions: tuple[str, ...]

    @property
    def version(self) -> str:
        """The version that answered; where rows of several units went to several versions, all of them, joined by commas."""
        return self.versions[0] if len(self.versions) == 1 else ",".join(dict.fromkeys(self.versions))


@dataclass(slots=True)
class Ask:
    """Rows of one request, read for the version of `seen`, that wait for an answer.

    Attributes:
        event_times: per row, microseconds since 1970-01-01 UTC.
        units: per row, who is assigned in an A/B stage; None where not told.
        arrived: `time.perf_counter()` when it came.
        outcome: set by whoever answers.
        pinned: whether the caller named the version that answers, so that it is not assigned to an arm.
        places: where its rows stand in the request, for a part of one; None for a whole request.
        deadline: when its caller waits no longer, on the clock of `arrived`; None where the caller named none.
    """

    seen: Serving
    request_id: str
    columns: Columns
    event_times: list[int]
    units: list[str | None]
    arrived: float = field(default_factory=time.perf_counter)
    outcome: Answer | UnderstudyError | None = None
    pinned: bool = False
    places: list[int] | None = None
    deadline: float | None = None

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return len(self.event_times)

    def end_by(self, deadline: float | None) -> None:
        """Take a deadline into account that was told another way; the earlier one counts."""
        if deadline is not None and (self.deadline is None or deadline < self.deadline):
            self.deadline = deadline


def make_ask(seen: Serving, columns: Columns, request_id: Any = None, parameters: Any = None) -> Ask:
    """Return a request that is ready to wait.

    Args:
        request_id: as the caller sent it; made here where it is None or empty.
        parameters: may hold `event_time`, RFC 3339, and `unit`: one for all rows or a list with one for each; now and None where absent.
            `timeout`: how many microseconds from now its caller waits; for ever where absent or 0.

    Raises:
        BadRequest: names the parameter and the row.
    """
    rows, now = len(next(iter(columns.values()))), time.time_ns() // 1000
    if parameters is None:
        return Ask(seen, _id(request_id), columns, [now] * rows, [None] * rows)
    if not isinstance(parameters, dict):
        raise BadRequest("'parameters' is not an object.")
    times = _per_row("event_time", parameters.get("event_time"), rows, _event_time)
    units = _per_row("unit", parameters.get("unit"), rows, _unit)
    ask = Ask(seen, _id(request_id), columns, [now if one is None else one for one in times], units)
    timeout = parameters.get("timeout")
    if timeout is not None and _microseconds(timeout):
        ask.deadline = ask.arrived + timeout / 1e6
    return ask


def _microseconds(given: Any) -> int:
    if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
        return given
    raise BadRequest(f"parameters.timeout is {shown(given)}, not a number of microseconds.", "Write 250000 for a quarter of a second.")


def _id(given: Any) -> str:
    if given is None or given == "":
        return os.urandom(16).hex()
    if not isinstance(given, str) or len(given) > _MOST_LETTERS:
        raise BadRequest(f"The id {shown(given)} is not a text of at most {_MOST_LETTERS} letters.")
    return given


def _per_row(name: str, given: Any, rows: int, read: Callable[[Any, str], Any]) -> list[Any]:
    if not isinstance(given, list):
        return [None if given is None else read(given, f"parameters.{name}")] * rows
    if len(given) != rows:
        raise BadRequest(f"parameters.{name} has {len(given)} values but the request has {rows} rows.")
    return [None if one is None else read(one, f"parameters.{name}, row {row}") for row, one in enumerate(given)]


def _event_time(value: Any, where: str) -> int:
    try:
        at = datetime.fromisoformat(value)
        if at.tzinfo is not None:
            return epoch_us(at)
    except (TypeError, ValueError, OverflowError):
        pass
    raise BadRequest(f"{where}: {shown(value)} is not an RFC 3339 time with its offset.", "Write it like 2026-01-31T08:00:00Z.")


def _unit(value: Any, where: str) -> str:
    if isinstance(value, str) and len(value) <= _MOST_LETTERS:
        return value
    raise BadRequest(f"{where}: {shown(value)} is not a text of at most {_MOST_LETTERS} letters.")
