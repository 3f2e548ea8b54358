"""How long each step of a run may take, and how often it is tried again: all of it is named here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE

from contracts.errors import UnderstudyError

P = ParamSpec("P")
R = TypeVar("R")
JITTER = 0.5  # a pause is up to this share longer or shorter, so that many runs do not come back at once


@dataclass(frozen=True, slots=True)
class Patience:
    """One step's limits.

    Attributes:
        timeout: seconds; a step that takes longer is stopped.
        pauses: seconds before the second try, the third and so on; empty where trying again would give the same.
    """

    timeout: float
    pauses: tuple[float, ...] = ()


STEPS = {
    "ingest": Patience(3600, (2, 10, 60)),
    "look up": Patience(300, (2, 10)),
    "fit": Patience(7 * 86_400),  # the pipeline's own train.timeout is shorter
    "evaluate": Patience(3600),
    "gate": Patience(300),
    "register": Patience(1800, (2, 10, 60)),
    "submit": Patience(300, (2, 10)),
    "tick": Patience(600, (1, 5)),
    "publish evidence": Patience(120, (1,)),
    "ask people": Patience(120, (1,)),
    "note the answer": Patience(300),  # never again: a wish that was recorded is answered by the next tick
    "watch": Patience(1800, (5,)),
    "keep report": Patience(300, (2, 10)),
}


def step(name: str) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Make a task of a step, with its limits; it is tried again only where something outside failed."""
    limits = STEPS[name]
    return task(
        name=name,
        cache_policy=NO_CACHE,
        timeout_seconds=limits.timeout,
        retries=len(limits.pauses),
        retry_delay_seconds=list(limits.pauses),
        retry_jitter_factor=JITTER if limits.pauses else None,
        retry_condition_fn=_can_help,
    )


def _can_help(_task: object, _run: object, state: Any) -> bool:
    failed = state.result(raise_on_failure=False)
    return isinstance(failed, UnderstudyError) and failed.retryable
