"""What is written for servers can be read by them, and names only what is here: metrics, modules, programs, settings, files."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from understudy.doctor.environment import KNOWN

_ROOT = Path(__file__).parents[2]
_INFRA = _ROOT / "infra"
_COMPOSE = yaml.safe_load((_INFRA / "compose" / "compose.yaml").read_text())
_OURS = {name: one for name, one in _COMPOSE["services"].items() if str(one["image"]).startswith("understudy:")}
_KUBERNETES = [
    (path.name, document) for path in sorted((_INFRA / "kubernetes").glob("*.yaml")) for document in yaml.safe_load_all(path.read_text())
]
_DEPLOYMENTS = {one["metadata"]["name"]: one for _, one in _KUBERNETES if one["kind"] == "Deployment"}


def objection(program: str, *args: str) -> str | None:
    """Return what one of Debian's programs has against our files; None where it ends with 0."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed (Debian packages prometheus and prometheus-alertmanager)")
    done = subprocess.run([found, *args], capture_output=True, text=True, cwd=_ROOT, timeout=60, check=False)
    return done.stdout + done.stderr if done.returncode else None


def test_prometheus_accepts_its_configuration() -> None:
    assert objection("promtool", "check", "config", "--syntax-only", "infra/prometheus/prometheus.yml") is None


def test_prometheus_accepts_the_rules_and_each_alert_fires_on_what_it_is_for() -> None:
    assert objection("promtool", "check", "rules", "infra/prometheus/rules/understudy.yml") is None
    assert objection("promtool", "test", "rules", "tests/infra/rules_test.yml", "tests/infra/weekly_rules_test.yml") is None


def test_alertmanager_accepts_its_configuration() -> None:
    assert objection("amtool", "check-config", "infra/alertmanager/alertmanager.yml") is None


@pytest.mark.parametrize(
    ("receiver", "labels"),
    [
        ("people", ("alertname=UnderstudySlow", "pipeline=bike")),
        ("retrain", ("action=retrain", "pipeline=bike")),
        ("people", ("action=retrain",)),
    ],
)
def test_only_alerts_that_ask_for_it_reach_the_retrain_receiver(receiver: str, labels: tuple[str, ...]) -> None:
    config = "--config.file=infra/alertmanager/alertmanager.yml"
    assert objection("amtool", "config", "routes", "test", config, f"--verify.receivers={receiver}", *labels) is None


