"""What is started in the background is stopped again by who is interrupted while it starts, and nobody's home is taken from under it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from adapters.settings import read_settings
from contracts.errors import OutsideError
from tests.processes import interruptible, working_for
from understudy.demo import home as demo_home
from understudy.demo.home import begin_afresh
from understudy.services.detached import nothing_up

START = "import pathlib, sys; from adapters.settings import read_settings; from understudy.services.detached import start_detached; "
START += "start_detached(read_settings(pathlib.Path(sys.argv[1])))"


def test_who_is_interrupted_while_everything_starts_leaves_nothing_running(tmp_path: Path) -> None:
    command = [sys.executable, "-c", START, str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, preexec_fn=interruptible) as starting:
        deadline = time.monotonic() + 60
        while not (tmp_path / "logs" / "gateway.log").exists():
            assert time.monotonic() < deadline, "nothing was started"
            time.sleep(0.05)
        starting.send_signal(signal.SIGINT)
        assert starting.wait(60) != 0
    assert working_for(tmp_path) == []


def test_a_home_is_not_taken_from_under_what_still_works_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read_settings(tmp_path)
    monkeypatch.setattr(demo_home, "_PATIENCE_SECONDS", 0.2)
    (tmp_path / "ledger.db").write_text("in use")
    with nothing_up(settings, 0), pytest.raises(OutsideError, match="has been at work in"):
        begin_afresh(settings)
    assert (tmp_path / "ledger.db").exists()


def test_a_home_is_begun_afresh_as_soon_as_what_stops_is_gone(tmp_path: Path) -> None:
    settings = read_settings(tmp_path)
    (tmp_path / "ledger.db").write_text("in use")
    begun = threading.Thread(target=begin_afresh, args=(settings,))
    with nothing_up(settings, 0):
        begun.start()
        time.sleep(0.3)
        assert (tmp_path / "ledger.db").exists()
    begun.join(10)
    assert not (tmp_path / "ledger.db").exists()
