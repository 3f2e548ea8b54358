"""The route is followed under load: no request fails, none is answered by another version than it says, nothing unapproved is loaded."""

from __future__ import annotations

import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from contracts.traffic import AnsweredBatch
from tests.serving.gateway.world import Gateway, Load, World, tensors

DOUBLED = "def build(frame):\n    return frame.assign(b=frame['b'] * 2)\n"
SWAPS = 40


def test_forty_swaps_under_load_fail_no_request_and_no_answer_is_of_another_version_than_it_says(gateway: Gateway, shared: World) -> None:
    made = [shared.make("swapped", "1"), shared.make("swapped", "2", shift=100.0)]
    versions = {shared.route("swapped", made[0], made[1]): "1"}
    gateway.wait_until(lambda: gateway.version("swapped") == "1", "serve version 1")
    times = []
    with Load(gateway.port, "swapped") as load:
        for swap in range(1, SWAPS + 1):
            champion, other = made[swap % 2], made[(swap + 1) % 2]
            started = time.perf_counter()
            versions[shared.route("swapped", champion, other)] = champion.model.version
            gateway.wait_until(lambda wanted=champion.model.version: gateway.version("swapped") == wanted, "swap")  # type: ignore[misc]  # a default binds it
            times.append(time.perf_counter() - started)
    assert len(load.answers) > SWAPS
    assert {one.status for one in load.answers} == {200}
    truth = {one.model.version: one.answer for one in made}
    assert [one for one in load.answers if one.prediction != truth[one.version]] == []
    batches = shared.log("swapped").read(AnsweredBatch, "answers")
    assert all(versions[batch.epoch] == batch.version for batch in batches)
    logged = {request: batch.version for batch in batches for request in batch.request_ids}
    assert all(logged[one.id] == one.version for one in load.answers)
    assert sorted(times)[len(times) // 2] < 1.0, times


def test_the_gateway_tells_the_ledger_what_it_serves_at_once_and_keeps_saying_so(gateway: Gateway, shared: World) -> None:
    epoch = shared.route("told", shared.make("told", "1"))
    gateway.wait_until(lambda: gateway.version("told") == "1", "serve it")

    def seen() -> list[tuple[int, str | None]]:
        return [(one.epoch, one.champion) for one in shared.ledger.gateways("told", datetime.now(UTC) - timedelta(seconds=1))]

    gateway.wait_until(lambda: seen() == [(epoch, "1")], "report")
    time.sleep(1.5)
    gateway.wait_until(lambda: seen() == [(epoch, "1")], "report again")


def test_a_champion_that_reads_other_columns_takes_over_under_load(gateway: Gateway, shared: World) -> None:
    first, second = shared.make("recoded", "1"), shared.make("recoded", "2", shift=50.0, code=DOUBLED)
    shared.route("recoded", first, second)
    gateway.wait_until(lambda: gateway.version("recoded") == "1", "serve version 1")
    with Load(gateway.port, "recoded") as load:
        shared.route("recoded", second, first)
        gateway.wait_until(lambda: gateway.version("recoded") == "2", "serve version 2")
    truth = {"1": first.answer, "2": second.answer}
    assert {one.status for one in load.answers} == {200}
    assert [one for one in load.answers if one.prediction != truth[one.version]] == []


def test_a_tampered_package_is_refused_and_the_champion_goes_on(gateway: Gateway, shared: World) -> None:
    good, bad = shared.make("guarded", "1"), shared.make("guarded", "2", shift=9.0)
    shared.route("guarded", good)
    gateway.wait_until(lambda: gateway.version("guarded") == "1", "serve version 1")
    model = Path(bad.model.uri.removeprefix("file://")) / "model.skops"
    model.write_bytes(model.read_bytes() + b"\0")
    shared.route("guarded", bad, good)
    gateway.wait_until(lambda: gateway.metric('understudy_model_load_failures_total{pipeline="guarded",reason="digest"}') > 0, "refuse it")
    answers = [gateway.infer("guarded") for _ in range(10)]
    assert {(one.status_code, one.json()["model_version"]) for one in answers} == {(200, "1")}
    assert gateway.client.get("/v2/health/ready").status_code == 200
    (view,) = shared.ledger.gateways("guarded", datetime.now(UTC) - timedelta(seconds=10))
    assert (view.epoch, view.champion) == (1, "1")
    status = {one["pipeline"]: one for one in gateway.client.get("/status").json()["pipelines"]}
    assert status["guarded"]["gateway"]["refused"]["version"] == "2"
    assert "not the approved" in status["guarded"]["gateway"]["refused"]["error"]
    assert '"reason": "digest"' in gateway.said()


def test_a_version_that_came_back_in_order_is_loaded_without_a_restart(gateway: Gateway, shared: World) -> None:
    first, second = shared.make("mended", "1"), shared.make("mended", "2", shift=1.0)
    folder = Path(second.model.uri.removeprefix("file://"))
    shutil.move(folder, folder.with_name("away"))
    shared.route("mended", first)
    gateway.wait_until(lambda: gateway.version("mended") == "1", "serve version 1")
    shared.route("mended", second)
    gateway.wait_until(
        lambda: gateway.metric('understudy_model_load_failures_total{pipeline="mended",reason="unreachable"}') > 0, "fail to load it"
    )
    shutil.move(folder.with_name("away"), folder)
    gateway.wait_until(lambda: gateway.version("mended") == "2", "load it in the end")


def test_a_pipeline_whose_champion_is_not_there_yet_is_503_and_unready(world: World) -> None:
    made = world.make("late", "1")
    folder = Path(made.model.uri.removeprefix("file://"))
    shutil.move(folder, folder.with_name("away"))
    one = world.start()
    assert one.client.get("/ping").status_code == 503
    assert one.client.post("/invocations", json={"instances": [[0.5, 3, "x"]]}).status_code == 503
    world.route("late", made)
    one.wait_until(lambda: one.client.get("/v2/health/ready").status_code == 503, "become unready")
    answer = one.client.post("/v2/models/late/infer", json={"inputs": tensors()})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["error"] == "The champion of 'late' is not loaded yet. Try again in a moment."
    shutil.move(folder.with_name("away"), folder)
    one.wait_until(lambda: one.version("late") == "1", "serve it")
    assert one.client.get("/v2/health/ready").status_code == 200
    assert one.client.post("/invocations", json={"instances": [[0.5, 3, "x"]]}).json() == {"predictions": [made.answer]}
