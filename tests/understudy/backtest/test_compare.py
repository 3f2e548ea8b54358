"""Policies over a world that turns around: who refits when, at what loss, and never with a look ahead."""

import itertools
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from contracts.rollout import Act
from tests.understudy.backtest.tiny import BEGIN, CALENDAR, DAY, SHIFT, STEP, rows, world_of
from understudy.backtest.compare import Comparison, compare_policies, recommend
from understudy.backtest.cost import Cost
from understudy.backtest.table import table

POLICIES = ("never", "every:4d", "drift", "drift+every:8d", "oracle")


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    with pytest.MonkeyPatch.context() as patch:
        return compare_policies(world_of(tmp_path_factory.mktemp("tiny"), rows(), patch), POLICIES, CALENDAR)


def cost(found: Comparison, policy: str) -> Cost:
    return next(one for one in found.costs if one.policy == policy)


def test_a_model_that_is_never_refitted_is_worst_once_the_world_has_turned(compared: Comparison) -> None:
    never = cost(compared, "never")
    assert never.fits == 1
    assert all(one.loss < 0.8 * never.loss for one in compared.costs if one is not never)
    assert cost(compared, "oracle").loss == min(one.loss for one in compared.costs)
    assert cost(compared, "every:4d").relative == pytest.approx(cost(compared, "every:4d").loss / never.loss)


def test_drift_refits_less_often_than_the_calendar_and_right_after_the_shift(compared: Comparison) -> None:
    drift, every = cost(compared, "drift"), cost(compared, "every:4d")
    asked = [one for one in drift.refits if "absolute_error rose" in one.reason]
    assert drift.fits < every.fits
    assert SHIFT < asked[0].at <= SHIFT + 2 * STEP
    promoted = [one.at for one in drift.decided if one.act is Act.PROMOTE and one.at > SHIFT]
    assert promoted


def test_drift_with_a_calendar_refits_at_the_latest_when_the_newest_fit_is_that_old(compared: Comparison) -> None:
    times = [one.at for one in cost(compared, "drift+every:8d").refits]
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) <= 8 * DAY


def test_each_drift_policy_stands_beside_a_calendar_with_as_many_fits(compared: Comparison) -> None:
    for policy in ("drift", "drift+every:8d"):
        peer = next(one for one in compared.costs if one.budget_of == policy)
        assert peer.fits == cost(compared, policy).fits
        assert all(one.cause == "schedule" for one in peer.refits[1:])


def test_loss_over_time_is_the_loss_of_what_was_served(compared: Comparison) -> None:
    for one in compared.costs:
        known = [point for point in one.over_time if point.loss is not None]
        assert len(known) == len(CALENDAR.looks)
        assert sum(point.rows for point in known) == compared.rows
        assert np.average([point.loss or 0 for point in known], weights=[point.rows for point in known]) == pytest.approx(one.loss)
        assert one.metrics["mae"] == pytest.approx(one.loss)


def test_the_same_history_gives_the_same_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = replace(CALENDAR, until=CALENDAR.start + 12 * DAY)
    first, second = (compare_policies(world_of(tmp_path, rows(), monkeypatch), ("drift",), short) for _ in range(2))
    assert first == second


def test_no_row_and_no_label_of_the_future_is_ever_used(compared: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At `now` nothing that happened later may count, nor a label that comes later, though its row has happened."""
    now, delay = BEGIN + 32 * DAY, timedelta(hours=6)  # between the shift and the end: fits, alarms and rollouts on both sides
    assert now in CALENDAR.looks
    poisoned = rows()
    hour = int((now - BEGIN) / timedelta(hours=1))
    poisoned.loc[hour + 1 :, ["x", "z", "y"]] = 1e6
    poisoned.loc[hour + 1 - int(delay / timedelta(hours=1)) :, "y"] = -1e6
    found = compare_policies(world_of(tmp_path, poisoned, monkeypatch), ("every:4d", "drift+every:8d"), CALENDAR)
    for policy in ("never", "every:4d", "drift+every:8d"):
        clean, other = cost(compared, policy), cost(found, policy)
        assert [one for one in other.decided if one.at <= now] == [one for one in clean.decided if one.at <= now]
        assert [one for one in other.refits if one.at <= now] == [one for one in clean.refits if one.at <= now]
        assert other.over_time[: CALENDAR.looks.index(now) - 1] == clean.over_time[: CALENDAR.looks.index(now) - 1]
    assert any(one.at == now for one in cost(found, "every:4d").refits)  # a fit right at the border of the poison
    assert cost(found, "never").loss > 1e4


def test_the_recommendation_names_the_cheapest_policy_near_the_best(compared: Comparison) -> None:
    never, drift = cost(compared, "never"), cost(compared, "drift")
    dear = replace(drift, policy="every:1d", loss=0.97 * drift.loss, fits=50)
    peer = replace(drift, policy="calendar, 3 fits", loss=2 * drift.loss, budget_of="drift")
    said = recommend([never, drift, dear, peer], "absolute_error")
    assert said.startswith("Take drift: ")
    assert "every:1d reaches" in said
    assert f"drift is better than the calendar with {peer.fits} fits" in said
    assert "drift is no better than" in recommend([never, drift, replace(peer, loss=0.9 * drift.loss)], "absolute_error")
    assert "Nothing speaks for refitting" in recommend([never, replace(drift, loss=0.99 * never.loss)], "absolute_error")


def test_the_table_has_a_line_for_each_policy(compared: Comparison) -> None:
    lines = table(compared)
    assert len(lines) == 1 + 1 + len(compared.costs) + 2
    assert "(as many as drift)" in "\n".join(lines)
