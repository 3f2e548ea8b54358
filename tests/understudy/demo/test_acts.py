"""What the monitor saw is kept for the report after every look.

The stage is a double: on a real one it is the data that say whether an alert comes.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from contracts.events import Finding, Severity
from understudy.demo import acts
from understudy.demo.story import Story


def test_a_look_without_an_alert_is_kept_for_the_report() -> None:
    seen = Finding("data_drift", "hum", Severity.INFO, 0.02, 0.1, 0.4, 100, "hum is as it was")
    ledger = SimpleNamespace(newest_run=lambda *_: None, findings=lambda _name: (seen,))
    stage: Any = SimpleNamespace(name="p", ledger=ledger, story=Story("p"), run=lambda _flow: None)
    acts.monitor(stage)
    assert [one["subject"] for one in stage.story.findings] == ["hum"]
