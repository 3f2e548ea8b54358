"""A process that yields runs only where nobody else wants to; one that gives way is as nice as it was told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def said(code: str) -> str:
    command = [sys.executable, "-c", f"import os; from adapters.priority import give_way, yield_to_all; {code}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def test_who_yields_runs_only_where_nobody_else_wants_to() -> None:
    assert said("yield_to_all(); print(os.sched_getscheduler(0))") == str(os.SCHED_IDLE)


def test_where_the_system_forbids_that_it_is_as_nice_as_can_be() -> None:
    forbidden = "os.sched_setscheduler = lambda *a: (_ for _ in ()).throw(PermissionError())"
    assert said(f"{forbidden}; yield_to_all(); print(os.nice(0))") == "19"


def test_who_gives_way_is_as_nice_as_told() -> None:
    assert said("before = os.nice(0); give_way(3); print(os.nice(0) - before)") == "3"
