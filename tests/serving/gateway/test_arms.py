"""Users are split as the route says, everywhere the same; what the exposed version cannot answer, the champion does."""

from __future__ import annotations

import math
import shutil
import signal
from collections import Counter

from contracts.traffic import AnsweredBatch, FailedBatch
from rollout.split import assign
from tests.serving.gateway.conftest import BREAKS
from tests.serving.gateway.test_survival import NOWHERE
from tests.serving.gateway.world import Gateway, World

UNITS = [f"user-{number}" for number in range(120)]
FOUR = {"a": [0.0, 1.0, 2.0, 3.0], "b": [1, 2, 3, 4], "kind": ["x", "y", "z", "x"]}


def whom(gateway: Gateway, pipeline: str) -> dict[str, str]:
    """Return which version answers each unit."""
    return {unit: gateway.infer(pipeline, parameters={"unit": unit}).json()["model_version"] for unit in UNITS}


def test_a_unit_meets_the_same_arm_at_every_gateway_and_after_a_kill_without_ledger(world: World) -> None:
    first, second = world.make("p", "1"), world.make("p", "2", shift=10.0)
    epoch = world.route("p", first, exposed=second, share=0.3)
    one, other = world.start(), world.start()
    wanted = {unit: "12"[assign(f"p/{epoch}", unit, (0.7, 0.3))] for unit in UNITS}
    assert 20 <= Counter(wanted.values())["2"] <= 52  # 36 are expected
    for gateway in (one, other):
        gateway.wait_until(lambda gateway=gateway: gateway.metric("understudy_route_share") == 1, "expose it")  # type: ignore[misc]  # a default binds it
        assert whom(gateway, "p") == wanted
    one.wait_until(lambda: '"salt"' in (world.settings.model_cache / "routes.json").read_text(), "keep the route")
    one.process.send_signal(signal.SIGKILL)
    one.process.wait(10)
    shutil.rmtree(world.home / "registry")
    alone = world.start(UNDERSTUDY_LEDGER_URL=NOWHERE)
    assert whom(alone, "p") == wanted
    batches = world.log("p").read(AnsweredBatch, "answers")
    assert {(one.version, one.arm, round(one.propensity, 9), one.epoch) for one in batches} == {
        ("1", "champion", 0.7, epoch),
        ("2", "candidate", 0.3, epoch),
    }


def test_rows_of_several_units_in_one_request_go_to_their_arms_and_come_back_in_order(gateway: Gateway, shared: World) -> None:
    first, second = shared.make("mixed", "1"), shared.make("mixed", "2", shift=100.0)
    epoch = shared.route("mixed", first, exposed=second)
    gateway.wait_until(lambda: gateway.metric('understudy_route_share{arm="candidate",pipeline="mixed"') == 0.5, "expose it")
    units = ["ann", "bob", "cem", "dag"]
    versions = ["12"[assign(f"mixed/{epoch}", unit, (0.5, 0.5))] for unit in units]
    assert set(versions) == {"1", "2"}
    answer = gateway.infer("mixed", FOUR, id="m", parameters={"unit": units}).json()
    assert answer["parameters"]["versions"] == versions
    assert answer["model_version"] == ",".join(dict.fromkeys(versions))
    predictions = answer["outputs"][0]["data"]
    assert [value > 50 for value in predictions] == [version == "2" for version in versions]
    logged = {}
    for batch in shared.log("mixed").read(AnsweredBatch, "answers"):
        if "m" in batch.request_ids:
            rows = zip(batch.rows, batch.units, batch.features["b"], batch.predictions, strict=True)
            logged |= {row: (batch.version, unit, b, value) for row, unit, b, value in rows}
    assert logged == {row: (versions[row], units[row], row + 1, predictions[row]) for row in range(4)}
    alone = gateway.infer("mixed", FOUR, id="whole").json()
    assert "parameters" not in alone  # without units a request is one unit
    status = {one["pipeline"]: one for one in gateway.client.get("/status").json()["pipelines"]}["mixed"]
    assert status["gateway"]["arms"][1] == {"name": "candidate", "version": "2", "share": 0.5}
    assert status["route"]["share"] == 0.5


def test_what_the_exposed_version_cannot_answer_the_champion_does_and_the_guardrail_counts_it(gateway: Gateway, shared: World) -> None:
    first, second = shared.make("falls", "1"), shared.make("falls", "2", shift=10.0, code=BREAKS)
    epoch = shared.route("falls", first, exposed=second)
    gateway.wait_until(lambda: gateway.metric('understudy_route_share{arm="candidate",pipeline="falls"') == 0.5, "expose it")
    unit = next(unit for unit in UNITS if assign(f"falls/{epoch}", unit, (0.5, 0.5)))
    devil = {"a": [666.0], "b": [1], "kind": ["x"]}
    fine, fell = gateway.infer("falls", parameters={"unit": unit}), gateway.infer("falls", devil, id="fell", parameters={"unit": unit})
    assert (fine.json()["model_version"], fell.status_code, fell.json()["model_version"]) == ("2", 200, "1")
    assert math.isfinite(fell.json()["outputs"][0]["data"][0])
    (failed,) = shared.log("falls").read(FailedBatch, "failures")
    assert (failed.version, failed.epoch, failed.request_ids) == ("2", epoch, ["fell"])
    assert "the devil is in it" in failed.error
    (logged,) = [batch for batch in shared.log("falls").read(AnsweredBatch, "answers") if "fell" in batch.request_ids]
    assert (logged.version, logged.arm, logged.propensity) == ("1", "candidate", 0.5)  # it stays in its arm
    assert gateway.metric('understudy_failovers_total{pipeline="falls",version="2"}') == 1
    assert gateway.metric('understudy_failed_requests_total{pipeline="falls"') == 0


def test_a_version_that_reads_other_columns_never_answers_for_the_champion(gateway: Gateway, shared: World) -> None:
    first, second = shared.make("other", "1"), shared.make("other", "2", task="binary", estimator="sklearn.tree.DecisionTreeClassifier")
    shared.route("other", first, exposed=second, share=0.9)
    gateway.wait_until(lambda: gateway.metric('understudy_route_share{arm="candidate",pipeline="other"') == 0.9, "expose it")
    answers = [gateway.infer("other", parameters={"unit": unit}) for unit in UNITS[:20]]
    assert {(one.status_code, one.json()["model_version"]) for one in answers} == {(200, "1")}
    assert gateway.metric('understudy_failovers_total{pipeline="other",version="2"}') > 0


def test_a_restarted_gateway_that_cannot_load_the_exposed_version_answers_everybody_by_the_champion(world: World) -> None:
    first, second = world.make("p", "1"), world.make("p", "2", shift=10.0)
    world.route("p", first, exposed=second)
    shutil.rmtree(world.home / "registry" / "p" / "2")
    one = world.start()
    one.wait_until(lambda: one.version("p") == "1", "answer")
    assert set(whom(one, "p").values()) == {"1"}
    assert {batch.epoch for batch in world.log("p").read(AnsweredBatch, "answers")} == {-1}  # counts for nothing


def test_rewards_by_name_are_taken(gateway: Gateway, shared: World) -> None:
    sent = [{"id": "r", "reward": {"click": 1, "revenue": 2.5}}, {"id": "r", "row": 1, "reward": 0.5}]
    assert gateway.client.post("/v2/models/linear/feedback", json={"feedback": sent}).status_code == 202
    assert gateway.client.post("/v2/models/linear/feedback", json={"feedback": [{"id": "r", "reward": {"click": "x"}}]}).status_code == 400
