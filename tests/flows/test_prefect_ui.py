"""What people do in Prefect's own UI, in a real Chromium: approve a promotion, start a retrain, cancel one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.data_repo import DataRepo
from adapters.prefect_api import FlowRun, PrefectApi
from contracts.rollout import Act, Aliases, Phase
from contracts.verdict import Outcome
from flows.stages.forms import keep_forms
from tests.flows.office import SHOP, SLOW, Office, choose, field, fill, open_office, until
from tests.flows.stages.retrain_world import table
from tests.prefect_server import ask_prefect

pytestmark = [
    pytest.mark.slow,  # the loop's tests ask the same server for the same forms, without a browser
    pytest.mark.timeout(600),
    # MLflow's own store speaks an older SQLAlchemy
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
]
SHOWN = Path(__file__).parents[2] / "docs" / "images" / "approval.png"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, mlflow_database: Path, mlflow_server: str, prefect_database: Path) -> Iterator[Office]:
    """Version 1 of `sales` serves; a candidate would have to be approved."""
    with open_office(tmp_path_factory.mktemp("office"), mlflow_database, mlflow_server, prefect_database) as office:
        office.world.submit("1", error=10.0)
        office.world.settle()
        office.world.serve(30 * 24)
        yield office


@pytest.fixture
def api(office: Office) -> Iterator[PrefectApi]:
    with PrefectApi(office.api_url) as api:
        yield api


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    one = browser.new_page(viewport={"width": 1280, "height": 900})
    one.set_default_timeout(60_000)
    yield one
    one.close()


def ask(office: Office, api: PrefectApi, version: str, error: float) -> FlowRun:
    """A candidate comes, its evidence is in, and the rollout's own flow asks; return the form that waits."""
    office.world.submit(version, error)
    assert office.world.settle()[-1] == "ask"
    office.world.gateway()
    assert office.ended(api, office.run(api, "rollout", "sales")).kind == "COMPLETED"
    form = keep_forms(api, office.world.ledger, "sales").waits
    assert form is not None
    until(lambda: api.state(form.id).name == "Suspended", "the form waits")
    return form


def test_a_person_sees_the_evidence_fills_the_form_and_the_promotion_names_them(office: Office, api: PrefectApi, page: Any) -> None:
    form = ask(office, api, "2", error=5.0)
    page.goto(form.url)
    page.get_by_text("Artifacts", exact=True).click()
    page.get_by_text("sales-approval", exact=True).click()
    plot = page.locator("img[src^='data:image/png']")
    plot.wait_for()
    assert plot.evaluate("image => image.naturalWidth") > 300
    page.get_by_text("the gain lies between 4.8").first.wait_for()
    page.goto(form.url)
    page.get_by_role("button", name="Resume").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("would replace version 1").wait_for()
    dialog.get_by_role("button", name="Submit").click()
    dialog.get_by_text("'answer' is a required property").wait_for()
    choose(page, "Answer", "approve")
    fill(page, "Your name", "Ada Lovelace")
    fill(page, "Why", "less error on every weekday")
    if os.environ.get("UNDERSTUDY_SHOOT"):  # the picture of the how-to
        page.screenshot(path=SHOWN)
    fill(page, "Why", "x")
    submit = dialog.get_by_role("button", name="Submit")
    send(page, submit, page.get_by_text("Validation failed for field 'reason'. Failure reason: 'x' is too short").count)
    fill(page, "Why", "less error on every weekday")
    office.world.report_shadow(seen_at=datetime.now(UTC) + timedelta(minutes=5))  # it goes on while people read
    office.world.gateway()
    send(page, submit, dialog.is_hidden)
    assert office.ended(api, form).name == "Approved"
    made = [one for one in reversed(office.world.ledger.decisions("sales")) if one.act is not Act.WATCH][-3:]
    assert [one.act for one in made] == [Act.ASK, Act.APPROVE, Act.PROMOTE]
    approve, promote = made[1:]
    assert {(one.actor, one.version) for one in (approve, promote)} == {("Ada Lovelace", "2")}
    assert approve.reason == "less error on every weekday"
    assert promote.reason.startswith("approved (less error on every weekday); version 2 has 4.9")
    assert promote.verdicts[0].outcome is Outcome.PASS
    assert office.world.registry.aliases("sales") == Aliases("2", None, "1")
    (told,) = until(lambda: notices(office, "promoted", "sales"), "people are told, and no tick was needed")
    assert (told["subject"], "by Ada Lovelace" in told["body"]) == ("sales: promoted version 2", True)


