"""CloudEvents 1.0 of type `understudy.retrain`, in JSON: structured mode, or binary mode where the sender holds the token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, StringConstraints

from contracts.events import Cause, Severity, Trigger
from webhook.asked import REASON_CHARACTERS, Asked, BadNotification, MachineCause, printable, read_model

_ATTRIBUTES = ("specversion", "type", "source", "id", "time")
_Short = Annotated[str, StringConstraints(min_length=1, max_length=100)]
_Id = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,128}$")]  # it becomes part of a key: printable ASCII


class _Data(BaseModel):
    pipeline: str
    cause: MachineCause = "drift"
    reason: str = ""
    severity: Severity = Severity.RETRAIN


class _Event(BaseModel):
    specversion: Literal["1.0"]
    type: Literal["understudy.retrain"]
    source: _Short
    id: _Id
    time: AwareDatetime | None = None
    datacontenttype: Literal["application/json"] = "application/json"
    data: _Data


def is_binary(headers: Mapping[str, str]) -> bool:
    """Say whether an event's attributes are in the headers instead of the body."""
    return "ce-specversion" in headers


def read_event(content: bytes, headers: Mapping[str, str]) -> Asked:
    """Return what an event asks for.

    Raises:
        BadNotification: it is no CloudEvent 1.0 of our type.
    """
    event = read_model(_Event, _structured(content, headers) if is_binary(headers) else content)
    source, data = printable(event.source, 100), event.data
    reason = printable(data.reason, REASON_CHARACTERS) or f"asked for by {source}"
    declined = None if data.severity is Severity.RETRAIN else f"severity '{data.severity}' asks for no retrain"
    return Asked(data.pipeline, Trigger(Cause(data.cause), reason, source, event.id), declined)


def _structured(content: bytes, headers: Mapping[str, str]) -> bytes:
    """Put the attributes of a binary event where structured mode has them."""
    event: dict[str, Any] = {name: headers[f"ce-{name}"] for name in _ATTRIBUTES if f"ce-{name}" in headers}
    try:
        return json.dumps(event | {"data": json.loads(content)}).encode()
    except (ValueError, RecursionError) as error:
        raise BadNotification("body: not JSON.") from error