def test_the_one_rule_that_starts_a_retrain_carries_what_route_and_receiver_ask_for() -> None:
    groups = yaml.safe_load((_INFRA / "prometheus" / "rules" / "understudy.yml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    assert [(rule["alert"], rule["labels"]) for rule in rules if "action" in rule["labels"]] == [
        ("UnderstudyRetrain", {"action": "retrain", "severity": "retrain", "cause": "drift"})
    ]
    assert all(rule["annotations"].keys() == {"summary", "remedy"} for rule in rules)


def exposed() -> dict[str, set[str]]:
    """Return every series the gateway's metrics can have, with its labels, read from the calls that make them."""
    found: dict[str, set[str]] = {}
    trees = [ast.parse((_ROOT / "serving" / "gateway" / f"{name}.py").read_text()) for name in ("metrics", "ledger_metrics")]
    who = {"pipeline", "version"}
    for call in (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        kind = call.func.id.removesuffix("MetricFamily")  # type: ignore[attr-defined]  # asked for above
        if kind not in {"Counter", "Gauge", "Histogram", "Summary"}:
            continue
        name = ast.literal_eval(call.args[0])
        given = [*call.args[2:3], *(word.value for word in call.keywords if word.arg == "labels")]
        labels = {node.value for argument in given for node in ast.walk(argument) if isinstance(node, ast.Constant)} | {
            label for argument in given for node in ast.walk(argument) if isinstance(node, ast.Name) for label in who
        }
        endings = {"Counter": ["_total"], "Gauge": [""], "Histogram": ["_bucket", "_sum", "_count"], "Summary": ["_sum", "_count"]}[kind]
        found |= {name + ending: labels | ({"le"} if kind == "Histogram" else set()) for ending in endings}
    return found


def queries() -> Iterator[str]:
    for group in yaml.safe_load((_INFRA / "prometheus" / "rules" / "understudy.yml").read_text())["groups"]:
        yield from (rule["expr"] for rule in group["rules"])
    board = json.loads((_INFRA / "grafana" / "dashboards" / "understudy.json").read_text())
    yield from (target["expr"] for panel in board["panels"] for target in panel["targets"])
    yield board["templating"]["list"][0]["definition"]


def test_every_metric_and_label_that_is_asked_for_is_one_the_gateway_has() -> None:
    known = exposed()
    assert len(known) > 10
    asked = {name for query in queries() for name in re.findall(r"(?<![:\w])understudy_\w+", query)}
    assert asked
    assert asked - known.keys() == set()
    labels = {label.strip() for query in queries() for some in re.findall(r"by \(([^)]*)\)", query) for label in some.split(",")}
    assert labels <= set().union(*known.values())


def test_every_recorded_series_that_is_asked_for_is_recorded() -> None:
    groups = yaml.safe_load((_INFRA / "prometheus" / "rules" / "understudy.yml").read_text())["groups"]
    recorded = {rule["record"] for group in groups for rule in group["rules"] if "record" in rule}
    asked = {name for query in queries() for name in re.findall(r"\w+:\w+:\w+", query)}
    assert asked <= recorded


def test_the_dashboard_has_a_row_for_each_thing_to_look_at() -> None:
    panels = json.loads((_INFRA / "grafana" / "dashboards" / "understudy.json").read_text())["panels"]
    rows = [panel["title"] for panel in panels if panel["type"] == "row"]
    assert rows == ["Versions", "Traffic", "Latency", "Errors", "Evidence", "Drift", "Rewards", "Resources"]
    assert all(panel["targets"] for panel in panels if panel["type"] != "row")


def test_every_metric_of_the_gateway_is_on_the_dashboard() -> None:
    text = (_INFRA / "grafana" / "dashboards" / "understudy.json").read_text()
    missing = {name for name in exposed() if not re.search(rf"\b{re.sub('_(bucket|sum|count)$', '', name)}", text)}
    assert missing == set()


def test_dashboard_panels_do_not_overlap_and_have_an_id_of_their_own() -> None:
    panels = json.loads((_INFRA / "grafana" / "dashboards" / "understudy.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def known_command(command: list[str]) -> None:
    """A command names a module that can be run, or a program that pyproject or a dependency installs."""
    if command[:2] == ["python", "-m"]:
        spec = importlib.util.find_spec(command[2])
        assert spec is not None, command
        assert importlib.util.find_spec(f"{command[2]}.__main__"), command
        text = (_ROOT / command[2].replace(".", "/") / "__main__.py").read_text()
        assert all(word in text for word in command[3:] if word.startswith("--")), command
    elif command[0] == "understudy":
        from understudy.main import _COMMANDS

        assert command[1] in _COMMANDS
    else:
        assert command[0] in {"python", "mlflow", "prefect"}, command


def test_each_of_our_containers_runs_a_command_that_exists() -> None:
    assert {"gateway", "shadow", "webhook", "worker", "deploy", "mlflow", "prefect"} <= set(_OURS)
    for one in _OURS.values():
        known_command([str(word) for word in one["command"]])
    for one in _DEPLOYMENTS.values():
        for container in containers(one):
            known_command(container["command"])


def test_compose_refers_only_to_services_volumes_secrets_files_and_settings_that_are_there() -> None:
    services = _COMPOSE["services"]
    for name, one in services.items():
        assert set(one.get("depends_on", {})) <= set(services), name
        assert set(one.get("secrets", [])) <= set(_COMPOSE["secrets"]), name
        for volume in one.get("volumes", []):
            source = volume.split(":")[0]
            there = (_INFRA / "compose" / source).exists() if source.startswith(".") else source in _COMPOSE["volumes"]
            assert there, f"{name}: {volume}"
        assert {key for key in one.get("environment", {}) if key.startswith("UNDERSTUDY_")} <= set(KNOWN), name
        assert not re.search(r":(latest)?$", one["image"]), name
        assert ":" in one["image"], name
        for waits_for, how in one.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert services[waits_for].get("healthcheck") or waits_for == "gateway", f"{name} waits for the health of {waits_for}"
    used = set(re.findall(r"\$\{([A-Z0-9_]+)", (_INFRA / "compose" / "compose.yaml").read_text()))
    offered = set(re.findall(r"^([A-Z0-9_]+)=", (_INFRA / "compose" / ".env.example").read_text(), re.MULTILINE))
    assert used == offered


def test_compose_opens_ports_on_loopback_only() -> None:
    assert all(port.startswith("127.0.0.1:") for one in _COMPOSE["services"].values() for port in one.get("ports", []))


def containers(deployment: dict[str, Any]) -> list[dict[str, Any]]:
    pod = deployment["spec"]["template"]["spec"]
    return [*pod["containers"], *pod.get("initContainers", [])]


@pytest.mark.parametrize("name", sorted(_DEPLOYMENTS))
def test_a_deployment_selects_its_own_pods_and_gives_them_no_more_than_they_need(name: str) -> None:
    one = _DEPLOYMENTS[name]
    pod = one["spec"]["template"]["spec"]
    assert one["spec"]["selector"]["matchLabels"].items() <= one["spec"]["template"]["metadata"]["labels"].items()
    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["automountServiceAccountToken"]
    volumes = {volume["name"] for volume in pod["volumes"]}
    for container in containers(one):
        assert container["resources"].keys() == {"requests", "limits"}
        guarded = container["securityContext"]
        assert (guarded["allowPrivilegeEscalation"], guarded["readOnlyRootFilesystem"], guarded["capabilities"]) == (
            False,
            True,
            {"drop": ["ALL"]},
        )
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
        ports = {port["name"] for port in container.get("ports", [])}
        for probe in (value for key, value in container.items() if key.endswith("Probe")):
            assert probe["httpGet"]["port"] in ports


def test_probes_ask_for_paths_that_the_processes_answer() -> None:
    answered = {
        name: "".join(path.read_text() for path in (_ROOT / folder).rglob("*.py"))
        for name, folder in (("gateway", "serving/gateway"), ("webhook", "webhook"))
    }
    for name, one in _DEPLOYMENTS.items():
        for container in containers(one):
            for probe in (value for key, value in container.items() if key.endswith("Probe")):
                assert f'"{probe["httpGet"]["path"]}"' in answered[name], probe


def test_kubernetes_objects_are_whole_and_listed() -> None:
    listed = yaml.safe_load((_INFRA / "kubernetes" / "kustomization.yaml").read_text())
    assert {name for name, one in _KUBERNETES if one["kind"] != "Kustomization"} == set(listed["resources"])
    settings = next(one for _, one in _KUBERNETES if one["kind"] == "ConfigMap")
    assert {key for key in settings["data"] if key.startswith("UNDERSTUDY_")} <= set(KNOWN)
    for name, one in _KUBERNETES:
        if one["kind"] == "Kustomization":
            continue
        assert one["apiVersion"], name
        assert one["metadata"]["name"], name
        if one["kind"] == "Service":
            behind = _DEPLOYMENTS[one["spec"]["selector"]["app.kubernetes.io/name"]]
            named = {port["name"] for container in containers(behind) for port in container.get("ports", [])}
            assert {port["targetPort"] for port in one["spec"]["ports"]} <= named


def test_the_image_copies_what_is_there_and_every_package_and_does_not_run_as_root() -> None:
    text = (_INFRA / "containers" / "Containerfile").read_text()
    final = text[text.rindex("FROM ") :]
    copied = [word for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE) for word in line.split()[:-1]]
    assert all((_ROOT / one).exists() for one in copied)
    packages = re.search(r"^packages = \[(.*?)\]", (_ROOT / "pyproject.toml").read_text(), re.MULTILINE | re.DOTALL)
    assert packages is not None
    assert set(re.findall(r'"(\w+)"', packages[1])) <= set(copied)
    assert re.search(r"^USER [1-9]\d*$", final, re.MULTILINE)
    assert "HEALTHCHECK" in final
    assert all(re.fullmatch(r"\w+:(?!latest)\S+", image) for image in re.findall(r"^FROM (\S+)", text, re.MULTILINE))
    allowed = {line[1:] for line in (_INFRA / "containers" / "Containerfile.dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied) == allowed
    known_command(json.loads(final[final.rindex("CMD ") + 4 :]))
