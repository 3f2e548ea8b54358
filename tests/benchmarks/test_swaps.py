"""The swaps' benchmark calls an answer wrong when it is: three of each kind, written by hand."""

from __future__ import annotations

import math

import pytest

from benchmarks.served.checked import Answer
from benchmarks.swaps import Swap, _times, misversioned

DONE = [Swap("0", 0.0, 0.1, 0.2), Swap("1", 10.0, 10.1, 10.5), Swap("0", 20.0, 20.1, 20.3)]
TRUTH = {"0": 0.25, "1": 0.75}


@pytest.mark.parametrize(
    ("sent", "answered", "version", "said", "wrong"),
    [
        (1.0, 1.1, "0", 0.25, False),
        (1.0, 1.1, "0", 0.75, True),  # it says what the other would
        (1.0, 1.1, "1", 0.75, True),  # before its decision
        (9.9, 10.05, "1", 0.75, False),  # while its decision is being saved
        (10.2, 10.4, "0", 0.25, False),  # not every worker has told yet
        (10.6, 10.7, "0", 0.25, True),  # they have
        (19.0, 19.1, "1", 0.75, False),
        (25.0, 25.1, "1", 0.75, True),
    ],
)
def test_an_answer_is_wrong_where_its_version_is_not_in_force_or_says_what_another_would(
    sent: float, answered: float, version: str, said: float, wrong: bool
) -> None:
    found = misversioned(DONE, [Answer(sent, answered, version, said)], TRUTH)
    assert bool(found) is wrong


def test_a_swap_lasts_until_the_last_worker_told_and_the_last_old_answer_came() -> None:
    late = [Answer(10.0, 10.9, "0", 0.25), Answer(10.0, 10.2, "1", 0.75)]
    assert _times(DONE, late) == pytest.approx([0.8, 0.2])
    assert _times(DONE, []) == pytest.approx([0.4, 0.2])
    assert not any(math.isinf(one) for one in _times(DONE, late))
