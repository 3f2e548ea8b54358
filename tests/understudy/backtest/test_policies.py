"""Policies by name, and when each asks for a refit."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts.errors import UsageError
from understudy.backtest.policies import parse_policy, same_budget

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
LOOKS = [START + number * 7 * DAY for number in range(20)]


def due(name: str) -> list[int]:
    policy = parse_policy(name, 7 * DAY)
    return [number for number, at in enumerate(LOOKS) if number and policy.is_due(at, START, 7 * DAY, START)]


def test_a_calendar_counts_from_the_start_and_a_cadence_between_two_looks_waits_for_the_next() -> None:
    assert due("every:7d") == list(range(1, 20))
    assert due("every:28d") == [4, 8, 12, 16]
    assert due("every:10d") == [2, 3, 5, 6, 8, 9, 10, 12, 13, 15, 16, 18, 19]
    assert due("never") == due("drift") == []
    assert due("oracle") == list(range(1, 20))


def test_drift_with_a_calendar_counts_from_its_newest_fit() -> None:
    policy = parse_policy("drift+every:28d", 7 * DAY)
    assert not policy.is_due(LOOKS[5], START, 7 * DAY, newest_fit=LOOKS[2])
    assert policy.is_due(LOOKS[6], START, 7 * DAY, newest_fit=LOOKS[2])
    assert parse_policy("drift+every", 7 * DAY) == policy


@pytest.mark.parametrize("name", ["", "sometimes", "every", "every:", "every:soon", "drift:7d", "never:7d"])
def test_what_is_no_policy_is_refused_with_the_ones_there_are(name: str) -> None:
    with pytest.raises(UsageError, match="Write never, every:7d, drift"):
        parse_policy(name, 7 * DAY)


def test_a_cadence_shorter_than_a_step_is_refused_with_the_step_to_give() -> None:
    with pytest.raises(UsageError, match="Give --step 3d"):
        parse_policy("every:3d", 7 * DAY)


@pytest.mark.parametrize("fits", [2, 3, 7, 20])
def test_the_same_budget_is_spread_over_all_looks(fits: int) -> None:
    planned = sorted(same_budget(parse_policy("drift", DAY), fits, LOOKS).planned)
    assert len(planned) == fits - 1  # the first model is the first fit
    gaps = [later - earlier for earlier, later in zip([START, *planned], [*planned, LOOKS[-1] + 7 * DAY], strict=True)]
    assert max(gaps) - min(gaps) <= 7 * DAY
