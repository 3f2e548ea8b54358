"""The last stage: a version that met every offline gate asks to become champion."""

from __future__ import annotations

from adapters.ledger import Ledger
from adapters.settings import Settings
from contracts.events import Trigger
from contracts.rollout import ModelRef, Submission
from contracts.verdict import Verdict
from flows.stages.gate import all_passed


def submit_stage(settings: Settings, pipeline: str, model: ModelRef, verdicts: tuple[Verdict, ...], trigger: Trigger) -> Submission | None:
    """Submit a version to the ledger when every gate was met, once however often this is called; None where one was not.

    Raises:
        OutsideError: the ledger cannot be opened.
    """
    if not all_passed(verdicts):
        return None
    ledger = Ledger(settings.ledger_url)
    try:
        return ledger.submit(pipeline, model, verdicts, trigger)
    finally:
        ledger.close()
