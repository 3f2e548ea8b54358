"""Talks to a Prefect server over its REST API, for processes that must start fast and never import Prefect."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx

from contracts.errors import OutsideError, UsageError

_SECONDS = 10.0
_PAUSES = (0.1, 0.3, 0.9)


@dataclass(frozen=True, slots=True)
class FlowRun:
    """One run on the server, and where a person sees it."""

    id: str
    url: str


@dataclass(frozen=True, slots=True)
class RunState:
    """Where a run stands: Prefect's type and name of its state, and what it says about it."""

    kind: str
    name: str
    message: str

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.kind in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


@dataclass(frozen=True, slots=True)
class KnownRun:
    """A run that is there already: under which key it was made, and where it stands."""

    run: FlowRun
    key: str
    state: RunState


@dataclass(frozen=True, slots=True)
class Planned:
    """A run that is still to come, or waits for a slot.

    Attributes:
        at: when it was to start, whatever it waits for now.
        by_schedule: whether its deployment's cron line made it.
    """

    run: FlowRun
    deployment: str
    at: datetime
    by_schedule: bool
    state: str
    tags: tuple[str, ...]
    parameters: dict[str, Any]


class PrefectApi:
    """A Prefect server, safe to use from several threads.

    Args:
        url: the API's address, ending in `/api` (`PREFECT_API_URL`).
        auth: `user:password` where the server asks for it (`PREFECT_API_AUTH_STRING`).
    """

    def __init__(self, url: str, auth: str | None = None, seconds: float = _SECONDS) -> None:
        self._url = url.rstrip("/")
        user, _, password = (auth or "").partition(":")
        self._client = httpx.Client(timeout=seconds, auth=httpx.BasicAuth(user, password) if auth else None)

    def __enter__(self) -> PrefectApi:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give back every connection."""
        self._client.close()

    def healthy(self) -> bool:
        """Say whether the server answers."""
        try:
            return self._client.get(f"{self._url}/health").is_success
        except httpx.HTTPError:
            return False

    def deployment(self, flow: str, name: str) -> str:
        """Return a deployment's id.

        Raises:
            UsageError: there is no such deployment.
            OutsideError: the server cannot be reached or refuses us.
        """
        found = self._ask("GET", f"deployments/name/{quote(flow, safe='')}/{quote(name, safe='')}")
        if found is None:
            raise UsageError(f"There is no deployment '{flow}/{name}' on {self._url}.", "Register it with: understudy deploy.")
        return str(found["id"])

    def find_run(self, flow: str, idempotency_key: str) -> FlowRun | None:
        """Return the run of a flow that was made under a key, or None.

        Raises:
            OutsideError: the server cannot be reached or refuses us.
        """
        wanted = {"flows": {"name": {"any_": [flow]}}, "flow_runs": {"idempotency_key": {"any_": [idempotency_key]}}, "limit": 1}
        found = self._ask("POST", "flow_runs/filter", wanted)
        return self._run(found[0]) if found else None

    def create_run(
        self, deployment_id: str, parameters: dict[str, Any], idempotency_key: str | None = None, queue: str | None = None
    ) -> FlowRun:
        """Start a run of a deployment; the same key gives the same run, however often and from wherever it is asked.

        Args:
            queue: the work queue it waits in; the deployment's own when None.

        Raises:
            UsageError: the deployment is gone, or does not take these parameters.
            OutsideError: the server cannot be reached or refuses us.
        """
        wanted = {"parameters": parameters, "idempotency_key": idempotency_key} | ({"work_queue_name": queue} if queue else {})
        made = self._ask("POST", f"deployments/{quote(deployment_id, safe='')}/create_flow_run", wanted)
        if made is None:
            raise UsageError(f"There is no deployment {deployment_id} on {self._url}.", "Register it with: understudy deploy.")
        return self._run(made)

    def state(self, run_id: str) -> RunState:
        """Return where a run stands.

        Raises:
            UsageError: there is no such run.
            OutsideError: the server cannot be reached or refuses us.
        """
        found = self._ask("GET", f"flow_runs/{quote(run_id, safe='')}")
        if found is None:
            raise UsageError(f"There is no flow run {run_id} on {self._url}.", "Look into the Prefect UI.")
        return _state(found)

    def unfinished(self, tag: str) -> list[FlowRun]:
        """Return the runs of deployments with a tag that some process should be at work on.

        Raises:
            OutsideError: the server cannot be reached or refuses us.
        """
        states = {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}}
        wanted = {"flow_runs": {"state": states}, "deployments": {"tags": {"all_": [tag]}}, "limit": 200}
        return [self._run(one) for one in self._ask("POST", "flow_runs/filter", wanted) or []]

    def planned(self, tag: str, deployment: str | None = None, before: datetime | None = None) -> list[Planned]:
        """Return the runs of deployments with a tag that have not begun, the next one first; at most 200.

        Args:
            deployment: only of this one, by id.
            before: only those that were to start by then.

        Raises:
            OutsideError: the server cannot be reached or refuses us.
        """
        runs: dict[str, Any] = {"state": {"type": {"any_": ["SCHEDULED"]}}}
        if before is not None:
            runs["expected_start_time"] = {"before_": before.isoformat()}
        deployments: dict[str, Any] = {"tags": {"all_": [tag]}} | ({"id": {"any_": [deployment]}} if deployment else {})
        wanted = {"flow_runs": runs, "deployments": deployments, "sort": "EXPECTED_START_TIME_ASC", "limit": 200}
        return [self._planned(one) for one in self._ask("POST", "flow_runs/filter", wanted) or []]

    def runs_by_key(self, deployment_id: str, prefix: str) -> list[KnownRun]:
        """Return the newest runs of a deployment whose idempotency key begins so, newest first.

        Raises:
            OutsideError: the server cannot be reached or refuses us.
        """
        wanted = {"deployments": {"id": {"any_": [deployment_id]}}, "sort": "EXPECTED_START_TIME_DESC", "limit": 200}
        runs = self._ask("POST", "flow_runs/filter", wanted) or []
        found = [KnownRun(self._run(one), one.get("idempotency_key") or "", _state(one)) for one in runs]
        return [one for one in found if one.key.startswith(prefix)]

    def drop(self, run_id: str, name: str, message: str) -> None:
        """Set a run that has not begun to Cancelled under a name that says why.

        Raises:
            OutsideError: the server cannot be reached or refuses us.
        """
        self._set_state(run_id, {"type": "CANCELLED", "name": name, "message": message})

    def crash(self, run_id: str, message: str) -> None:
        """Set a run's state to Crashed, whatever it was; the slot it held comes free.

        Raises:
            OutsideError: the server cannot be reached or refuses us.
        """
        self._set_state(run_id, {"type": "CRASHED", "name": "Crashed", "message": message})

    def _set_state(self, run_id: str, state: dict[str, str]) -> None:
        self._ask("POST", f"flow_runs/{quote(run_id, safe='')}/set_state", {"state": state, "force": True})

    def _planned(self, found: dict[str, Any]) -> Planned:
        return Planned(
            run=self._run(found),
            deployment=str(found["deployment_id"]),
            at=datetime.fromisoformat(found["expected_start_time"]),
            by_schedule=bool(found["auto_scheduled"]),
            state=str((found.get("state") or {}).get("name", "")),
            tags=tuple(found["tags"]),
            parameters=found["parameters"],
        )

    def _run(self, found: dict[str, Any]) -> FlowRun:
        return FlowRun(str(found["id"]), f"{self._url.removesuffix('/api')}/runs/flow-run/{found['id']}")

    def _patiently(self, method: str, url: str, body: dict[str, Any] | None) -> httpx.Response:
        """Send a request, again where the server says it is busy: its SQLite was locked, and nothing was done.

        A question is asked again also where the server is silent too long.
        """
        for pause in _PAUSES:
            try:
                answer = self._client.request(method, url, json=body)
            except httpx.ReadTimeout:
                if method != "GET":  # it may have been done
                    raise
            else:
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    return answer
            time.sleep(pause)
        return self._client.request(method, url, json=body)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return what the server answers, or None where it answers 404."""
        try:
            answer = self._patiently(method, f"{self._url}/{path}", body)
            content = answer.json() if answer.is_success else None
        except (httpx.HTTPError, ValueError) as error:
            raise OutsideError(f"Prefect at {self._url} cannot be reached: {error}.", "Look whether its server is up.") from error
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if answer.status_code in (httpx.codes.BAD_REQUEST, httpx.codes.CONFLICT, httpx.codes.UNPROCESSABLE_ENTITY):
            raise UsageError(f"Prefect refused the request: {answer.text[:500]}", "Compare it with the deployment's parameters.")
        if not answer.is_success:
            remedy = "Check PREFECT_API_AUTH_STRING." if answer.status_code in (401, 403) else "Look into its log."
            raise OutsideError(f"Prefect at {self._url} answered {answer.status_code}.", remedy)
        return content


def _state(found: dict[str, Any]) -> RunState:
    state = found.get("state") or {}
    return RunState(str(state.get("type", "")), str(state.get("name", "")), str(state.get("message") or ""))
