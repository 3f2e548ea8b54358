"""Of the runs that a schedule missed one is done, or none, as the pipeline asks; what somebody asked for is always done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from adapters.prefect_api import FlowRun, Planned
from flows.missed import Rule, superfluous

NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)


def due(minutes: float, *, by_schedule: bool = True) -> Planned:
    at = NOW - timedelta(minutes=minutes)
    return Planned(FlowRun(f"{minutes:g}", ""), "d", at, by_schedule, "Late", ("understudy",), {})


@pytest.mark.parametrize(
    ("rule", "minutes", "dropped"),
    [
        ("one", range(20), 19),
        ("none", range(20), 17),  # three are no later than any run may be
        ("one", [3], 0),
        ("none", [3], 1),
        ("none", [0.5], 0),
        ("one", [], 0),
        ("one", [-5, -10, 7], 0),  # those to come are nobody's business
    ],
)
def test_of_many_that_were_missed_the_rule_keeps_the_newest_or_none(rule: Rule, minutes: list[float], dropped: int) -> None:
    gone = superfluous([due(one) for one in minutes], rule, NOW)
    assert len(gone) == dropped
    assert "0" not in {one.run.id for one in gone}


def test_what_somebody_asked_for_is_never_dropped() -> None:
    asked = [due(30, by_schedule=False), due(40, by_schedule=False)]
    for rule in ("one", "none"):
        assert not {"30", "40"} & {one.run.id for one in superfluous([*asked, due(10), due(20)], rule, NOW)}  # type: ignore[arg-type]
