"""An operator's wish, recorded and answered at once, by this process or by another that is quicker."""

from __future__ import annotations

from collections.abc import Callable

from adapters.ledger import Ledger
from adapters.pipeline_files import Pipeline
from adapters.settings import Settings
from contracts.errors import Conflict
from contracts.events import Intent
from contracts.rollout import Aliases, DecisionRecord
from flows.stages.tick import TickResult, decide

_TRIES = 10  # earlier intents are answered first, and another process may decide in between


def answer(
    settings: Settings, pipeline: Pipeline, ledger: Ledger, asked: Intent, aliases: Callable[[], Aliases]
) -> tuple[DecisionRecord, TickResult | None]:
    """Decide until an intent is answered.

    Returns:
        the decision that answered it, and what this process did last, or None where another process decided.

    Raises:
        Conflict: others keep deciding first; the intent stands and the next tick answers it.
    """
    done = None
    for _ in range(_TRIES):
        record = ledger.answer_to(asked, pipeline.spec.name)
        if record is not None:
            return record, done
        try:
            done = decide(settings, pipeline, aliases, ledger)
        except Conflict:
            done = None  # somebody else decided first; perhaps it was the answer
    raise Conflict(
        f"The {asked.kind.value} of '{pipeline.spec.name}' is recorded, but others keep deciding first.", "The next tick answers it."
    )
