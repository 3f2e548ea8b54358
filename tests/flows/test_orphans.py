"""A run whose worker died is called Crashed when everything comes up again, and the slot it held is free."""

from __future__ import annotations

from adapters.prefect_api import PrefectApi
from flows.missed import TAG
from flows.orphans import crash_orphans
from tests.prefect_server import ask_prefect


def deployment(url: str, tags: list[str]) -> str:
    flow = ask_prefect("POST", f"{url}/flows/", {"name": "orphaned"}).raise_for_status().json()["id"]
    body = {"name": f"one-{'-'.join(tags)}", "flow_id": flow, "tags": tags, "concurrency_limit": 1}
    body["concurrency_options"] = {"collision_strategy": "ENQUEUE"}  # type: ignore[assignment]  # JSON
    made: str = ask_prefect("POST", f"{url}/deployments/", body).raise_for_status().json()["id"]
    return made


def run_until(url: str, deployment_id: str, *states: str) -> str:
    made: str = ask_prefect("POST", f"{url}/deployments/{deployment_id}/create_flow_run", {}).raise_for_status().json()["id"]
    for state in states:
        ask_prefect("POST", f"{url}/flow_runs/{made}/set_state", {"state": {"type": state}}).raise_for_status()
    return made


def test_runs_under_way_are_crashed_and_their_slot_comes_free(prefect_server: str) -> None:
    ours, others = deployment(prefect_server, [TAG]), deployment(prefect_server, ["else"])
    lost = run_until(prefect_server, ours, "PENDING", "RUNNING")
    waits = run_until(prefect_server, ours, "PENDING")
    foreign = run_until(prefect_server, others, "PENDING", "RUNNING")
    with PrefectApi(prefect_server) as api:
        assert api.state(waits).kind == "SCHEDULED"  # the slot is taken
        assert lost in crash_orphans(api)
        assert (api.state(lost).kind, "gone" in api.state(lost).message) == ("CRASHED", True)
        assert api.state(waits).kind == "SCHEDULED"
        assert api.state(foreign).kind == "RUNNING"
        assert crash_orphans(api) == []
    run_until(prefect_server, ours, "PENDING", "RUNNING")
    taken = ask_prefect("POST", f"{prefect_server}/flow_runs/filter", {"deployments": {"id": {"any_": [ours]}}}).json()
    assert [one["state"]["type"] for one in taken].count("RUNNING") == 1
