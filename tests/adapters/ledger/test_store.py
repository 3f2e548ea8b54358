"""One writer wins each revision, decisions are for ever, and what a decision answers is consumed with it."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError

from adapters.ledger import Ledger
from contracts.errors import Conflict, OutsideError
from contracts.events import Alert, Cause, Finding, IntentKind, Severity, Trigger
from contracts.rollout import Act, Decision, GatewayView, Measured, ModelRef, Phase, Route, ShadowView, fresh_state
from contracts.verdict import Outcome, Verdict

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
MODEL = ModelRef("1", "d1", "file:///m/1", "s1", NOW)
TRIGGER = Trigger(Cause.SCHEDULE, "due", "cron")
VERDICT = Verdict("mae", Outcome.PASS, 31.25, 120.0, 336, "fine", 30.0, 32.0)


def first(**changes: object) -> Decision:
    state = replace(fresh_state("p"), revision=1, route=Route(1, MODEL, None), phase_since=NOW)
    return replace(Decision(Act.BOOTSTRAP, state, "first", version="1", verdicts=(VERDICT,)), **changes)  # type: ignore[arg-type]  # test shorthand


def test_a_state_comes_back_exactly_as_it_was_saved(ledger: Ledger) -> None:
    assert ledger.state("p") == fresh_state("p")
    record = ledger.save(first(), NOW)
    assert ledger.state("p") == first().state
    assert (record.act, record.clock, record.verdicts, record.phase) == (Act.BOOTSTRAP, NOW, (VERDICT,), Phase.IDLE)
    assert ledger.routes() == {"p": Route(1, MODEL, None)}


def test_the_second_writer_of_a_revision_gets_a_conflict_and_changes_nothing(ledger: Ledger) -> None:
    ledger.save(first(), NOW)
    with pytest.raises(Conflict):
        ledger.save(first(reason="me too"), NOW)
    stale = Decision(Act.PAUSE, replace(first().state, revision=3, phase=Phase.PAUSED), "from a stale read")
    with pytest.raises(Conflict):
        ledger.save(stale, NOW)
    assert [one.reason for one in ledger.decisions("p")] == ["first"]
    assert ledger.state("p").phase is Phase.IDLE


def test_of_many_concurrent_writers_exactly_one_wins(url: str) -> None:
    ledgers = [Ledger(url) for _ in range(4)]

    def attempt(number: int) -> bool:
        try:
            ledgers[number % 4].save(first(reason=str(number)), NOW)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(attempt, range(16)))
    assert sum(won) == 1
    assert len(ledgers[0].decisions("p")) == 1
    for one in ledgers:
        one.close()


def test_decisions_cannot_be_changed_or_removed_even_by_hand(ledger: Ledger, url: str) -> None:
    ledger.save(first(), NOW)
    engine = create_engine(url)
    for statement in ("UPDATE decisions SET reason = 'nicer'", "DELETE FROM decisions"):
        with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
            connection.execute(text(statement))
    engine.dispose()
    assert ledger.decisions("p")[0].reason == "first"


def test_what_a_decision_answers_is_consumed_with_it_or_not_at_all(ledger: Ledger) -> None:
    asked = ledger.submit("p", MODEL, (VERDICT,), TRIGGER)
    wish = ledger.add_intent("p", IntentKind.ABORT, "ada", "no")
    ledger.save(first(), NOW)
    with pytest.raises(Conflict):
        ledger.save(first(submissions=(asked.id,), intents=(wish.id,)), NOW)
    assert ledger.submissions("p") == (asked,)
    assert ledger.intents("p") == (wish,)
    second = Decision(Act.DECLINE, replace(first().state, revision=2), "no", submissions=(asked.id,), intents=(wish.id,))
    ledger.save(second, NOW)
    assert ledger.submissions("p") == ledger.intents("p") == ()
    assert ledger.submissions("p", waiting=False) == (asked,)


def test_the_same_version_is_submitted_once(ledger: Ledger) -> None:
    one = ledger.submit("p", MODEL, (VERDICT,), TRIGGER)
    assert ledger.submit("p", MODEL, (), TRIGGER) == one
    assert (one.gates, one.cause) == ((VERDICT,), "schedule")


def test_opening_at_once_from_several_places_migrates_once(url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        ledgers = list(pool.map(lambda _: Ledger(url), range(4)))
    assert all(one.state("p") == fresh_state("p") for one in ledgers)
    for one in ledgers:
        one.close()


def test_all_migrations_are_one_transaction_so_that_nobody_else_can_begin_between_two(url: str) -> None:
    committed: list[bool] = []  # of each transaction, whether it wrote

    def note(connection: Connection) -> None:
        committed.append(bool(connection.get_execution_options().get("writes")))

    event.listen(Engine, "commit", note)
    try:
        Ledger(url).close()
    finally:
        event.remove(Engine, "commit", note)
    assert committed.count(True) == 1


def test_an_older_schema_is_brought_up_to_date_and_a_current_one_is_left_alone(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Ledger(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE evidence"))
        connection.execute(text("ALTER TABLE intents DROP COLUMN version"))
        connection.execute(text("ALTER TABLE decisions DROP COLUMN basis"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    engine.dispose()
    again = Ledger(url)
    again.report_evidence("p", Measured(1, NOW, (VERDICT,)))
    again.close()
    monkeypatch.setitem(sys.modules, "alembic", None)  # importing it now fails
    current = Ledger(url)
    assert current.evidence("p") == Measured(1, NOW, (VERDICT,))
    current.close()


def test_a_wish_about_one_version_says_so_when_it_is_read_again(ledger: Ledger) -> None:
    asked = ledger.add_intent("p", IntentKind.APPROVE, "ada", "so", "7")
    assert (ledger.intents("p"), asked.version) == ((asked,), "7")


def test_the_answer_to_an_intent_is_found_by_it(ledger: Ledger) -> None:
    asked = ledger.add_intent("p", IntentKind.PAUSE, "ada", "so")
    assert ledger.answer_to(asked, "p") is None
    record = ledger.save(first(intents=(asked.id,)), NOW)
    assert ledger.answer_to(asked, "p") == record


def test_observations_are_kept_and_replaced(ledger: Ledger) -> None:
    ledger.report_gateway("p", GatewayView("g1", 1, "1", NOW))
    ledger.report_gateway("p", GatewayView("g1", 2, "2", NOW + timedelta(seconds=5)))
    ledger.report_gateway("p", GatewayView("old", 1, "1", NOW - timedelta(hours=1)))
    assert [view.epoch for view in ledger.gateways("p", NOW)] == [2]
    ledger.forget_gateway("g1")
    assert ledger.gateways("p", NOW) == ()
    view = ShadowView("2", 3, 10, 1.5, 100, NOW, "boom")
    ledger.report_shadow("p", view)
    assert ledger.shadow("p") == view


def test_findings_are_those_of_the_newest_run_and_alerts_close(ledger: Ledger) -> None:
    one = Finding("error_drift", "mae", Severity.RETRAIN, 0.4, 0.1, 0.001, 500, "the error rose")
    two = replace(one, subject="later")
    ledger.add_findings("p", (one,), "run-1", NOW)
    ledger.add_findings("p", (two,), "run-2", NOW)
    assert ledger.findings("p") == (two,)
    alert = Alert("a1", "p", Severity.RETRAIN, "it drifts", NOW, (one,))
    ledger.open_alert(alert)
    assert ledger.alerts("p") == (alert,)
    ledger.resolve_alert("a1")
    assert ledger.alerts("p") == ()
    assert len(ledger.alerts("p", only_open=False)) == 1


def test_the_newest_run_of_a_cause_is_found_for_the_cool_down(ledger: Ledger) -> None:
    assert ledger.newest_run("p", "drift") is None
    ledger.audit_call(pipeline="p", kind="alertmanager", cause="drift", status=202, flow_run="f1", detail="")
    ledger.audit_call(pipeline="p", kind="alertmanager", cause="drift", status=401, flow_run=None, detail="bad signature")
    newest = ledger.newest_run("p", "drift")
    assert newest is not None
    assert newest[1] == "f1"


def test_an_alert_that_is_told_again_does_not_prolong_the_cool_down(ledger: Ledger) -> None:
    ledger.audit_call(pipeline="p", kind="alertmanager", cause="drift", status=202, flow_run="f1", detail="")
    first = ledger.newest_run("p", "drift")
    ledger.audit_call(pipeline="p", kind="alertmanager", cause="drift", status=202, flow_run="f1", detail="told again")
    assert ledger.newest_run("p", "drift") == first
    ledger.audit_call(pipeline="p", kind="alertmanager", cause="drift", status=202, flow_run="f2", detail="")
    newest = ledger.newest_run("p", "drift")
    assert newest is not None
    assert newest[1] == "f2"


def test_a_ledger_that_cannot_be_opened_says_where_and_hides_the_password(tmp_path: Path) -> None:
    with pytest.raises(OutsideError, match="cannot be opened") as caught:
        Ledger("postgresql+psycopg://me:secret@127.0.0.1:1/none")
    assert "secret" not in str(caught.value)


def test_the_newest_measurement_is_kept_whether_or_not_it_led_to_a_decision(ledger: Ledger) -> None:
    assert ledger.evidence("p") is None
    ledger.report_evidence("p", Measured(1, NOW, ()))
    ledger.report_evidence("p", Measured(2, NOW, (VERDICT,)))
    assert ledger.evidence("p") == Measured(2, NOW, (VERDICT,))
