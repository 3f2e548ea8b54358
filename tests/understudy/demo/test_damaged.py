"""A damaged candidate gets the live traffic that its refusal takes.

The stage is a double: on a real one it is the data that say how much that is.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from contracts.errors import OutsideError
from contracts.rollout import Act, ModelRef
from understudy.demo import acts
from understudy.demo.damaged import insist_on_refusal

NOW = datetime(2012, 2, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
DAMAGED = ModelRef("6", "d", "file:///6", "s", NOW)


def stage(until: datetime, later: list[Act], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a stage on which each tick after more traffic decides the next of these."""
    told: list[str] = []
    made = [SimpleNamespace(act=Act.START, version="6"), SimpleNamespace(act=Act.PROMOTE, version="5")]
    one = SimpleNamespace(name="p", now=NOW, script=SimpleNamespace(until=until), told=told)
    one.story = SimpleNamespace(tell=lambda title, *_: told.append(title))
    one.ledger = SimpleNamespace(decisions=lambda _name, limit: made[:limit])

    def replay_step() -> None:
        one.now += WEEK

    one.replay_step = replay_step
    monkeypatch.setattr(acts, "rollout", lambda _stage: made.insert(0, SimpleNamespace(act=later.pop(0), version="6")))
    return one


def test_while_the_evidence_decides_nothing_more_live_traffic_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    one = stage(NOW + 9 * WEEK, [Act.WATCH, Act.ABORT, Act.PROMOTE], monkeypatch)
    insist_on_refusal(one, DAMAGED)
    assert (one.now, one.told) == (NOW + 2 * WEEK, ["the evidence decides nothing yet"] * 2)


@pytest.mark.parametrize(("weeks", "later"), [(9, [Act.PROMOTE]), (2, [Act.WATCH, Act.WATCH])])
def test_one_that_is_promoted_or_never_refused_ends_the_demonstration(
    weeks: int, later: list[Act], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OutsideError, match="The damaged version 6 was not refused"):
        insist_on_refusal(stage(NOW + weeks * WEEK, later, monkeypatch), DAMAGED)
