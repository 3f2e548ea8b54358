"""The demonstration's command, killed and interrupted while everything starts, is no hindrance to the next, and leaves nothing running."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adapters.settings import read_settings
from tests.processes import interruptible, working_for
from understudy.demo.home import begin_afresh
from understudy.services.detached import addresses, start_detached, stop
from understudy.services.supervisor import answers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # half a minute on an idle machine; test_detached has the quick form
PIPELINES = Path(__file__).parents[3] / "pipelines"


def interrupted(home: Path, number: signal.Signals, moment: Path, *more: str) -> int:
    """Run the demonstration until a file is written anew, then send it a signal; return its exit code."""
    began = time.time()
    command = [sys.executable, "-m", "understudy", "--home", str(home), "--pipelines", str(PIPELINES), "demo", *more]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=interruptible) as process:
        while not (moment.exists() and moment.stat().st_mtime > began):
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.02)
        process.send_signal(number)
        return process.wait(120)


def test_killed_at_any_moment_of_its_start_the_next_demonstration_comes_up_and_nothing_is_left(
    tmp_path: Path, prefect_database: Path, mlflow_database: Path
) -> None:
    home, settings = tmp_path / "home", read_settings(tmp_path / "home", PIPELINES)
    (home / "templates").mkdir(parents=True)  # as a demonstration before would have left it
    for database in (prefect_database, mlflow_database):
        shutil.copy(database, home / "templates")
    assert interrupted(home, signal.SIGKILL, home / "logs" / "up.log") == -signal.SIGKILL
    assert interrupted(home, signal.SIGKILL, home / "logs" / "gateway.log") == -signal.SIGKILL
    assert interrupted(home, signal.SIGINT, home / "logs" / "gateway.log", "--keep") == 130
    assert working_for(home) == []
    assert interrupted(home, signal.SIGKILL, home / "logs" / "deploy.log", "--keep") == -signal.SIGKILL
    stop(settings)
    begin_afresh(settings)
    start_detached(settings)
    try:
        assert answers(f"{addresses(settings)['gateway']}/v2/health/live")
    finally:
        stop(settings)
    assert working_for(home) == []
