"""doctor: says what is amiss in plain words, names the remedy, changes nothing, and is quick."""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.s3_server import running_s3
from understudy.doctor.environment import KNOWN
from understudy.doctor.finding import exit_code, ok, warning, wrong
from understudy.doctor.machine import look_at_machine
from understudy.doctor.services import port_holder
from understudy.main import main

_ROOT = Path(__file__).parents[2]
_SPEC = """
name: tiny
task: regression
source: {kind: file, path: rows.csv, delimiter: ";"}
columns: {time: at, target: y, features: {numeric: [x]}}
train: {holdout: 1d, estimator: sklearn.linear_model.Ridge}
gates: [{metric: mae, max: 10}]
rollout: {stages: [{kind: shadow, loss: absolute_error}]}
"""

Doctor = Callable[..., tuple[int, dict[str, dict]]]


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory and an environment without settings."""
    for name in list(os.environ):
        if name.startswith(("UNDERSTUDY_", "PREFECT_", "MLFLOW_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    folder = Path("pipelines/tiny")
    folder.mkdir(parents=True)
    (folder / "pipeline.yaml").write_text(_SPEC)
    (folder / "params.yaml").write_text("seed: 0\n")
    Path("rows.csv").write_text("at;x;y\n2026-01-01;1;2\n")


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Doctor:
    def run(*args: str) -> tuple[int, dict[str, dict]]:
        code = 0
        try:
            main(["--json", "doctor", *args])
        except SystemExit as left:
            code = int(left.code or 0)
        findings = json.loads(capsys.readouterr().out)["findings"]
        worst = sorted(findings, key=lambda one: ("ok", "warning", "wrong").index(one["state"]))
        return code, {one["subject"]: one for one in worst}

    return run


@pytest.fixture
def web() -> Iterator[Callable[[int], str]]:
    """Serve a status on a free port and return the address."""
    servers = []

    def serve(status: int) -> str:
        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status if "health" in self.path else 404)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_with_nothing_up_nothing_is_wrong_nothing_is_written_and_it_is_quick(tmp_path: Path) -> None:
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    code = (
        "import sys, time\nfrom understudy.main import main\n"
        "try:\n    main(['doctor'])\nexcept SystemExit as left:\n    print('LEFT', left.code)\n"
        "heavy = {'prefect', 'mlflow', 'great_expectations', 'dvc', 'sklearn', 'pandas', 'sqlalchemy', 'boto3'} & set(sys.modules)\n"
        "print('HEAVY', sorted(heavy), time.process_time())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *said, last = done.stdout.splitlines()
    assert "LEFT" not in done.stdout
    assert said[-1].startswith("0 wrong")
    assert last.startswith("HEAVY []")
    assert float(last.split()[-1]) < 1.5  # of CPU; under 0.3 s where nobody else works
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before


def test_every_setting_that_any_process_reads_is_known() -> None:
    packages = [path for name in ("adapters", "flows", "serving", "webhook", "understudy") for path in (_ROOT / name).rglob("*.py")]
    read = {name for path in packages for name in re.findall(r"\bUNDERSTUDY_[A-Z_]+\b", path.read_text())}
    assert read == set(KNOWN)


def test_a_misspelt_setting_is_named_with_the_one_that_was_meant(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSTUDY_LEGDER_URL", "sqlite:///x.db")
    code, said = doctor()
    assert code == 0
    assert said["environment"]["remedy"] == "Did you mean UNDERSTUDY_LEDGER_URL?"


def test_a_secret_that_others_can_read_and_one_that_is_gone(doctor: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("long")
    secret.chmod(0o644)
    monkeypatch.setenv("UNDERSTUDY_WEBHOOK_SECRET_FILE", str(secret))
    code, said = doctor()
    assert (code, said["secret"]["state"], said["secret"]["remedy"]) == (0, "warning", f"chmod 600 {secret}")
    secret.unlink()
    code, said = doctor()
    assert (code, said["settings"]["state"]) == (2, "wrong")
    assert "does not exist" in said["settings"]["said"]


def test_a_wrong_tokens_file_is_named_by_line_and_one_that_others_can_read_is_a_warning(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("shop infer\n")
    monkeypatch.setenv("UNDERSTUDY_TOKENS_FILE", str(tokens))
    code, said = doctor()
    assert (code, said["tokens"]["state"]) == (2, "wrong")
    assert "line 1: there are 2 words" in said["tokens"]["said"]
    tokens.write_text("shop infer a-token-that-nobody-guesses\n")
    tokens.chmod(0o644)
    assert doctor()[1]["tokens"]["remedy"] == f"chmod 600 {tokens}"
    tokens.chmod(0o600)
    assert doctor()[1]["tokens"]["said"] == f"{tokens}: shop"


def test_a_service_that_does_not_answer_exits_3_and_one_that_does_exits_0(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, web: Callable[[int], str]
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", web(200) + "/api")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", web(200))
    code, said = doctor()
    assert (code, said["prefect"]["state"], said["mlflow"]["state"]) == (0, "ok", "ok")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", web(500))
    monkeypatch.setenv("UNDERSTUDY_GATEWAY_URL", "http://127.0.0.1:1")
    code, said = doctor()
    assert code == 3
    assert "answers with status 500" in said["mlflow"]["said"]
    assert "cannot be reached" in said["gateway"]["said"]
    monkeypatch.setenv("UNDERSTUDY_GATEWAY_URL", "localhost")
    code, said = doctor()
    assert (code, said["gateway"]["said"]) == (2, "'localhost' is not an address.")


def test_what_a_killed_up_left_is_told_from_what_runs(doctor: Doctor, web: Callable[[int], str]) -> None:
    run = Path(".understudy/run")
    run.mkdir(parents=True)
    address = web(200)
    services = {"prefect_api": f"{address}/api", "mlflow": address, "gateway": address, "webhook": address, "pid": os.getpid()}
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (run / "services.json").write_text(json.dumps(services | {"pids": {"shadow": gone.pid, "worker": os.getpid()}}))
    code, said = doctor()
    assert (code, said["up"]["state"], said["shadow"]["state"]) == (0, "ok", "warning")
    assert "worker" not in said
    (run / "services.json").write_text(json.dumps(services | {"pid": gone.pid}))
    code, said = doctor()
    assert (code, said["up"]["remedy"]) == (2, "Start it again: understudy up")
    (run / "services.json").write_text("{")
    code, said = doctor()
    assert (code, said["settings"]["remedy"]) == (2, "Delete it, then: understudy up")


def test_a_service_whose_port_is_answered_by_somebody_else_is_wrong(doctor: Doctor, web: Callable[[int], str]) -> None:
    run = Path(".understudy/run")
    run.mkdir(parents=True)
    ours = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        address = web(200)
        services = {"mlflow": address, "pid": os.getpid(), "pids": {"mlflow": ours.pid}}
        (run / "services.json").write_text(json.dumps(services))
        code, said = doctor()
        assert (code, said["mlflow"]["state"]) == (2, "wrong")
        assert f"is answered by another process ({os.getpid()}), not by ours ({ours.pid})" in said["mlflow"]["said"]
        (run / "services.json").write_text(json.dumps(services | {"pids": {"mlflow": os.getpgid(0)}}))
        assert doctor()[0] == 0
    finally:
        ours.kill()
        ours.wait()


def test_a_taken_port_names_who_has_it() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        holder = port_holder(one.getsockname()[1])
    assert holder is not None
    assert f"process {os.getpid()}" in holder


def test_a_ledger_that_is_no_database_or_cannot_be_reached(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("broken.db").write_text("not a database, but long enough to be read as one" * 20)
    for url, code, part in [
        ("sqlite:///broken.db", 2, "cannot be read as a database"),
        ("postgresql+psycopg://u:hidden@127.0.0.1:1/x", 3, "cannot be opened"),
        ("nothing", 2, "is not an address of a database"),
        ("postgresql+nodriver://u@h/x", 2, "is not an address of a database"),
    ]:
        monkeypatch.setenv("UNDERSTUDY_LEDGER_URL", url)
        left, said = doctor()
        assert (left, part in said["ledger"]["said"]) == (code, True), url
        assert "hidden" not in json.dumps(said)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # botocore and moto call datetime.utcnow
def test_the_bucket_of_the_remote_is_looked_for_with_the_given_credentials(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3

    monkeypatch.setenv("UNDERSTUDY_DVC_REMOTE", "s3://models/data")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("HOME", str(Path.cwd()))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it would remember another test's credentials
    with running_s3() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        code, said = doctor()
        assert (code, said["dvc remote"]["remedy"]) == (2, "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile.")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        code, said = doctor()
        assert (code, "there is no such bucket" in said["dvc remote"]["said"]) == (2, True)
        boto3.client("s3").create_bucket(Bucket="models")
        code, said = doctor()
        assert (code, said["dvc remote"]["state"]) == (0, "ok")
    code, said = doctor()
    assert (code, "cannot be reached" in said["dvc remote"]["said"]) == (3, True)


@pytest.mark.parametrize(
    ("change", "subject", "state", "part"),
    [
        (("", ""), "source", "ok", "all needed ones are there"),
        (("", ""), "suite", "warning", "batches are not checked"),
        (("rows.csv", "gone.csv"), "source", "wrong", "matches no file"),
        (("numeric: [x]", "numeric: [x, z]"), "source", "wrong", "has no column z."),
        (('";"', '","'), "source", "wrong", "has no column at, y, x."),
        (("sklearn.linear", "skleran.linear"), "estimator", "wrong", "skleran is not installed"),
        (("target: y", "target: x"), "pipeline tiny", "wrong", "target and feature at once"),
    ],
)
def test_a_pipeline_and_its_source(doctor: Doctor, change: tuple[str, str], subject: str, state: str, part: str) -> None:
    path = Path("pipelines/tiny/pipeline.yaml")
    path.write_text(path.read_text().replace(*change))
    code, said = doctor("tiny")
    assert code == (2 if state == "wrong" else 0)
    assert said[subject]["state"] == state
    assert part in said[subject]["said"]


@pytest.mark.parametrize(
    ("query", "state", "part"),
    [("SELECT * FROM t", "ok", "sql: source.query, 3 columns, all needed ones are there"), ("SELECT 1 AS x", "wrong", "no column 'at'")],
)
def test_a_source_that_is_elsewhere_is_asked(doctor: Doctor, monkeypatch: pytest.MonkeyPatch, query: str, state: str, part: str) -> None:
    monkeypatch.setenv("ROWS_URL", "sqlite:///rows.db")
    with closing(sqlite3.connect("rows.db")) as database:
        database.executescript("CREATE TABLE t (at, x, y); INSERT INTO t VALUES ('2026-01-01', 1, 2)")
    path = Path("pipelines/tiny/pipeline.yaml")
    old = '{kind: file, path: rows.csv, delimiter: ";"}'
    path.write_text(path.read_text().replace(old, f"{{kind: sql, url_env: ROWS_URL, query: '{query}'}}"))
    said = doctor("tiny")[1]["source"]
    assert said["state"] == state
    assert part in said["said"]


def test_an_unknown_pipeline_is_a_wrong_use_and_an_empty_folder_is_not(doctor: Doctor, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["doctor", "tinny"])
    assert left.value.code == 2
    assert "Did you mean 'tiny'?" in capsys.readouterr().err
    Path("pipelines/tiny/pipeline.yaml").unlink()
    code, said = doctor()
    assert (code, said["pipelines"]["state"]) == (0, "warning")


def test_packages_that_are_not_as_locked_are_named(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("click==1.0 \\\n    --hash=sha256:0\npandas==0.1 ; python_version < '3'\n")
    found = next(one for one in look_at_machine(tmp_path, lock) if one.subject == "packages")
    assert re.fullmatch(r"Other versions than tested: click [\d.]+ \(tested: 1\.0\), pandas [\d.]+ \(tested: 0\.1\)\.", found.said)
    lock.unlink()
    assert "no lock file" in next(one for one in look_at_machine(tmp_path, lock) if one.subject == "packages").said


def test_a_home_that_is_a_file_is_wrong(doctor: Doctor) -> None:
    Path(".understudy").write_text("")
    code, said = doctor()
    assert (code, said["home"]["remedy"]) == (2, "Choose another place with --home.")


def test_the_exit_code_is_3_only_where_all_that_is_wrong_is_outside() -> None:
    outside, here = wrong("a", "b", "c", outside=True), wrong("a", "b", "c")
    assert [exit_code(one) for one in ([ok("a", "b"), warning("a", "b", "c")], [outside], [outside, here], [here])] == [0, 3, 2, 2]
