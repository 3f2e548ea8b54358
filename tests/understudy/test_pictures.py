"""The report's pictures can be read: no label covers another."""

from __future__ import annotations

import re
from itertools import pairwise

import pandas as pd
from hypothesis import given
from hypothesis import strategies as some

from understudy.pictures import error_over_time, label_lines

YEAR = pd.Timedelta(days=365)


@given(some.lists(some.integers(0, 365), max_size=30))
def test_two_labels_on_one_line_are_never_nearer_than_a_label_is_wide(days: list[int]) -> None:
    times = [pd.Timestamp("2012-01-01") + pd.Timedelta(days=day) for day in sorted(days)]
    lines = label_lines(times, YEAR)
    for number in set(lines):
        mine = [at for at, line in zip(times, lines, strict=True) if line == number]
        assert all(after - before >= 0.035 * YEAR for before, after in pairwise(mine))


def test_labels_that_have_room_stay_on_the_lowest_line_and_every_version_is_named() -> None:
    weeks = pd.date_range("2012-01-01", periods=52, freq="W")
    assert label_lines([weeks[0], weeks[20], weeks[40]], YEAR) == [0, 0, 0]
    errors = pd.DataFrame({"served": range(52), "once": range(52)}, index=weeks)
    drawn = error_over_time(errors, [(weeks[one], str(one)) for one in (3, 4, 5)], "error")
    assert set(re.findall(r"<!-- (v\d) -->", drawn)) == {"v3", "v4", "v5"}
