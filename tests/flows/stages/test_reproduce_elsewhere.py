"""A version is reproduced on another machine that knows three addresses: a git URL, an S3 API, an MLflow server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.recorded_environment import build_environment
from adapters.settings import read_settings
from contracts.errors import OutsideError
from flows.stages.retrain import retrain_local
from tests.flows.stages.retrain_world import NAME, TRIGGER, build_world, pipeline_of
from tests.flows.stages.test_reproduce import git

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # botocore and moto call datetime.utcnow
ROOT = Path(__file__).parents[3]


@pytest.fixture
def addresses(tmp_path: Path, mlflow_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Set the three addresses, and the credentials of the store, in the environment."""
    import boto3
    from moto.server import ThreadedMotoServer

    store = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    host, port = store.get_host_and_port()
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "data.git"], check=True)
    given = {
        "UNDERSTUDY_DATA_REPO": f"file://{tmp_path / 'data.git'}",
        "UNDERSTUDY_DVC_REMOTE": "s3://data/store",
        "MLFLOW_TRACKING_URI": mlflow_server,
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3").create_bucket(Bucket="data")
    yield given
    store.stop()


@pytest.mark.slow
def test_from_a_separate_clone_and_an_empty_home_a_version_is_the_same_bytes_and_answers(
    tmp_path: Path, mlflow_database: Path, addresses: dict[str, str]
) -> None:
    here = build_world(tmp_path / "here", mlflow_database)
    git(tmp_path / "here", "init", "-q")
    (tmp_path / "here" / ".gitignore").write_text("home/\n")
    git(tmp_path / "here", "add", "-A")
    git(tmp_path / "here", "commit", "-q", "-m", "all")
    version = retrain_local(read_settings(here.home, here.pipelines), pipeline_of(here), TRIGGER).model.version
    git(tmp_path, "clone", "-q", str(tmp_path / "here"), str(tmp_path / "there"))
    (tmp_path / "here").rename(tmp_path / "gone")

    done = subprocess.run(
        [sys.executable, "-m", "understudy", "--json", "reproduce", NAME, version],
        cwd=tmp_path / "there",
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path / "empty"), "PYTHONPATH": str(ROOT), **addresses},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["same"], said["recorded"], said["differs"]) == (True, said["refitted"], [])
    assert said["predictions"] == {"rows": 72, "differing": 0, "greatest": 0.0, "row": None}
    assert f"at commit {git(tmp_path / 'there', 'rev-parse', 'HEAD')}" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_where_the_code_has_changed_since_the_recorded_commit_refits_and_where_it_is_not_wanted_the_difference_is_named(
    tmp_path: Path, mlflow_database: Path
) -> None:
    code = tmp_path / "code"
    here = build_world(code, mlflow_database)
    for name in subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines():
        if not name.startswith(("tests/", "docs/", "benchmarks/", "pipelines/")) and (ROOT / name).is_file():
            (code / name).parent.mkdir(parents=True, exist_ok=True)
            (code / name).write_bytes((ROOT / name).read_bytes())
    git(code, "init", "-q")
    (code / ".git" / "info" / "exclude").write_text("/home/\n")
    git(code, "add", "-A")
    git(code, "commit", "-q", "-m", "all")
    first = git(code, "rev-parse", "HEAD")
    retrained = _understudy(code, here.home, "retrain", NAME, "--local")
    assert retrained.returncode == 0, retrained.stderr
    features = code / "training" / "features.py"
    features.write_text(features.read_text().replace("else StandardScaler(),", "else StandardScaler(with_mean=False),"))
    git(code, "commit", "-q", "-a", "-m", "numbers are not centred any more")

    done = _understudy(code, here.home, "reproduce", NAME, "1")
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert (said["same"], said["differs"]) == (True, [])
    assert said["code"] == f"The refit ran with the recorded commit {first[:12]}, checked out from {code}."
    assert git(code, "status", "--porcelain") == "", "the repository is only read"

    running = _understudy(code, here.home, "reproduce", NAME, "1", "--here")
    assert running.returncode == 1, running.stdout + running.stderr
    said = json.loads(running.stdout)
    assert any(f"recorded is {first}, and these files differ: training/features.py." in one for one in said["differs"])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_in_another_environment_what_differs_is_named_and_the_recorded_one_is_built_again(tmp_path: Path, mlflow_database: Path) -> None:
    here = build_world(tmp_path, mlflow_database)
    retrain_local(here, pipeline_of(here), TRIGGER)
    (recorded,) = here.home.glob("mlartifacts/*/*/artifacts/environment.txt")
    known = re.search(r"^colorama==(.*)$", recorded.read_text(), re.MULTILINE)
    assert known is not None
    other = recorded.read_text().replace(known[0], "colorama==0.4.4")  # a distribution that no fit depends on, older than recorded
    assert other != recorded.read_text()
    try:
        python = build_environment(other, ROOT, tmp_path / "other")
    except OutsideError as error:
        pytest.skip(f"the distributions cannot be had here: {error.message}")

    plain = _understudy(ROOT, here.home, "reproduce", NAME, "1", python=python, pipelines=here.pipelines)
    assert plain.returncode == 0, plain.stdout + plain.stderr
    (difference,) = json.loads(plain.stdout)["differs"]
    assert difference.endswith(f": colorama {known[1]} → 0.4.4.")

    again = _understudy(ROOT, here.home, "reproduce", NAME, "1", "--with-recorded-environment", python=python, pipelines=here.pipelines)
    assert again.returncode == 0, again.stdout + again.stderr
    said = json.loads(again.stdout)
    assert (said["same"], said["differs"]) == (True, []), "the refit ran in the recorded environment"


def _understudy(
    code: Path, home: Path, *words: str, python: Path = Path(sys.executable), pipelines: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the Understudy of a checkout."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("UNDERSTUDY_", "MLFLOW_", "AWS_"))}
    env |= {"PYTHONPATH": str(code), "UNDERSTUDY_HOME": str(home)}
    command = [str(python), "-P", "-m", "understudy", "--pipelines", str(pipelines or code / "pipelines"), "--json", *words]
    return subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, timeout=400, check=False)
