"""What is up is up as a whole: started in order, started again when it dies, stopped together, and never left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.settings import read_settings
from tests.processes import alive
from understudy.services.detached import addresses, running_pid, stop
from understudy.services.listeners import listens
from understudy.services.plan import make_plan
from understudy.services.ports import DEFAULTS, choose_ports, is_free
from understudy.services.supervisor import answers, stops_with

# stand-ins for the real services: these tests are about processes; the loop's test starts the real ones
SUPERVISE = """
import sys
from pathlib import Path
from adapters.settings import read_settings
from understudy.services.plan import Plan, Service
from understudy.services.supervisor import Supervisor
home, port = Path(sys.argv[1]), sys.argv[3]
serve = (  # a server with a worker of its own
    "import pathlib, runpy, subprocess, sys\\n"
    "worker = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\\n"
    "pathlib.Path(sys.argv.pop(), 'worker.pid').write_text(str(worker.pid))\\n"
    "runpy.run_module('http.server', run_name='__main__')"
)
web = (sys.executable, "-c", serve, port, "--bind", "127.0.0.1", str(home))
sleeper = (sys.executable, "-c", "import time; time.sleep(600)")
slow = (  # takes its time to stop
    "import pathlib, signal, sys, time\\n"
    "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(3), sys.exit()))\\n"
    "pathlib.Path(sys.argv[1], 'deaf').touch()\\n"
    "time.sleep(600)"
)
once = (sys.executable, "-c", "import pathlib, sys; pathlib.Path(sys.argv[1], 'deployed').touch()", str(home))
services = (
    Service("web", web, f"http://127.0.0.1:{port}/"),
    Service("deploy", once, None, ("web",)),
    Service("sleeper", sleeper, None, ("deploy",)),
    *([Service("slow", (sys.executable, "-c", slow, str(home)), ready_file=home / "deaf")] if "slow" in sys.argv else []),
    *([Service("broken", (sys.executable, "-c", "import sys; sys.exit(7)"), "http://127.0.0.1:9/")] if "broken" in sys.argv else []),
)
import os
plan = Plan(services, dict(os.environ), {"web": f"http://127.0.0.1:{port}"})
Supervisor(read_settings(home), plan, lambda line: print(line, flush=True)).run()
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(done: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def supervised(home: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", SUPERVISE, str(home), "up", str(free_port())], stdout=subprocess.PIPE, text=True)
    until(lambda: addresses(read_settings(home)))
    yield process
    process.kill()
    process.communicate()


def pids(home: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads((home / "run" / "services.json").read_text())["pids"]
    return found


def test_services_start_in_order_and_their_addresses_are_told_when_all_are_ready(home: Path, supervised: subprocess.Popen[str]) -> None:
    content = json.loads((home / "run" / "services.json").read_text())
    assert content["pid"] == supervised.pid
    assert content["web"].startswith("http://127.0.0.1:")
    assert (home / "deployed").exists()
    assert set(content["pids"]) == {"web", "sleeper"}


def test_a_stop_leaves_nothing_running(home: Path, supervised: subprocess.Popen[str]) -> None:
    children = pids(home)
    supervised.send_signal(signal.SIGTERM)
    assert supervised.wait(20) == 0
    assert not [name for name, pid in children.items() if alive(pid)]
    assert not (home / "run" / "services.json").exists()


def test_what_stops_is_known_until_it_is_gone_though_nobody_is_sent_to_it_any_more(home: Path) -> None:
    settings = read_settings(home)
    with subprocess.Popen([sys.executable, "-c", SUPERVISE, str(home), "up", str(free_port()), "slow"]) as process:
        until(lambda: addresses(settings))
        slow = pids(home)["slow"]
        process.send_signal(signal.SIGTERM)
        until(lambda: not addresses(settings))
        assert alive(slow)
        assert running_pid(settings) == process.pid
        assert read_settings(home).gateway_url is None
        assert stop(settings)
        assert not alive(slow)
    assert not settings.services_file.exists()


def test_what_starts_is_known_before_it_is_ready(home: Path) -> None:
    settings = read_settings(home)
    never = "import pathlib, sys, time; pathlib.Path(sys.argv[1], 'never').touch(); time.sleep(600)"
    service = f'Service("never", (sys.executable, "-c", {never!r}, str(home)), ready_file=home / "x")'
    code = SUPERVISE.replace("services = (", f"services = ({service},")
    with subprocess.Popen([sys.executable, "-c", code, str(home), "up", str(free_port())]) as process:
        until((home / "never").exists)
        assert running_pid(settings) == process.pid
        assert addresses(settings) == {}
        assert stop(settings)
    assert not settings.services_file.exists()


def test_a_supervisor_killed_hard_leaves_nothing_running(home: Path, supervised: subprocess.Popen[str]) -> None:
    children = pids(home)
    supervised.kill()
    until(lambda: not [name for name, pid in children.items() if alive(pid)])


def test_a_service_that_dies_is_started_again(home: Path, supervised: subprocess.Popen[str]) -> None:
    old = pids(home)["sleeper"]
    os.kill(old, signal.SIGKILL)
    children = Path(f"/proc/{supervised.pid}/task/{supervised.pid}/children")
    until(lambda: len(children.read_text().split()) == 2 and str(old) not in children.read_text().split())


def test_what_a_dead_service_left_behind_goes_before_it_is_started_again(home: Path, supervised: subprocess.Popen[str]) -> None:
    worker = int((home / "worker.pid").read_text())
    os.kill(pids(home)["web"], signal.SIGKILL)
    until(lambda: not alive(worker))
    url = json.loads((home / "run" / "services.json").read_text())["web"]
    until(lambda: answers(f"{url}/"))
    assert int((home / "worker.pid").read_text()) != worker
    assert supervised.poll() is None


def test_a_service_that_cannot_start_is_named_with_its_log_and_the_rest_is_stopped(home: Path) -> None:
    command = [sys.executable, "-c", SUPERVISE, str(home), "up", str(free_port()), "broken"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "broken stopped with exit code 7 while it was starting. Look into" in done.stderr
    assert not (home / "run" / "services.json").exists()


def test_a_stranger_who_answers_on_the_port_is_not_taken_for_the_service(home: Path) -> None:
    port, log = free_port(), home / "logs" / "web.log"
    home.mkdir()
    stranger = subprocess.Popen([sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"], stdout=subprocess.DEVNULL)
    try:
        until(lambda: answers(f"http://127.0.0.1:{port}/"))
        assert listens(os.getpgid(stranger.pid), f"http://127.0.0.1:{port}/")
        command = [sys.executable, "-c", SUPERVISE, str(home), "up", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    finally:
        stranger.kill()
        stranger.communicate()
    assert "web stopped with exit code 1 while it was starting" in done.stderr
    assert "Address already in use" in log.read_text()
    assert not (home / "deployed").exists()


def test_a_taken_port_is_replaced_by_a_free_one_and_none_is_given_twice() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = int(taken.getsockname()[1])
        chosen = choose_ports({"gateway": busy, "webhook": busy})
    assert busy not in chosen.values()
    assert set(chosen) == set(DEFAULTS)
    assert len(set(chosen.values())) == len(chosen)
    assert is_free(chosen["gateway"])


def test_what_a_process_that_comes_up_at_the_same_time_has_chosen_is_not_chosen_although_nobody_listens_yet() -> None:
    code = "import json; from understudy.services.ports import choose_ports; print(json.dumps(choose_ports()), flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        theirs = set(json.loads(other.stdout.readline()).values())
        port = theirs.pop()
        assert is_free(port)
        mine = choose_ports(dict.fromkeys(DEFAULTS, port))
        other.communicate("\n", timeout=30)
    assert not {port, *theirs} & set(mine.values())
    assert port in choose_ports(dict.fromkeys(DEFAULTS, port)).values(), "it is anybody's once that process has ended"


def test_a_server_named_by_the_environment_is_used_and_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect.example:4200/api")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    plan = make_plan(read_settings(tmp_path), dict(DEFAULTS))
    assert [one.name for one in plan.services] == ["mlflow", "gateway", "shadow", "webhook", "engine", "deploy", "worker"]
    assert plan.environment["PREFECT_API_URL"] == plan.addresses["prefect_api"] == "http://prefect.example:4200/api"
    assert next(one for one in plan.services if one.name == "deploy").after == ()
    assert next(one for one in plan.services if one.name == "worker").after == ("deploy",)


def test_no_service_sends_telemetry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PREFECT_API_URL", "PREFECT_SERVER_ANALYTICS_ENABLED"):
        monkeypatch.delenv(name, raising=False)
    plan = make_plan(read_settings(tmp_path), dict(DEFAULTS))
    assert "--analytics-off" in next(one for one in plan.services if one.name == "prefect").command
    off = {
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "GX_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    assert {name: plan.environment[name] for name in off} == off


def test_lost_runs_of_our_own_server_are_seen_by_its_worker_on_sqlite_and_by_the_server_on_postgresql(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PREFECT_API_URL", "UNDERSTUDY_LOST_AFTER", "UNDERSTUDY_PREFECT_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    plan = make_plan(read_settings(tmp_path), dict(DEFAULTS))
    worker = next(one for one in plan.services if one.name == "worker").command
    assert (worker[1:3], worker[4:7]) == (("-m", "flows.orphans"), ("--no-prompt", "worker", "start"))
    assert plan.environment["UNDERSTUDY_LOST_AFTER"] == "0"
    monkeypatch.setenv("UNDERSTUDY_PREFECT_DATABASE_URL", "postgresql://me@host/prefect")
    assert make_plan(read_settings(tmp_path), dict(DEFAULTS)).environment["UNDERSTUDY_LOST_AFTER"] == "90"


def test_the_webhooks_secret_is_made_once_and_only_its_owner_can_read_it(home: Path, supervised: subprocess.Popen[str]) -> None:
    secret = home / "webhook.secret"
    assert supervised.poll() is None
    assert secret.stat().st_mode & 0o777 == 0o600
    assert len(secret.read_text().strip()) >= 32


def test_a_process_whose_starter_ended_before_it_could_be_tied_to_it_never_begins(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import pathlib, sys; pathlib.Path(sys.argv[1]).touch()", str(tmp_path / "began")]
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert subprocess.run(command, preexec_fn=stops_with(gone.pid), check=False).returncode == 1
    assert not (tmp_path / "began").exists()
    subprocess.run(command, preexec_fn=stops_with(os.getpid()), check=True)
    assert (tmp_path / "began").exists()
