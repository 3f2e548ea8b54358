"""What was decided about a sample, and why; every guess is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Decided:
    """One guess: the key in pipeline.yaml, the value, and one plain sentence that says why."""

    key: str
    value: Any
    why: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A column that is no feature; `leak` where it would tell the model the answer."""

    column: str
    why: str
    leak: bool = False
