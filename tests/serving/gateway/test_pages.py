"""What people and Prometheus look at: it parses, it is bounded, and it shows who serves."""

from __future__ import annotations

import math
import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate
from prometheus_client.parser import text_string_to_metric_families

from contracts.confidence import ConfidenceSteps
from contracts.events import Alert, Finding, Severity
from contracts.rollout import Measured, ShadowView
from contracts.verdict import Outcome, Verdict
from tests.serving.gateway.world import NOW, Gateway, World


def test_metrics_parse_and_count_what_was_asked_by_pipeline_and_version(gateway: Gateway) -> None:
    before = gateway.metric('understudy_requests_total{code="200",pipeline="clicks",version="1"}')
    for _ in range(3):
        gateway.infer("clicks", {"a": [0.5, 1.0], "b": [3, 4], "kind": ["x", "y"]})
    gateway.infer("nobody")
    families = {one.name: one for one in text_string_to_metric_families(gateway.client.get("/metrics").text)}
    assert gateway.metric('understudy_requests_total{code="200",pipeline="clicks",version="1"}') - before == 3
    assert gateway.metric('understudy_rows_total{pipeline="clicks",version="1"}') >= 6
    assert {tuple(sorted(one.labels.items())) for one in families["understudy_route_info"].samples} >= {
        (("champion", "1"), ("pipeline", "clicks"), ("shadow", ""))
    }
    assert families["understudy_request_duration_seconds"].type == "histogram"
    assert families["understudy_queue_rows"].type == "gauge"
    labels = [sample.labels.get("pipeline") for family in families.values() for sample in family.samples]
    assert "nobody" not in labels  # a caller's words are no labels


def test_the_openapi_description_is_valid_and_every_path_in_it_is_there(gateway: Gateway) -> None:
    spec = gateway.client.get("/openapi.json").json()
    validate(spec)
    for path, verbs in spec["paths"].items():
        for verb, about in verbs.items():
            answer = gateway.client.request(verb, path.replace("{model}", "demand"), content=b"{}" if verb == "post" else None)
            assert str(answer.status_code) in about["responses"], (verb, path, answer.text)
            assert answer.headers["content-type"].split(";")[0] in about["responses"][str(answer.status_code)]["content"]


def test_the_pages_load_nothing_from_anywhere_else(gateway: Gateway) -> None:
    for path in ("/", "/docs"):
        answer = gateway.client.get(path)
        assert answer.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "https://" not in answer.text
        assert "http://" not in answer.text.replace("http://www.w3.org/2000/svg", "")


STEPS = ConfidenceSteps("42", 0.5, [2, 4, 6, 9], [0.0, 0.5, 0.25, 0.25], [-math.inf, -2.0, -0.6, -0.4], [math.inf, 2.0, 0.9, 0.6])


@pytest.fixture
def shown(gateway: Gateway, shared: World) -> str:
    """Return a pipeline of which there is everything to see."""
    champion, candidate = shared.make("shown", "41"), shared.make("shown", "42", shift=1.0)
    epoch = shared.route("shown", champion, candidate)
    gateway.wait_until(lambda: gateway.version("shown") == "41", "serve it")
    verdict = Verdict("paired absolute_error", Outcome.INCONCLUSIVE, 0.25, 0.0, 9, "better so far, <b>not yet</b> sure", -0.1, 0.6)
    shared.ledger.report_evidence("shown", Measured(epoch, NOW, (verdict,), steps=STEPS))
    shared.ledger.report_shadow("shown", ShadowView("42", epoch, 17, 2.5, 100, datetime.now(UTC), None, 12.5, 600_000_000))
    finding = Finding("data_drift", "temperature", Severity.WARN, 0.3, 0.1, 0.001, 500, "temperature has moved")
    shared.ledger.add_findings("shown", (finding,), "run", NOW)
    return "shown"


def test_the_status_joins_what_the_ledger_knows_with_what_this_gateway_serves(gateway: Gateway, shown: str) -> None:
    gateway.wait_until(lambda: shown in [one["pipeline"] for one in gateway.client.get("/status").json()["pipelines"]], "tell of it")
    status = gateway.client.get("/status").json()
    (one,) = [one for one in status["pipelines"] if one["pipeline"] == shown]
    assert (one["champion"]["version"], one["gateway"]["version"], one["gateway"]["shadow"]) == ("41", "41", "42")
    assert one["gateway"]["latency_ms"]["p50"] > 0
    assert one["evidence"][0]["outcome"] == "INCONCLUSIVE"
    assert one["confidence"]["lower"] == [None, -2.0, -0.6, -0.4]
    assert one["findings"][0]["subject"] == "temperature"
    assert one["decisions"][0]["reason"] == "epoch 1"
    assert status["ledger"]["up"] is True


