"""What a notification asks for, whoever wrote it; everything in it is bounded and printable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from contracts.errors import UsageError
from contracts.events import Cause, Trigger

REASON_CHARACTERS = 500
MachineCause = Literal["drift", "new_data"]  # what a machine may find: schedule and operator have queues and cool-downs of their own
MACHINE_CAUSES = frozenset(Cause(one) for one in get_args(MachineCause))
_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Asked:
    """One wish about one pipeline.

    Attributes:
        pipeline: as it was written; whether it exists is not known yet.
        trigger: what becomes the run's parameters; its alert id makes repeated notifications one run.
        declined: why nothing is to be started (it is resolved, or not severe), or None.
    """

    pipeline: str
    trigger: Trigger
    declined: str | None = None

    @property
    def key(self) -> str:
        """Prefect's idempotency key: the same alert gives the same run."""
        return f"{self.pipeline}:{self.trigger.alert_id}"


class BadNotification(UsageError):
    """What came in cannot be understood; the sender can mend it."""


def read_model(model: type[_Model], content: bytes) -> _Model:
    """Read JSON into a pydantic model.

    Raises:
        BadNotification: one sentence that names the first wrong field, and never repeats what was sent.
    """
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise BadNotification(f"{printable(where, 100)}: {printable(first['msg'], 200)}.") from error


def printable(text: str, most: int) -> str:
    """Return text on one line without control characters, cut at a number of characters.

    >>> printable("a\\x00b\\nc" + "d" * 9, 8)
    'a b cdd…'
    """
    clean = "".join(letter if letter.isprintable() else " " for letter in text).strip()
    return clean if len(clean) <= most else clean[: most - 1] + "…"
