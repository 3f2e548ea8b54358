"""Starts a deployed flow through the Prefect server and waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from adapters.prefect_api import FlowRun, PrefectApi, RunState
from adapters.settings import Settings
from contracts.errors import OutsideError, UsageError
from contracts.events import Cause
from contracts.queues import queue_of

_POLL_SECONDS = 0.1
_SILENT_SECONDS, _PAUSE_SECONDS = 120.0, 0.5


def open_prefect(settings: Settings) -> PrefectApi:
    """Return the server that is up.

    Raises:
        UsageError: none is known.
    """
    if settings.prefect_api_url is None:
        raise UsageError(
            "No Prefect server is up.", "Start everything with `understudy up --detach`, or work in this process with --local."
        )
    return PrefectApi(settings.prefect_api_url, settings.prefect_auth)


def start(api: PrefectApi, flow: str, pipeline: str, parameters: dict[str, Any] | None = None) -> FlowRun:
    """Start a pipeline's deployment of a flow for an operator, before what waits; `pipeline` is always among its parameters."""
    return api.create_run(api.deployment(flow, pipeline), {"pipeline": pipeline, **(parameters or {})}, queue=queue_of(Cause.OPERATOR))


def wait(api: PrefectApi, run: FlowRun, seconds: float = 900.0, tell: Callable[[str], None] = lambda _: None) -> RunState:
    """Wait until a run has ended and return its last state.

    Args:
        tell: called with the name of each state on the way.

    Raises:
        OutsideError: it did not end in time, or nobody took it up, or the server was silent for two minutes.
    """
    deadline, told = time.monotonic() + seconds, ""
    while not (state := _state(api, run)).ended:
        if state.name != told:
            tell(told := state.name)
        if time.monotonic() > deadline:
            raise OutsideError(f"Flow run {run.url} is still {state.name} after {seconds:g} s.", "Look whether a worker is up.")
        time.sleep(_POLL_SECONDS)
    return state


def _state(api: PrefectApi, run: FlowRun) -> RunState:
    """Return where a run stands; a busy server may be silent for a while (its SQLite is locked), and the run goes on meanwhile."""
    until = time.monotonic() + _SILENT_SECONDS
    while True:
        try:
            return api.state(run.id)
        except OutsideError:
            if time.monotonic() > until:
                raise
        time.sleep(_PAUSE_SECONDS)
