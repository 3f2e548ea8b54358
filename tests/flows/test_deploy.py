"""Deployments: `understudy deploy` and plain `prefect deploy` make the same, again and again, and what is gone goes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import prefect
import pytest
import yaml
from prefect.utilities.templating import apply_values

from contracts.queues import QUEUES
from tests.prefect_server import ask_prefect, running_prefect
from tests.servers import free_port

ROOT = Path(__file__).parents[2]
COMPARED = ("name", "description", "tags", "parameters", "parameter_openapi_schema", "enforce_parameter_schema", "work_queue_name")
NAMES = {f"{flow}/{pipeline}" for flow in ("retrain", "rollout", "monitor", "approval") for pipeline in ("ad_clicks", "bike_demand")}

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def place(tmp_path: Path, prefect_server: str) -> dict[str, str]:
    """Return the environment of a user with pipelines of their own and a Prefect server that other tests use too."""
    shutil.copytree(ROOT / "pipelines", tmp_path / "pipelines")
    return {
        **os.environ,
        "UNDERSTUDY_HOME": str(tmp_path / "home"),
        "UNDERSTUDY_PIPELINES": str(tmp_path / "pipelines"),
        "PREFECT_API_URL": prefect_server,
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def deploy(place: dict[str, str], *options: str) -> dict[str, str]:
    command = [sys.executable, "-m", "understudy", "--json", "deploy", *options]
    done = subprocess.run(command, env=place, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def seen(url: str, names: set[str]) -> dict[str, dict[str, Any]]:
    """Return what the server holds of each deployment, in the parts that users rely on."""
    found = {}
    for name in names:
        one = ask_prefect("GET", f"{url}/deployments/name/{name}").raise_for_status().json()
        schedules = [
            (each["schedule"]["cron"], each["schedule"]["timezone"], each["active"], each["parameters"]) for each in one["schedules"]
        ]
        limited, options = one["global_concurrency_limit"] or {}, one["concurrency_options"] or {}
        limit = (limited.get("limit"), options.get("collision_strategy"))
        found[name] = {key: one[key] for key in COMPARED} | {
            "schedules": schedules,
            "limit": limit,
            "job": {name: value for name, value in one["job_variables"].items() if name != "working_dir"},
            "pool": one["work_pool_name"],
            "code": (one["entrypoint"], one["pull_steps"]) if one["work_pool_name"] != "understudy" else None,
        }
    return found


def test_deploying_twice_changes_nothing_and_a_pipeline_that_is_gone_takes_its_deployments_with_it(
    place: dict[str, str], prefect_server: str
) -> None:
    first = deploy(place)
    assert set(first) == NAMES
    before = seen(prefect_server, NAMES)
    assert deploy(place) == first
    assert seen(prefect_server, NAMES) == before
    assert before["retrain/ad_clicks"]["limit"] == (1, "ENQUEUE")
    assert before["rollout/ad_clicks"]["limit"] == (1, "CANCEL_NEW")
    shutil.rmtree(Path(place["UNDERSTUDY_PIPELINES"]) / "bike_demand")
    assert set(deploy(place)) == {name for name in NAMES if name.endswith("ad_clicks")}
    assert ask_prefect("GET", f"{prefect_server}/deployments/name/retrain/bike_demand").status_code == 404


def test_plain_prefect_deploy_makes_the_same(place: dict[str, str], prefect_server: str) -> None:
    ids = deploy(place)
    ours = seen(prefect_server, NAMES)
    for number in ids.values():
        ask_prefect("DELETE", f"{prefect_server}/deployments/{number}").raise_for_status()
    prefect_deploy(place, "prefect.yaml")
    assert seen(prefect_server, NAMES) == ours


def lines_for_a_fresh_server(text: str, before: str) -> list[list[str]]:
    return [line.removeprefix(before).split()[1:] for line in text.splitlines() if line.startswith(f"{before}prefect ")]


def test_the_file_and_the_page_name_the_same_lines_for_a_fresh_server() -> None:
    told = lines_for_a_fresh_server((ROOT / "deployments" / "prefect.yaml").read_text(), "#   ")
    page = (ROOT / "docs" / "how-to" / "run-prefect-in-production.md").read_text()
    assert lines_for_a_fresh_server(page.partition("Plain Prefect makes")[2].partition("The automations")[0], "") == told
    queues = {one[2]: int(one[-1]) for one in told if one[0] == "work-queue"}
    assert queues == QUEUES


@pytest.mark.slow
def test_on_an_empty_server_the_lines_of_the_file_are_enough_for_a_run(
    place: dict[str, str], tmp_path: Path, prefect_database: Path
) -> None:
    *make, work = lines_for_a_fresh_server((ROOT / "deployments" / "prefect.yaml").read_text(), "#   ")
    with running_prefect(tmp_path / "fresh", free_port(), prefect_database) as url:
        here = place | {"PREFECT_API_URL": url}
        for line in (*make, ["deployment", "run", "rollout/ad_clicks"], [*work, "--run-once"]):
            command = [sys.executable, "-m", "prefect", "--no-prompt", *line]
            done = subprocess.run(command, env=here, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
            assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        queues = ask_prefect("POST", f"{url}/work_pools/understudy/queues/filter", {}).raise_for_status().json()
        ranked = [one["name"] for one in sorted(queues, key=lambda one: one["priority"])]
        assert ranked == ["operator", "drift", "cron", "default"]
        (run,) = ask_prefect("POST", f"{url}/flow_runs/filter", {}).raise_for_status().json()
        assert (run["work_queue_name"], run["state"]["type"]) == ("cron", "COMPLETED"), run["state"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["kubernetes", "docker"])
def test_the_same_deployments_are_done_in_containers_where_that_is_asked(place: dict[str, str], prefect_server: str, kind: str) -> None:
    ids = deploy(place, "--pool", kind, "--image", "understudy:0.1.0")
    ours = seen(prefect_server, NAMES)
    one = ours["retrain/ad_clicks"]
    assert (one["pool"], one["work_queue_name"], one["job"]) == (f"understudy-{kind}", "cron", {"image": "understudy:0.1.0"})
    assert one["code"] == ("flows.retrain.retrain", [{"prefect.deployments.steps.set_working_directory": {"directory": "/srv/understudy"}}])
    pool = ask_prefect("GET", f"{prefect_server}/work_pools/understudy-{kind}").raise_for_status().json()
    assert pool["type"] == kind
    assert pool["base_job_template"] == json.loads((ROOT / "flows" / "templates" / f"{kind}.json").read_text())
    assert automations(prefect_server)["understudy: runs that never began"]["trigger"]["within"] == 900  # an image is pulled first
    for number in ids.values():
        ask_prefect("DELETE", f"{prefect_server}/deployments/{number}").raise_for_status()
    prefect_deploy(place, f"{kind}.yaml")
    assert seen(prefect_server, NAMES) == ours
    deploy(place)  # back on the machine's own processes, for the tests after this


def prefect_deploy(place: dict[str, str], file: str) -> None:
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", f"deployments/{file}"]
    done = subprocess.run(command, env=place, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_job_in_kubernetes_gives_no_more_than_it_needs_and_takes_its_secrets_from_the_cluster() -> None:
    template = json.loads((ROOT / "flows" / "templates" / "kubernetes.json").read_text())
    pod = template["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["automountServiceAccountToken"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    infra = yaml.safe_load((ROOT / "infra" / "kubernetes" / "worker.yaml").read_text())["spec"]["template"]["spec"]
    (worker,) = infra["containers"]
    assert {one["mountPath"] for one in container["volumeMounts"]} == {one["mountPath"] for one in worker["volumeMounts"]}
    assert {one["name"] for one in pod["volumes"]} == {one["name"] for one in infra["volumes"]}
    secret = {one["name"]: one["valueFrom"]["secretKeyRef"]["key"] for one in container["env"] if "valueFrom" in one}
    assert secret == {one["name"]: one["valueFrom"]["secretKeyRef"]["key"] for one in worker["env"]}
    used = set(re.findall(r"{{ (\w+) }}", json.dumps(template["job_configuration"])))
    assert used == set(template["variables"]["properties"]) | {"env"}


@pytest.mark.parametrize("kind", ["kubernetes", "docker"])
def test_a_template_of_containers_asks_for_what_prefects_own_worker_of_that_kind_knows(kind: str) -> None:
    views = Path(prefect.__file__).parent / "server" / "api" / "collections_data" / "views" / "aggregate-worker-metadata.json"
    own = json.loads(views.read_text())[f"prefect-{kind}"][kind]["default_base_job_configuration"]
    ours = json.loads((ROOT / "flows" / "templates" / f"{kind}.json").read_text())
    assert ours["job_configuration"].keys() <= own["job_configuration"].keys()
    theirs = own["variables"]["properties"]
    alike = ours["variables"]["properties"].keys() & theirs.keys()
    assert {"image", "env", "command"} <= alike
    kinds = {name: (_kind(ours["variables"]["properties"][name]), _kind(theirs[name])) for name in alike}
    assert {name: both for name, both in kinds.items() if both[0] not in both[1].split("|")} == {}


def _kind(variable: dict[str, Any]) -> str:
    return "|".join(str(one.get("type", "object")) for one in variable.get("anyOf", [variable]))


def test_a_kubernetes_job_is_rendered_whole_and_what_nobody_set_is_left_out() -> None:
    template = json.loads((ROOT / "flows" / "templates" / "kubernetes.json").read_text())
    defaults = {name: one["default"] for name, one in template["variables"]["properties"].items() if "default" in one}
    asked = {"command": "prefect flow-run execute", "name": "retrain-ad-clicks", "env": {}, "labels": {}}

    def render(**values: str) -> dict[str, Any]:
        found: dict[str, Any] = apply_values(template["job_configuration"], defaults | asked | values, remove_notset=True)["job_manifest"]
        return found

    job = render(image="understudy:7", memory_limit="3Gi")
    pod = job["spec"]["template"]["spec"]
    assert "{{" not in json.dumps(job)
    assert (job["apiVersion"], job["kind"], job["spec"]["ttlSecondsAfterFinished"]) == ("batch/v1", "Job", 3600)
    (container,) = pod["containers"]
    assert (container["image"], container["args"], pod["restartPolicy"]) == ("understudy:7", "prefect flow-run execute", "Never")
    assert container["resources"] == {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"memory": "3Gi"}}
    assert render(cpu_limit="2")["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"] == {"cpu": "2", "memory": "8Gi"}
    assert {one["name"] for one in container["volumeMounts"]} == {one["name"] for one in pod["volumes"]}


def test_a_schedule_really_makes_runs_that_say_so(place: dict[str, str], prefect_server: str) -> None:
    file = Path(place["UNDERSTUDY_PIPELINES"]) / "ad_clicks" / "pipeline.yaml"
    file.write_text(file.read_text().replace("clock: event ", "clock: wall  "))
    number = deploy(place)["retrain/ad_clicks"]
    wanted = {"deployments": {"id": {"any_": [number]}}}
    ends = time.monotonic() + 120
    while not (found := ask_prefect("POST", f"{prefect_server}/flow_runs/filter", wanted).raise_for_status().json()):
        assert time.monotonic() < ends, "the scheduler made no run"
        time.sleep(1)
    assert all(one["auto_scheduled"] for one in found)
    assert {one["parameters"]["cause"] for one in found} == {"schedule"}
    assert {one["parameters"]["pipeline"] for one in found} == {"ad_clicks"}


def test_without_a_server_the_command_says_what_to_do(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    command = [sys.executable, "-m", "understudy", "--home", str(tmp_path), "deploy"]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "No Prefect server is known. Start one with `understudy up`" in " ".join(done.stderr.split())
    environment["PREFECT_API_URL"] = "http://127.0.0.1:9/api"
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "did not answer" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_pool_has_queues_by_priority_and_the_server_watches_for_lost_runs(place: dict[str, str], prefect_server: str) -> None:
    deploy(place)
    queues = ask_prefect("POST", f"{prefect_server}/work_pools/understudy/queues/filter", {}).raise_for_status().json()
    ranked = [one["name"] for one in sorted(queues, key=lambda one: one["priority"])]
    assert [name for name in ranked if name != "default"] == ["operator", "drift", "cron"]
    assert ranked[-1] == "default"
    found = automations(prefect_server)
    assert set(found) == {"understudy: runs that fell silent", "understudy: runs that never began"}
    assert {name: one["trigger"]["within"] for name, one in found.items()} == {
        "understudy: runs that fell silent": 90, "understudy: runs that never began": 110,
    }  # fmt: skip
    deploy(place)
    assert automations(prefect_server) == found  # not even touched: an update would forget which runs it watches


def automations(url: str) -> dict[str, dict[str, Any]]:
    there = ask_prefect("POST", f"{url}/automations/filter", {}).raise_for_status().json()
    return {one["name"]: one for one in there if one["name"].startswith("understudy: ")}
