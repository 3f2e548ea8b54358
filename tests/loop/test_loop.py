"""The whole loop with every real part, on a short stretch: what a stranger sees in the demonstration, and what Prefect's users see."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.ledger import Ledger
from adapters.pipeline_files import load_pipeline
from adapters.settings import Settings, read_settings
from adapters.sources import read_new_rows
from adapters.traffic_frames import answers as answered
from adapters.traffic_log import TrafficLog
from contracts.errors import UsageError
from tests.prefect_server import ask_prefect
from tests.processes import working_for
from understudy import runs
from understudy.demo.play import play
from understudy.demo.script import Script, profit
from understudy.replay import infer_request
from understudy.services.detached import addresses, stop
from understudy.services.supervisor import answers

pytestmark = [pytest.mark.loop, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[2]
CLICKS = Script(
    "ad_clicks",
    datetime(2026, 1, 22, tzinfo=UTC),
    datetime(2026, 1, 30, tzinfo=UTC),
    timedelta(hours=12),
    40,
    "log loss per impression",
    "6h",
    profit,
)


def pipelines(folder: Path) -> Path:
    """Copy the real pipeline; its world shifts earlier, so that a short stretch shows it all."""
    shutil.copytree(ROOT / "pipelines" / "ad_clicks", folder / "ad_clicks")
    file = folder / "ad_clicks" / "pipeline.yaml"
    text = file.read_text()
    assert 'shift_at: "2026-02-02"' in text
    file.write_text(text.replace('shift_at: "2026-02-02"', 'shift_at: "2026-01-24"').replace("0 3 * * 0", "0 3 28 * *"))
    return folder


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, prefect_database: Path, mlflow_database: Path) -> Iterator[Settings]:
    """Play the demonstration, leave everything up for the tests of this file, then stop it and look that nothing is left."""
    place = tmp_path_factory.mktemp("house")
    settings = read_settings(place / "home", pipelines(place / "pipelines"))
    (settings.home / "templates").mkdir(parents=True)  # as a demonstration before would have left it
    for database in (prefect_database, mlflow_database):
        shutil.copy(database, settings.home / "templates")
    try:
        play(settings, None, keep=True, script=CLICKS)
        yield read_settings(settings.home, settings.pipelines)
    finally:
        stop(settings)
    assert working_for(settings.home) == []


@pytest.fixture(scope="module")
def report(house: Settings) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((house.home / "report.json").read_text())
    return content


def decided(report: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(one["act"], one["version"]) for one in reversed(report["decisions"])]


def test_the_first_version_becomes_champion_on_its_absolute_gates(report: dict[str, Any]) -> None:
    assert decided(report)[0] == ("bootstrap", "1")
    assert "only its absolute offline gates" in report["decisions"][-1]["reason"]


def test_a_shift_of_the_world_leads_over_alert_and_webhook_to_a_retrain_whose_cause_is_recorded(
    report: dict[str, Any], house: Settings
) -> None:
    ledger = Ledger(house.ledger_url)
    causes = {one.model.version: (one.cause, one.actor) for one in ledger.submissions("ad_clicks", waiting=False)}
    alerts = ledger.alerts("ad_clicks", only_open=False)
    ledger.close()
    drift = [version for version, (cause, _) in causes.items() if cause == "drift"]
    assert drift
    assert "webhook" in causes[drift[0]][1] or "monitor" in causes[drift[0]][1]
    assert any(one.severity.value == "retrain" for one in alerts)
    assert ("promote", drift[0]) in decided(report)


def test_what_was_served_is_better_than_fitted_once_and_no_request_failed(report: dict[str, Any]) -> None:
    assert report["failed_requests"] == 0
    assert report["requests"] > 400
    assert report["served_error"] < 0.95 * report["fitted_once_error"]


def test_a_damaged_candidate_is_refused_by_gates_and_by_the_shadow_and_never_answers_a_user(
    report: dict[str, Any], house: Settings
) -> None:
    title = next(name for name in report["gates"] if "damaged" in name)
    damaged = title.split()[1]
    assert any(one["outcome"] == 3 for one in report["gates"][title])
    assert ("abort", damaged) in decided(report)
    assert damaged not in set(answered(TrafficLog(house.traffic / "ad_clicks"))["version"])


def test_a_roll_back_reaches_users_in_milliseconds(report: dict[str, Any]) -> None:
    assert decided(report)[-2][0] == "rollback" or decided(report)[-1][0] == "rollback"
    assert report["rollback_ms"] < 2000


def test_the_registry_says_the_same_champion_as_the_ledger_and_mlflow_can_load_it(house: Settings) -> None:
    ledger = Ledger(house.ledger_url)
    champion = ledger.state("ad_clicks").champion
    ledger.close()
    assert champion is not None
    where = f"{addresses(house)['mlflow']}/api/2.0/mlflow/registered-models/alias"
    alias = httpx.get(where, params={"name": "ad_clicks", "alias": "champion"}).json()["model_version"]
    assert alias["version"] == champion.version
    tags = {one["key"]: one["value"] for one in alias["tags"]}
    assert tags["artefact_digest"] == champion.digest
    assert {"snapshot", "data_digest", "spec_digest", "git_commit", "git_tree", "environment_digest"} <= set(tags)


def test_status_says_who_serves_and_on_what_decisions(house: Settings, report: dict[str, Any]) -> None:
    command = [
        sys.executable,
        "-m",
        "understudy",
        "--home",
        str(house.home),
        "--pipelines",
        str(house.pipelines),
        "--json",
        "status",
        "ad_clicks",
    ]
    document = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    promised = {"pipeline", "champion", "previous", "candidate", "phase", "stage", "epoch", "route", "evidence", "shadow", "decisions"}
    assert promised <= set(document)
    assert document["champion"]["version"] == next(version for act, version in reversed(decided(report)) if act == "rollback")
    assert {"id", "at", "action", "reason", "actor", "version"} <= set(document["decisions"][0])


def test_the_report_shows_pictures_and_links_and_loads_nothing_from_outside(house: Settings, report: dict[str, Any]) -> None:
    page = (house.home / "report.html").read_text()
    assert page.count("<svg") >= 4
    assert report["links"]["Prefect"] in page
    assert report["links"]["MLflow"] in page
    assert "<script" not in page
    assert 'src="http' not in page


def test_the_form_refuses_a_wrong_value_with_a_sentence(house: Settings) -> None:
    with runs.open_prefect(house) as prefect, pytest.raises(UsageError, match="reason"):
        runs.start(prefect, "retrain", "ad_clicks", {"reason": "x"})
    with runs.open_prefect(house) as prefect, pytest.raises(UsageError, match="cause"):
        runs.start(prefect, "retrain", "ad_clicks", {"cause": "boredom"})


def test_every_field_of_the_form_is_explained(house: Settings) -> None:
    found = ask_prefect("GET", f"{house.prefect_api_url}/deployments/name/retrain/ad_clicks", auth=house.prefect_auth).json()
    fields = found["parameter_openapi_schema"]["properties"]
    assert {"pipeline", "reason", "cause", "actor", "snapshot", "until", "force"} <= set(fields)
    assert all(one.get("description") or one.get("allOf") or "$ref" in str(one) for one in fields.values())
    assert found["concurrency_limit"] == 1 or found["global_concurrency_limit"]["limit"] == 1
    assert {"understudy", "ad_clicks", "retrain"} <= set(found["tags"])
    assert [one["schedule"]["cron"] for one in found["schedules"]] == ["0 3 28 * *"]


def test_a_second_retrain_waits_for_the_first_and_an_overlapping_tick_is_dropped(house: Settings) -> None:
    with runs.open_prefect(house) as prefect:
        first, second = (runs.start(prefect, "retrain", "ad_clicks", {"reason": f"number {n}", "force": True}) for n in (1, 2))
        ticks = [runs.start(prefect, "rollout", "ad_clicks") for _ in range(3)]
        ends = [runs.wait(prefect, one, 300) for one in (first, second)]
        dropped = [runs.wait(prefect, one, 120).kind for one in ticks]
    assert [one.kind for one in ends] == ["COMPLETED", "COMPLETED"]
    times = [ask_prefect("GET", f"{house.prefect_api_url}/flow_runs/{one.id}", auth=house.prefect_auth).json() for one in (first, second)]
    assert min(one["end_time"] for one in times) <= max(one["start_time"] for one in times)
    assert dropped.count("COMPLETED") >= 1
    assert "CANCELLED" in dropped
    assert set(dropped) <= {"COMPLETED", "CANCELLED"}


def test_the_page_of_a_run_has_its_checks_gates_and_links_as_artifacts(house: Settings) -> None:
    found = ask_prefect("POST", f"{house.prefect_api_url}/artifacts/latest/filter", {}, auth=house.prefect_auth).json()
    keys = {one["key"] for one in found}
    assert {
        "ad-clicks-gates",
        "ad-clicks-checks",
        "ad-clicks-rollout",
        "ad-clicks-drift",
        "ad-clicks-version",
        "ad-clicks-data-docs",
    } <= keys


def test_what_the_monitors_saw_is_beside_the_version_that_answered_with_pictures(house: Settings) -> None:
    with_reports = []
    for version in range(1, 4):
        where = f"{addresses(house)['mlflow']}/api/2.0/mlflow"
        run = httpx.get(f"{where}/model-versions/get", params={"name": "ad_clicks", "version": version}).json()["model_version"]["run_id"]
        places = httpx.get(f"{where}/artifacts/list", params={"run_id": run, "path": "monitor"}).json().get("files", [])
        for place in places[:1]:
            files = httpx.get(f"{where}/artifacts/list", params={"run_id": run, "path": place["path"]}).json()["files"]
            with_reports.append({Path(one["path"]).name for one in files})
    assert with_reports
    assert all({"findings.json", "index.html", "effects.svg", "columns.svg"} <= files for files in with_reports)


def test_the_alert_that_was_raised_is_closed_once_a_new_champion_has_learned_it(house: Settings, report: dict[str, Any]) -> None:
    ledger = Ledger(house.ledger_url)
    raised = [one for one in ledger.alerts("ad_clicks", only_open=False) if one.severity.value == "retrain"]
    promoted = {one.version: one for one in ledger.decisions("ad_clicks", limit=1000) if one.act.value == "promote"}
    ledger.close()
    learned = min(one.clock for one in promoted.values() if one.clock is not None)
    answered = [one for one in raised if one.started_at <= learned][-1]  # one before it was closed because its run did not help
    assert answered.flow_run is not None
    assert answered.resolved_at is not None
    assert answered.resolved_at >= learned


def test_deploying_again_changes_nothing_and_plain_prefect_deploy_gives_the_same(house: Settings) -> None:
    command = [sys.executable, "-m", "understudy", "--home", str(house.home), "--pipelines", str(house.pipelines), "--json", "deploy"]
    once, twice = (json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(2))
    assert once == twice
    assert set(once) == {"retrain/ad_clicks", "rollout/ad_clicks", "monitor/ad_clicks", "approval/ad_clicks"}


def test_a_file_is_replayed_at_its_own_pace_and_its_labels_come_after_it(house: Settings, tmp_path: Path) -> None:
    rows = read_new_rows(load_pipeline(house, "ad_clicks").spec, CLICKS.until, CLICKS.until + timedelta(hours=1))
    file = tmp_path / "rows.parquet"
    rows.drop(columns="event_time").to_parquet(file)
    where = ["--home", str(house.home), "--pipelines", str(house.pipelines), "--json"]
    asked = ["replay", "ad_clicks", str(file), "--rows-per-request", "10", "--speed", "1800", "--feedback-delay", "30m"]
    done = subprocess.run([sys.executable, "-m", "understudy", *where, *asked], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert (found["rows"], found["failed"], found["feedback"]) == (len(rows), 0, len(rows))
    assert 2.0 < found["seconds"] < 20.0  # an hour and a half of the rows' clock, 1,800 times faster: 3 s


def test_users_are_answered_while_prefect_and_mlflow_are_down_and_both_come_back(house: Settings) -> None:
    spec = load_pipeline(house, "ad_clicks").spec
    row = read_new_rows(spec, None, CLICKS.history_until).tail(1)
    pids = json.loads(house.services_file.read_text())["pids"]
    for name in ("prefect", "mlflow"):
        os.kill(pids[name], signal.SIGKILL)
    codes, ends = set(), time.monotonic() + 3
    while time.monotonic() < ends:
        body = infer_request(spec, row, f"down-{time.monotonic_ns()}")
        codes.add(httpx.post(f"{house.gateway_url}/v2/models/ad_clicks/infer", json=body).status_code)
    assert codes == {200}
    ends = time.monotonic() + 90
    while not (answers(f"{house.prefect_api_url}/health") and answers(f"{addresses(house)['mlflow']}/health")):
        assert time.monotonic() < ends, "a killed server was not started again"
        time.sleep(0.5)
