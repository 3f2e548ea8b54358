"""One form for one question: made once, made again where it died without an answer, withdrawn when the question is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.ledger import Ledger
from adapters.prefect_api import FlowRun, PrefectApi
from contracts.rollout import Act, Approval, Decision, ModelRef, Phase, RolloutState, Route, fresh_state
from flows.stages.forms import keep_forms
from tests.flows.stages.rollout_world import LONG_AGO
from tests.prefect_server import ask_prefect

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def model(version: str) -> ModelRef:
    return ModelRef(version, f"digest-{version}", "file:///m", "s1", LONG_AGO)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    one = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield one
    one.close()


@pytest.fixture
def name(prefect_server: str, request: pytest.FixtureRequest) -> str:
    """Deploy a flow that nobody runs, under a name of this test's own."""
    flow = ask_prefect("POST", f"{prefect_server}/flows/", {"name": "approval"}).raise_for_status().json()["id"]
    named = request.node.name.split("[")[0]
    ask_prefect("POST", f"{prefect_server}/deployments/", {"name": named, "flow_id": flow}).raise_for_status()
    return str(named)


@pytest.fixture
def api(prefect_server: str) -> Iterator[PrefectApi]:
    with PrefectApi(prefect_server) as one:
        yield one


def save(ledger: Ledger, before: RolloutState, act: Act, version: str = "2", **changes: object) -> RolloutState:
    state = replace(before, revision=before.revision + 1, **changes)  # type: ignore[arg-type]  # test shorthand
    ledger.save(Decision(act, state, f"why {act.value}", version=version), NOW)
    return state


def asked(ledger: Ledger, name: str, version: str = "2") -> RolloutState:
    """Return the state in which a person is asked about a version."""
    route = Route(2, model("1"), model(version))
    question = Approval(NOW, NOW + timedelta(days=7))
    started = replace(ledger.state(name), pipeline=name, phase=Phase.RUNNING, route=route, candidate=model(version), stage=0)
    return save(ledger, started, Act.ASK, version, approval=question)


def suspend(url: str, run: FlowRun) -> None:
    for state in ({"type": "PENDING"}, {"type": "RUNNING"}, {"type": "PAUSED", "name": "Suspended"}):
        ask_prefect("POST", f"{url}/flow_runs/{run.id}/set_state", {"state": state, "force": True}).raise_for_status()


def test_nothing_is_asked_and_no_form_is_made(api: PrefectApi, ledger: Ledger, name: str) -> None:
    assert fresh_state(name).approval is None
    forms = keep_forms(api, ledger, name)
    assert (forms.waits, forms.withdrawn) == (None, ())


def test_however_often_it_is_looked_at_there_is_one_form(api: PrefectApi, ledger: Ledger, name: str, prefect_server: str) -> None:
    asked(ledger, name)
    first = keep_forms(api, ledger, name).waits
    assert first is not None
    suspend(prefect_server, first)
    for _ in range(3):
        assert keep_forms(api, ledger, name).waits == first
    found = ask_prefect("GET", f"{prefect_server}/flow_runs/{first.id}").json()
    assert found["parameters"] == {"pipeline": name, "version": "2"}


def test_a_newer_candidates_form_replaces_the_older_and_says_why(api: PrefectApi, ledger: Ledger, name: str, prefect_server: str) -> None:
    asked(ledger, name)
    first = keep_forms(api, ledger, name).waits
    assert first is not None
    suspend(prefect_server, first)
    asked(ledger, name, "3")
    forms = keep_forms(api, ledger, name)
    assert (forms.withdrawn, forms.waits is not None and forms.waits != first) == ((first,), True)
    assert (api.state(first.id).kind, api.state(first.id).message) == ("CANCELLED", "Withdrawn: why ask")


def test_a_form_is_withdrawn_when_the_candidate_goes_and_left_alone_when_it_was_answered(
    api: PrefectApi, ledger: Ledger, name: str, prefect_server: str
) -> None:
    state = asked(ledger, name)
    form = keep_forms(api, ledger, name).waits
    assert form is not None
    suspend(prefect_server, form)
    ask_prefect("POST", f"{prefect_server}/flow_runs/{form.id}/set_state", {"state": {"type": "RUNNING"}, "force": True}).raise_for_status()
    answered = save(ledger, state, Act.APPROVE, approval=Approval(NOW, NOW, "ada", "so"))
    assert keep_forms(api, ledger, name).withdrawn == ()  # it is at work on the answer
    suspend(prefect_server, form)
    save(ledger, answered, Act.ABORT, phase=Phase.ABORTING, candidate=None, approval=None)
    assert keep_forms(api, ledger, name).withdrawn == (form,)
    assert api.state(form.id).message == "Withdrawn: why abort"


def test_a_form_that_ends_without_an_answer_is_made_again_but_not_for_ever(api: PrefectApi, ledger: Ledger, name: str) -> None:
    asked(ledger, name)
    seen = set()
    for _ in range(5):
        form = keep_forms(api, ledger, name).waits
        assert form is not None
        seen.add(form.id)
        api.drop(form.id, "Cancelled", "not by me")
    assert len(seen) == 5
    last = keep_forms(api, ledger, name)
    assert last.waits is None
    assert "5 forms about version 2 ended without an answer" in str(last.trouble)
