"""The status document: promised keys, evidence of the epoch in force, and nothing that JSON cannot hold."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from adapters.ledger import Ledger
from adapters.ledger.overview import overview
from contracts.events import Alert, Finding, Severity
from contracts.rollout import Act, Decision, Measured, ModelRef, Phase, RolloutState, Route, ShadowView
from contracts.verdict import Outcome, Verdict

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ONE = ModelRef("1", "d1", "file:///1", "s1", NOW)
TWO = ModelRef("2", "d2", "file:///2", "s2", NOW)


def gate(reason: str, lower: float | None = None) -> Verdict:
    return Verdict("paired", Outcome.INCONCLUSIVE, 0.1, 0.0, 3, reason, lower, 0.4)


@pytest.fixture
def url(tmp_path):  # type: ignore[no-untyped-def]  # the shape is read by one dialect only: SQLite is enough
    return f"sqlite:///{tmp_path / 'ledger.db'}"


def save(ledger: Ledger, revision: int, epoch: int, **known: object) -> None:
    state = RolloutState("p", revision, Phase.RUNNING, Route(epoch, ONE, TWO), candidate=TWO, stage=0, champion_since=NOW)
    ledger.save(Decision(Act.START, state, f"revision {revision}", version="2", **known), NOW)  # type: ignore[arg-type]  # one keyword


def test_the_document_has_every_promised_key_and_is_json(ledger: Ledger) -> None:
    save(ledger, 1, 1)
    ledger.report_shadow("p", ShadowView("2", 1, 5, 2.5, 100, NOW))
    ledger.report_evidence("p", Measured(1, NOW, (gate("now", lower=float("-inf")),)))
    finding = Finding("data_drift", "temp", Severity.WARN, 0.3, 0.1, 0.001, 500, "temp moved")
    ledger.add_findings("p", (finding,), "run", NOW)
    ledger.open_alert(Alert("a1", "p", Severity.RETRAIN, "drift", NOW, (finding,)))
    said = json.loads(json.dumps(overview(ledger, "p"), allow_nan=False))
    assert said["champion"] == {
        "version": "1",
        "snapshot": "s1",
        "digest": "d1",
        "cutoff": "2026-01-01T00:00:00Z",
        "since": "2026-01-01T00:00:00Z",
    }
    assert (said["candidate"]["version"], said["previous"], said["phase"], said["stage"]) == ("2", None, "running", 0)
    assert (said["shadow"]["lag_seconds"], said["shadow"]["lag_rows"]) == (2.5, 5)
    assert said["evidence"] == [
        {
            "gate": "paired",
            "outcome": "INCONCLUSIVE",
            "observed": 0.1,
            "limit": 0.0,
            "samples": 3,
            "reason": "now",
            "lower": None,
            "upper": 0.4,
        }
    ]
    assert said["findings"][0]["subject"] == said["alerts"][0]["findings"][0]["subject"] == "temp"
    assert {"id", "at", "action", "reason", "actor", "version"} <= said["decisions"][0].keys()


def test_evidence_of_another_epoch_gives_way_to_that_of_the_newest_decision(ledger: Ledger) -> None:
    save(ledger, 1, 1, verdicts=(gate("decided"),))
    save(ledger, 2, 2)
    ledger.report_evidence("p", Measured(1, NOW, (gate("old epoch"),)))
    assert [one["reason"] for one in overview(ledger, "p")["evidence"]] == ["decided"]
    ledger.report_evidence("p", Measured(2, NOW, (gate("in force"),)))
    assert [one["reason"] for one in overview(ledger, "p")["evidence"]] == ["in force"]


def test_decisions_come_newest_first_and_bounded(ledger: Ledger) -> None:
    for revision in (1, 2, 3):
        save(ledger, revision, revision)
    assert [one["reason"] for one in overview(ledger, "p", decisions=2)["decisions"]] == ["revision 3", "revision 2"]
