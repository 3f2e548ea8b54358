"""Which rows may count, and that no other one can."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pandas as pd
import pytest

from contracts.rollout import Phase, Route, fresh_state
from rollout.contest import Contest, contest_of
from rollout.pairs import Heard, pair
from tests.rollout.frames import HOUR, REHEARSAL, START, WATCH, answers, feedback, heard, model, shadow


def counted(contest: Contest, said: Heard) -> pd.DataFrame:
    rows = pair(contest, said)
    return rows[rows["label"].notna() & ~rows["waits"]]


@pytest.mark.parametrize("who", ["judged", "against"])
def test_a_row_at_or_before_either_cutoff_is_never_counted_however_it_is_sneaked_in(who: str) -> None:
    cutoff = START + 4 * HOUR
    contest = replace(REHEARSAL, **{who: model("2" if who == "judged" else "1", cutoff)})
    said = heard(answers([1.0] * 10), [1.0] * 10, shadow([1.0] * 10))
    # row 4 lies on the cutoff to the microsecond; rows 0 to 3 were fitted on; each was answered, labelled and rehearsed
    assert counted(contest, said)["event_time"].tolist() == [pd.Timestamp(START + hour * HOUR) for hour in range(5, 10)]
    also = said.answers.copy()
    also.loc[4, "event_time"] += timedelta(microseconds=1)
    assert len(counted(contest, replace(said, answers=also))) == 6


def test_a_row_fitted_on_that_is_logged_again_with_a_later_time_is_still_not_counted() -> None:
    contest = replace(REHEARSAL, judged=model("2", START + 4 * HOUR))
    said = heard(answers([1.0] * 10), [1.0] * 10, shadow([1.0] * 10))
    again = said.answers.iloc[:5].assign(event_time=said.answers["event_time"].iloc[5:].to_numpy())  # same ids, times past the cutoff
    for live in (pd.concat([said.answers, again]), pd.concat([again, said.answers])):
        rows = counted(contest, replace(said, answers=live.reset_index(drop=True)))
        assert rows["request_id"].tolist() == [f"r{number}" for number in range(5, 10)]


def test_another_row_of_a_request_that_lies_after_the_cutoff_counts() -> None:
    contest = replace(REHEARSAL, judged=model("2", START + 4 * HOUR))
    said = heard(answers([1.0] * 10), [1.0] * 10, shadow([1.0] * 10))
    one = {"request_id": "big", "row": range(10)}  # one request of ten rows, an hour apart
    whole = replace(said, answers=said.answers.assign(**one), feedback=said.feedback.assign(**one), judged=said.judged.assign(**one))
    assert counted(contest, whole)["row"].tolist() == [5, 6, 7, 8, 9]


def test_while_rehearsing_only_what_the_candidate_answered_in_this_epoch_counts() -> None:
    before = shadow([9.0] * 10, epoch=1)
    said = heard(answers([1.0] * 10), [1.0] * 10, pd.concat([before, shadow([2.0] * 10).iloc[3:6]]))
    rows = pair(REHEARSAL, said)
    assert rows["judged"].dropna().tolist() == [2.0, 2.0, 2.0]
    assert rows["event_time"].min() == pd.Timestamp(START + 3 * HOUR)
    assert rows["waits"].tolist() == [False] * 3 + [True] * 4  # what was logged later waits; what was logged before is out of scope


def test_rows_another_version_answered_are_paired_with_the_champions_answer_in_shadow() -> None:
    live = pd.concat([answers([5.0] * 4, version="0").iloc[:2], answers([1.0] * 4).iloc[2:]], ignore_index=True)
    said = heard(live, [1.0] * 4, shadow([2.0] * 4), shadow([1.5] * 4, epoch=7).iloc[:1])
    rows = pair(REHEARSAL, said)
    assert rows["against"].fillna(-1).tolist() == [1.5, -1, 1.0, 1.0]
    assert rows["waits"].tolist() == [False, True, False, False]


def test_under_watch_only_requests_of_the_epoch_count_and_the_new_champion_is_judged_on_what_it_said_live() -> None:
    before = [answers([5.0] * 6, version="1", epoch=2).iloc[:2], answers([5.0] * 6, version="2", epoch=1).iloc[2:3]]
    live = pd.concat([*before, answers([1.0] * 6, version="2", epoch=3).iloc[3:]])
    said = heard(live, [1.0] * 6, against=pd.concat([shadow([4.0] * 6, epoch=2), shadow([2.0] * 6, epoch=3).iloc[:5]]))
    rows = pair(WATCH, said)
    assert (rows["judged"].tolist(), rows["against"].fillna(-1).tolist()) == ([1.0, 1.0, 1.0], [2.0, 2.0, -1])
    assert rows["waits"].tolist() == [False, False, True]


def test_a_request_asked_or_answered_twice_counts_once() -> None:
    twice = pd.concat([answers([1.0] * 3), answers([1.0] * 3)], ignore_index=True)
    said = heard(twice, [1.0] * 3, pd.concat([shadow([2.0] * 3), shadow([3.0] * 3)], ignore_index=True))
    assert pair(REHEARSAL, said)["judged"].tolist() == [3.0] * 3


def test_a_row_that_raised_is_answered_but_is_no_pair() -> None:
    said = heard(answers([1.0] * 3), [1.0] * 3, shadow([None] * 3, errors=["ValueError: no"] * 3))
    rows = pair(REHEARSAL, said)
    assert not rows["waits"].any()
    assert rows["judged_error"].tolist() == ["ValueError: no"] * 3


def test_unlabelled_rows_stay_and_rows_come_in_order_of_time() -> None:
    live = answers([1.0] * 4).iloc[::-1]
    said = replace(heard(live, [1.0] * 4, shadow([2.0] * 4)), feedback=feedback([7.0] * 4).iloc[:1])
    rows = pair(REHEARSAL, said)
    assert rows["event_time"].is_monotonic_increasing
    assert rows["label"].fillna(-1).tolist() == [7.0, -1, -1, -1]


def test_who_is_judged_follows_from_the_state() -> None:
    idle = replace(fresh_state("p"), route=Route(4, model("1"), model("2")), candidate=model("2"), previous=model("0"))
    assert contest_of(idle) is None
    assert contest_of(replace(idle, phase=Phase.RUNNING)) == Contest(model("2"), model("1"), 4)
    assert contest_of(replace(idle, phase=Phase.WATCHING)) == Contest(model("1"), model("0"), 4, watching=True)
    assert contest_of(replace(fresh_state("p"), phase=Phase.RUNNING)) is None
