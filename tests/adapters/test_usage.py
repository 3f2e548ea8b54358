"""A process knows how many processors it kept busy lately: long ago does not count, and neither does its start."""

from __future__ import annotations

import time

import pytest

from adapters.usage import Busy


def test_busy_is_the_average_of_the_last_minute() -> None:
    now, used = [0.0], [0.0]
    busy = Busy(lambda: now[0], lambda: used[0])
    assert busy.processors() == 0.0
    for _ in range(60):  # two busy minutes
        now[0], used[0] = now[0] + 2, used[0] + 3
        seen = busy.processors()
    assert seen == pytest.approx(1.5)
    for _ in range(30):  # an idle one
        now[0] += 2
        seen = busy.processors()
    assert seen == pytest.approx(0.0, abs=0.06)


def test_who_looks_seldom_gets_the_average_since_the_look_before() -> None:
    now, used = [0.0], [0.0]
    busy = Busy(lambda: now[0], lambda: used[0])
    now[0], used[0] = 600.0, 600.0
    assert busy.processors() == 1.0
    now[0], used[0] = 1200.0, 750.0
    assert busy.processors() == 0.25


def test_this_very_process_is_measured() -> None:
    busy = Busy()
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        pass
    assert 0.1 < busy.processors() < 4