def test_what_monitor_shadow_and_rollout_said_to_the_ledger_is_in_the_metrics(gateway: Gateway, shared: World, shown: str) -> None:
    asked = Alert("shown-1", "shown", Severity.RETRAIN, "temperature has moved", NOW)
    for alert in (asked, replace(asked, id="shown-2", severity=Severity.WARN), replace(asked, id="shown-3", flow_run="r1")):
        shared.ledger.open_alert(alert)

    def series() -> dict[str, float]:
        families = text_string_to_metric_families(gateway.client.get("/metrics").text)
        samples = [sample for family in families for sample in family.samples if sample.labels.get("pipeline") == shown]
        return {" ".join([one.name, *(v for k, v in sorted(one.labels.items()) if k != "pipeline")]): one.value for one in samples}

    gateway.wait_until(lambda: series().get("understudy_alerts retrain") == 2, "tell of the alerts")
    now = series()
    expected = {
        "understudy_alerts info": 0,
        "understudy_alerts warn": 1,
        "understudy_alerts_unanswered": 1,
        "understudy_drift_effect data_drift temperature": 0.3,
        "understudy_drift_limit data_drift temperature": 0.1,
        "understudy_shadow_lag_seconds": 2.5,
        "understudy_shadow_lag_rows": 17,
        "understudy_shadow_cpu_seconds_total": 12.5,
        "understudy_shadow_memory_bytes": 600_000_000,
        "understudy_findings data_drift warn": 1,
        "understudy_findings data_drift retrain": 0,
        "understudy_rollout_info  idle": 1,
        "understudy_evidence lower paired absolute_error": -0.1,
        "understudy_evidence limit paired absolute_error": 0,
    }
    assert {name: now.get(name) for name in expected} == expected
    assert abs(now["understudy_shadow_seen_timestamp_seconds"] - time.time()) < 60
    for alert in ("shown-1", "shown-2", "shown-3"):
        shared.ledger.resolve_alert(alert)
    gateway.wait_until(lambda: series()["understudy_alerts retrain"] == series()["understudy_alerts_unanswered"] == 0, "close them")


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (360, "dark")])
def test_the_page_shows_who_serves_who_rehearses_and_on_what_evidence(
    browser: Any, gateway: Gateway, shown: str, width: int, scheme: str
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(gateway.url)
    card = page.locator(f"[data-pipeline={shown}]")
    card.wait_for(timeout=10_000)
    text = card.inner_text()
    for words in ("version 41", "version 42", "17 rows", "paired absolute_error", "temperature has moved", "epoch 1", "<b>not yet</b>"):
        assert words in text, words
    assert re.search(r"answers here since \w+ \d+, \d{4}", text)
    assert re.search(r"Latency here\s+[\d.]+ ms\s+p99 [\d.]+ ms", text)
    colours = page.evaluate("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
    paper, ink = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in colours)
    assert (paper < 200 < 500 < ink) if scheme == "dark" else (ink < 200 < 500 < paper), colours
    drawn = card.locator("svg.sequence")
    assert "PASS" in str(drawn.get_attribute("class")), "the band has left the margin behind"
    assert "between -0.4 and 0.6 after 9 blocks of paired requests; margin -0.5" in str(drawn.get_attribute("aria-label"))
    # 4 × the greatest mean or margin is the edge: 2.0; 75 is 0, 70 up and down are the edges; without a bound it goes to the edge
    assert drawn.locator("polyline").get_attribute("points") == "0.0,75.0 171.4,57.5 342.9,66.3 600.0,66.3"
    assert drawn.locator("polygon").get_attribute("points") == (
        "0.0,145.0 171.4,145.0 342.9,96.0 600.0,89.0 600.0,54.0 342.9,43.5 171.4,5.0 0.0,5.0"
    )
    assert float(str(drawn.locator("line.margin").get_attribute("y1"))) == 92.5
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # nothing sticks out, on a phone either
    page.close()
    assert wrong == []


def test_the_page_refreshes_itself(browser: Any, gateway: Gateway, shared: World) -> None:
    first, second = shared.make("moving", "1"), shared.make("moving", "2", shift=1.0)
    shared.route("moving", first, second)
    gateway.wait_until(lambda: gateway.version("moving") == "1", "serve version 1")
    page = browser.new_page()
    page.goto(gateway.url)
    champion = page.locator("[data-pipeline=moving] .champion dd")
    champion.filter(has_text="version 1").wait_for(timeout=10_000)
    shared.route("moving", second, first)
    champion.filter(has_text="version 2").wait_for(timeout=10_000)
    page.close()


def test_the_interface_page_lists_every_path(browser: Any, gateway: Gateway) -> None:
    page = browser.new_page()
    page.goto(f"{gateway.url}/docs")
    page.locator("details").first.wait_for(timeout=10_000)
    paths = httpx.get(f"{gateway.url}/openapi.json", trust_env=False).json()["paths"]
    assert page.locator("details").count() == len(paths)
    assert "/v2/models/{model}/infer" in page.locator("main").inner_text()
    page.close()
