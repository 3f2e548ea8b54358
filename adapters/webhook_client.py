"""Sends an alert to the webhook receiver as a signed CloudEvent."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from adapters.webhook_signature import signed_headers
from contracts.errors import OutsideError, Refused
from contracts.events import Alert, Cause

_PATH = "/hooks/event"
_TIMEOUT = httpx.Timeout(20.0, connect=2.0)  # the receiver waits for Prefect
_PAUSES = (0.5, 1.5)  # seconds before the second and the third try
_AGAIN = {408, 429, 500, 502, 503, 504}


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the receiver answered: the run that stands for the alert, or None with the reason why none was started."""

    flow_run: str | None
    detail: str


def send_alert(url: str, secret: str | None, alert: Alert, pause: Callable[[float], None] = time.sleep) -> Delivery:
    """Post an alert; the same alert sent again gives the same run.

    Args:
        url: the receiver's address, such as `http://127.0.0.1:8090`.
        secret: what the body is signed with; None sends it unsigned.
        pause: waits for so many seconds.

    Raises:
        OutsideError: after three tries the receiver could not be reached, or could not start a run.
        Refused: the receiver does not accept the event.
    """
    body = json.dumps(cloud_event(alert)).encode()
    with httpx.Client(timeout=_TIMEOUT, trust_env=False) as client:
        for seconds in (*_PAUSES, None):
            failure = ""
            try:
                response = client.post(url.rstrip("/") + _PATH, content=body, headers=_headers(secret, body))
            except httpx.TransportError as error:
                failure = str(error) or type(error).__name__
            else:
                if response.status_code not in _AGAIN:
                    return _delivery(response, url)
                failure = f"{response.status_code}: {_said(response).get('error', response.text[:200])}"
            if seconds is not None:
                pause(seconds)
    raise OutsideError(f"The webhook receiver at {url} did not take alert {alert.id}: {failure}.", "It is sent again at the next run.")


def cloud_event(alert: Alert) -> dict[str, Any]:
    """Return an alert as a CloudEvent 1.0 in structured mode."""
    data = {"pipeline": alert.pipeline, "cause": Cause.DRIFT.value, "reason": alert.summary, "severity": alert.severity.value}
    return {
        "specversion": "1.0",
        "type": "understudy.retrain",
        "source": "understudy/monitor",
        "id": alert.id,
        "time": alert.started_at.isoformat(),
        "datacontenttype": "application/json",
        "data": data,
    }


def _headers(secret: str | None, body: bytes) -> dict[str, str]:
    signed = signed_headers(secret, int(time.time()), body) if secret else {}
    return {"Content-Type": "application/cloudevents+json", **signed}


def _delivery(response: httpx.Response, url: str) -> Delivery:
    said = _said(response)
    if response.status_code == 202 and said.get("flow_run"):
        return Delivery(str(said["flow_run"]), str(said.get("reason", "")))
    if response.status_code == 200:
        return Delivery(None, str(said.get("reason", "")))
    raise Refused(
        f"The webhook receiver at {url} answered {response.status_code}: {said.get('error', response.text[:200])}",
        "Check that it has the same secret and knows the pipeline.",
    )


def _said(response: httpx.Response) -> dict[str, Any]:
    try:
        content = response.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
