"""The whole way by Debian's Prometheus and Alertmanager: live traffic shifts, and in the end another version answers and nothing fires.

The monitor has no receiver here, as where somebody wants Prometheus to be the only way: its alert stays unanswered until the rule fires.
Every part is a process of its own; of the shipped files only addresses, secrets and waiting times are changed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.ledger import Ledger
from adapters.pipeline_files import load_pipeline
from adapters.settings import Settings, read_settings
from contracts.events import Severity
from contracts.rollout import Act
from flows.stages.monitor import monitor
from tests.infra.test_files import queries
from tests.infra.watched import Watch, programs, until, watched
from tests.loop.test_loop import pipelines
from understudy import runs
from understudy.demo import acts
from understudy.demo.script import Script
from understudy.demo.story import Story
from understudy.demo.theatre import Theatre
from understudy.services.detached import addresses, start_detached, stop

pytestmark = [pytest.mark.loop, pytest.mark.slow, pytest.mark.timeout(900)]
NAME = "ad_clicks"
BEGAN, SHIFTED, LAST = (datetime(2026, 1, day, tzinfo=UTC) for day in (22, 24, 29))
STEP = timedelta(hours=12)
STORY = Script(NAME, BEGAN, LAST, STEP, 60, "log loss per impression", "6h")


@dataclass
class House:
    """Everything that runs, and when each hop was seen."""

    settings: Settings
    stage: Theatre
    watch: Watch
    hops: dict[str, float]

    def look(self) -> Any:
        """Run the monitor's stage as the flow does, but without a receiver."""
        alone = replace(self.settings, webhook_url=None)
        return monitor(alone, self.stage.pipeline, self.stage.ledger, f"look-{self.stage.now:%d-%H}")

    def hop(self, name: str, true: Callable[[], Any]) -> Any:
        """Wait for a hop, and keep when it was seen."""
        found = until(true, name)
        self.hops[name] = time.time()
        return found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Start everything, with a first champion, and Prometheus and Alertmanager beside it."""
    programs()
    place = tmp_path_factory.mktemp("watched")
    settings = read_settings(place / "home", shadow_only(pipelines(place / "pipelines")))
    try:
        start_detached(settings, tied=True)
        settings = read_settings(settings.home, settings.pipelines)
        ledger, story = Ledger(settings.ledger_url), Story(NAME)
        story.links |= {"Prefect": addresses(settings)["prefect"]}
        with runs.open_prefect(settings) as prefect:
            stage = Theatre(settings, load_pipeline(settings, NAME), STORY, story, ledger, prefect, BEGAN)
            acts.first_champion(stage)
            (place / "scrape.token").write_text("nobody asks for one on loopback")
            secrets = place / "scrape.token", settings.home / "webhook.secret"
            with watched(place, str(settings.gateway_url), addresses(settings)["webhook"], *secrets) as watch:
                yield House(settings, stage, watch, {})
        ledger.close()
    finally:
        stop(settings)


def shadow_only(folder: Path) -> Path:
    """Cut the stages after the shadow: what users decide takes days of the replay, and is tested elsewhere."""
    file = folder / NAME / "pipeline.yaml"
    lines = file.read_text().splitlines(keepends=True)
    kept = [line for line in lines if "{kind: ab" not in line and "{kind: bandit" not in line]
    assert len(lines) - len(kept) == 2
    file.write_text("".join(kept))
    return folder


def shift(house: House) -> str:
    """Replay traffic over the shift until the monitor asks for a retrain; return the alert's id."""
    stage = house.stage
    while stage.now < LAST:
        stage.replay(stage.now + STEP)
        if stage.now < SHIFTED + 3 * STEP:  # before, a fit would know too little of the new world to pass its gates
            continue
        house.hops["live traffic has shifted, its labels are in"] = time.time()
        seen = house.look()
        if seen.alert is not None and seen.alert.severity is Severity.RETRAIN:
            house.hops["the monitor's alert is in the ledger"] = time.time()
            assert (seen.notified, seen.flow_run) == (False, None)
            return str(seen.alert.id)
    raise AssertionError(f"no alert until {LAST}")


def promoted(stage: Theatre) -> str | None:
    """Let more traffic come, and ticks decide, until another version than the first answers."""
    acts.rollout(stage)
    while stage.state.champion is not None and stage.state.champion.version == "1" and stage.now < LAST:
        stage.replay(stage.now + STEP)
        acts.rollout(stage)
    return stage.state.champion.version if stage.state.champion else None


def test_traffic_that_shifts_leads_by_prometheus_and_alertmanager_to_another_champion_and_the_alert_resolves(
    house: House, tmp_path: Path
) -> None:
    stage, ledger = house.stage, house.stage.ledger
    alert = shift(house)
    asked, retrained = f'{{pipeline="{NAME}"}}', f'{{pipeline="{NAME}", severity="retrain"}}'
    house.hop("the metric is in Prometheus", lambda: house.watch.metric(f"understudy_alerts_unanswered{asked}") == 1)
    house.hop("the rule fires (2 s of it `for`)", lambda: house.watch.fires(NAME))
    house.hop("Alertmanager has it", house.watch.told)
    called = house.hop("the webhook has started a run", lambda: ledger.newest_run(NAME, "drift"))
    stage.finish("retrain", stage.run_by_id(called[1]))
    (candidate,) = [one for one in ledger.submissions(NAME, waiting=False) if one.cause == "drift"]
    house.hops["the run has registered a candidate"] = time.time()
    assert candidate.actor == "alertmanager"
    assert "UnderstudyRetrain: the monitor of ad_clicks asks for a retrain; error_drift of log_loss" in candidate.reason
    until(lambda: not house.watch.fires(NAME), "the rule fires no more once a run stands for the alert")
    assert house.watch.metric(f"understudy_alerts{retrained}") == 1, "the monitor's alert is open until its reason is gone"

    assert promoted(stage) == candidate.model.version
    house.hops["the candidate is champion"] = time.time()
    assert [one.version for one in ledger.decisions(NAME, limit=100) if one.act is Act.PROMOTE] == [candidate.model.version]
    stage.replay(stage.now + timedelta(hours=4))
    after = house.look()
    assert not [one.reason for one in after.findings if one.severity is Severity.RETRAIN], "the new champion has learned it"
    house.hops["the monitor has closed its alert"] = time.time()
    house.hop("Prometheus knows that it is closed", lambda: house.watch.metric(f"understudy_alerts{retrained}") == 0)
    house.hop("nothing is active at Alertmanager", lambda: not house.watch.told())
    closed = {one.id: one for one in ledger.alerts(NAME, only_open=False)}[alert]
    assert closed.resolved_at is not None
    assert closed.flow_run == called[1]
    assert len([one for one in ledger.submissions(NAME, waiting=False) if one.cause == "drift"]) == 1, "one run for one cause"

    times = list(house.hops.values())
    assert times == sorted(times)
    (tmp_path / "hops.json").write_text(json.dumps({name: round(at - times[0], 2) for name, at in house.hops.items()}, indent=1))
    for (name, at), before in zip(house.hops.items(), [times[0], *times], strict=False):
        print(f"{at - times[0]:7.2f} s  +{at - before:6.2f}  {name}")


def test_every_expression_of_dashboard_and_rules_is_one_prometheus_can_answer(house: House) -> None:
    for query in queries():
        if "label_values" in query:
            continue
        text = query.replace("$__rate_interval", "1m").replace("$pipeline", NAME)
        answer = httpx.get(f"{house.watch.prometheus}/api/v1/query", params={"query": text}).json()
        assert answer["status"] == "success", (text, answer)