def test_a_form_that_nobody_fills_is_withdrawn_when_its_time_is_up_and_the_candidate_goes(office: Office, api: PrefectApi) -> None:
    world = office.world
    world.settle()
    world.serve(9 * 24)
    world.settle()
    assert world.state.phase is Phase.IDLE
    form = ask(office, api, "3", error=1.0)
    world.serve(4 * 24)
    assert world.settle()[0] == "abort"
    assert office.ended(api, office.run(api, "rollout", "sales")).kind == "COMPLETED"
    ended = api.state(form.id)
    assert (ended.kind, ended.message[:10]) == ("CANCELLED", "Withdrawn:")
    assert "nobody approved version 3 within 3 days" in world.ledger.decisions("sales", limit=2)[1].reason
    assert world.state.champion == world.model("2")


def test_a_retrain_with_another_window_is_told_apart_by_its_lineage_and_its_page_leads_to_the_version(
    office: Office, api: PrefectApi, page: Any
) -> None:
    run = office.run(api, "retrain", SHOP, window="10d")
    assert office.ended(api, run).message == "Version 1 asks to become champion."
    page.goto(run.url)
    page.get_by_text("Artifacts", exact=True).click()
    page.get_by_text("shop-version", exact=True).click()
    link = page.get_by_role("link", name="Version 1 in MLflow").first
    link.wait_for()
    page.goto(link.get_attribute("href"))
    page.get_by_text("Version 1").first.wait_for()
    version = office.world.registry._client.get_model_version(SHOP, "1")
    assert office.world.registry._client.get_run(version.run_id).data.params["window"] == "10d"
    kept = [one.path for one in office.world.registry._client.list_artifacts(version.run_id, "dvc")]
    assert kept == ["dvc/dvc.lock"], "what the flow's stages read and wrote is kept with its version"


def test_cancelling_a_run_stops_its_fit_and_leaves_nothing_half_done(office: Office, api: PrefectApi, page: Any) -> None:
    started = office.world.folder / "started"
    run = office.run(api, "retrain", SLOW)
    pid = int(until(lambda: started.exists() and started.read_text(), "the fit"))
    page.goto(run.url)
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    until(lambda: not Path(f"/proc/{pid}").exists(), "the end of the process")
    assert office.ended(api, run).kind == "CANCELLED"
    found = ask_prefect("GET", f"{office.api_url}/deployments/name/retrain/{SLOW}").json()["global_concurrency_limit"]
    assert (found["limit"], found["active_slots"]) == (1, 0)
    assert office.world.ledger.submissions(SLOW, waiting=False) == ()
    assert office.world.registry._client.search_model_versions(f"name = '{SLOW}'") == []
    started.unlink()
    again = office.run(api, "retrain", SLOW)  # neither a lock nor a slot is in its way
    until(started.exists, "the next fit")
    ask_prefect("POST", f"{office.api_url}/flow_runs/{again.id}/set_state", {"state": {"type": "CANCELLING"}}).raise_for_status()
    assert office.ended(api, again).kind == "CANCELLED"
    assert list((office.world.folder / "home").glob("work/**/*.parquet")) == []


def open_form(page: Any, office: Office, api: PrefectApi, name: str) -> Any:
    """From the list of deployments, as a person would: the deployment, Run, Custom run; return the form's submit button."""
    page.goto(f"{office.ui_url}/deployments")
    page.goto(f"{office.ui_url}/deployments/deployment/{api.deployment('retrain', name)}")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("Custom run", exact=True).click()
    field(page, "Training window").wait_for()
    return page.get_by_role("button", name="Submit")


def test_the_form_of_a_retrain_has_titles_help_and_choices_and_refuses_a_wrong_value_in_words(
    office: Office, api: PrefectApi, page: Any
) -> None:
    submit = open_form(page, office, api, SHOP)
    for title, words in (
        ("Why", "why, in a sentence"),
        ("Snapshot", "fit on this snapshot"),
        ("Training window", "fit on so much history, such as 90d"),
        ("Dry run", "nothing is registered and nothing asks to become champion"),
    ):
        assert words in field(page, title).inner_text(), title
    assert "skip" not in page.locator("form").first.inner_text().lower()  # a rehearsal cannot be skipped from here
    before = len(runs(office, SHOP))
    fill(page, "Training window", "a fortnight")
    send(page, submit, page.get_by_text("Validation failed for field 'window'").count)
    fill(page, "Training window", "10d")
    fill(page, "Why", "x")
    send(page, submit, page.get_by_text("Validation failed for field 'reason'. Failure reason: 'x' is too short").count)
    assert len(runs(office, SHOP)) == before


