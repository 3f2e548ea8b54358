"""A version in shadow that stands still is an error; one that is behind and moves is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from contracts.rollout import ShadowView
from contracts.verdict import Outcome, Verdict
from rollout.contest import follows
from tests.rollout.frames import REHEARSAL, START, WATCH

LONG_SINCE = START + timedelta(hours=1)
VIEW = ShadowView("2", 2, lag_rows=0, lag_seconds=0.0, rows=500, seen_at=LONG_SINCE)


def judged(view: ShadowView | None, before: int | None = None, after: timedelta = timedelta(hours=1)) -> Verdict:
    return follows(REHEARSAL, view, before, START, START + after)


def test_it_follows() -> None:
    found = judged(VIEW)
    assert (found.outcome, found.samples, found.observed) == (Outcome.PASS, 500, 0.0)


def test_being_behind_is_no_fault() -> None:
    assert judged(replace(VIEW, lag_rows=400, lag_seconds=1e6)).outcome is Outcome.PASS


def test_a_new_route_is_given_a_minute() -> None:
    for view in (None, replace(VIEW, epoch=1), replace(VIEW, version="9")):
        assert judged(view, after=timedelta(seconds=59)).outcome is Outcome.INCONCLUSIVE
        assert judged(view, after=timedelta(seconds=60)).outcome is Outcome.ERROR


def test_a_dead_process_is_an_error_unless_it_moved_since_the_tick_before() -> None:
    dead = replace(VIEW, seen_at=LONG_SINCE - timedelta(seconds=31), lag_rows=9)
    assert judged(dead).outcome is Outcome.ERROR
    assert judged(dead, before=500).outcome is Outcome.ERROR
    assert judged(dead, before=499).outcome is Outcome.INCONCLUSIVE
    assert "31 s ago" in judged(dead).reason


def test_an_error_counts_where_rows_wait_behind_it() -> None:
    stuck = replace(VIEW, error="DigestMismatch: not the bytes approved", lag_rows=3)
    assert judged(stuck, before=500).outcome is Outcome.ERROR
    assert "not the bytes approved" in judged(stuck).reason
    assert judged(stuck, before=10).outcome is Outcome.INCONCLUSIVE
    assert judged(replace(stuck, lag_rows=0), before=500).outcome is Outcome.PASS


def test_under_watch_the_former_champion_is_the_one_that_follows() -> None:
    assert follows(WATCH, replace(VIEW, version="1", epoch=3), None, START, LONG_SINCE).outcome is Outcome.PASS
    assert follows(WATCH, replace(VIEW, epoch=3), None, START, LONG_SINCE).outcome is Outcome.ERROR