def test_a_dry_run_from_the_form_is_watched_to_its_end_and_keeps_nothing(office: Office, api: PrefectApi, page: Any) -> None:
    versions = office.world.registry._client.search_model_versions(f"name = '{SHOP}'")
    waiting = office.world.ledger.submissions(SHOP, waiting=False)
    before = {one["id"] for one in runs(office, SHOP)}
    submit = open_form(page, office, api, SHOP)
    fill(page, "Why", "would a shorter window do?")
    fill(page, "Training window", "10d")
    field(page, "Dry run").locator("input[type=checkbox]").dispatch_event("click")  # the box itself is drawn by its label
    made = send(page, submit, lambda: [one for one in runs(office, SHOP) if one["id"] not in before])[0]
    page.goto(f"{office.ui_url}/runs/flow-run/{made['id']}")
    page.get_by_text("A dry run: all").first.wait_for(timeout=120_000)
    assert (made["parameters"]["window"], made["parameters"]["dry_run"]) == ("10d", True)
    page.get_by_text("Artifacts", exact=True).click()
    page.get_by_text("shop-gates", exact=True).wait_for()
    assert office.world.registry._client.search_model_versions(f"name = '{SHOP}'") == versions
    assert office.world.ledger.submissions(SHOP, waiting=False) == waiting


def test_a_dry_run_typed_at_the_command_goes_through_the_server_and_its_exit_code_is_the_gates(office: Office) -> None:
    registry, ledger = office.world.registry, office.world.ledger
    before = (registry._client.search_model_versions(f"name = '{SHOP}'"), ledger.submissions(SHOP, waiting=False))
    spec = office.world.settings.pipelines / SHOP / "pipeline.yaml"
    kept = spec.read_text()
    try:
        for gates, ends in ((json.loads(kept)["gates"], (0, "DryRun")), ([{"metric": "mae", "max": 0.01}], (1, "GatesNotMet"))):
            spec.write_text(json.dumps(json.loads(kept) | {"gates": gates}))
            typed = [sys.executable, "-m", "understudy", "--json", "retrain", SHOP, "--window", "10d", "--dry-run", "--wait"]
            done = subprocess.run(typed, env=office.environment, capture_output=True, text=True, check=False, timeout=120)
            said = json.loads(done.stdout)
            assert (done.returncode, said["state"]) == ends, done.stderr
            assert said["message"].endswith("Nothing was registered and nothing submitted.")
            (run,) = [one for one in runs(office, SHOP) if one["id"] == said["flow_run"]]
            assert (run["parameters"]["window"], run["parameters"]["dry_run"]) == ("10d", True)
        (told,) = until(lambda: notices(office, "gate-failed", SHOP), "people are told of the gate")
        assert told["subject"] == "shop: a candidate did not meet its offline gates"
    finally:
        spec.write_text(kept)
    assert (registry._client.search_model_versions(f"name = '{SHOP}'"), ledger.submissions(SHOP, waiting=False)) == before


def test_a_batch_that_is_refused_fails_its_run_in_words_tells_people_and_makes_no_snapshot(office: Office, api: PrefectApi) -> None:
    place, rows = office.world.settings.pipelines / SHOP, office.world.folder / "rows.csv"
    kept, known = rows.read_text(), DataRepo(office.world.settings).snapshots(SHOP)
    high = {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "y", "max_value": 50}, "meta": {"severity": "batch"}}
    (place / "suite.json").write_text(json.dumps({"name": SHOP, "expectations": [high]}))
    table(31 * 24).assign(y=1000.0).to_csv(rows, index=False)  # a day more, and every answer is wrong
    try:
        state = office.ended(api, office.run(api, "retrain", SHOP))
    finally:
        (place / "suite.json").unlink()
        rows.write_text(kept)
    assert state.kind == "FAILED"
    assert "rows of 'shop' was refused" in state.message
    (told,) = until(lambda: notices(office, "data-refused", SHOP), "people are told of the batch")
    assert told["subject"] == "shop: a batch of data was refused"
    assert "was refused: y" in told["body"]
    assert DataRepo(office.world.settings).snapshots(SHOP) == known


def notices(office: Office, kind: str, pipeline: str) -> list[dict[str, str]]:
    """Return what our flows said that people want to know; the server tells whom the settings name."""
    resource = {"id": [f"understudy.pipeline.{pipeline}"]}
    asked = {"filter": {"event": {"name": [f"understudy.notice.{kind}"]}, "resource": resource}}
    return [one["payload"] for one in ask_prefect("POST", f"{office.api_url}/events/filter", asked).raise_for_status().json()["events"]]


def send(page: Any, submit: Any, done: Callable[[], Any]) -> Any:
    """Press the button until what it does is there: a press while Prefect's page still draws the form is lost."""
    from playwright.sync_api import Error as PlaywrightError

    for _ in range(8):
        with suppress(PlaywrightError):  # the button is gone once the page has moved on
            submit.press("Enter", timeout=5_000)
        for _ in range(50):
            if found := done():
                return found
            page.wait_for_timeout(200)
    raise AssertionError(f"the form was not sent: {page.locator('body').inner_text()}")


def runs(office: Office, name: str) -> list[dict[str, Any]]:
    asked = {"deployments": {"name": {"any_": [name]}}, "flows": {"name": {"any_": ["retrain"]}}}
    found: list[dict[str, Any]] = ask_prefect("POST", f"{office.api_url}/flow_runs/filter", asked).json()
    return found
