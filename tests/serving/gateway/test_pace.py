"""What rows will wait is learned from what rows took."""

import doctest

import pytest

from serving.gateway import pace
from serving.gateway.pace import Pace


def test_the_example_in_its_words_holds() -> None:
    assert doctest.testmod(pace).failed == 0


def test_nothing_is_foretold_before_anything_was_seen() -> None:
    assert Pace().seconds(1000, 2) == 0.0


def test_where_all_calls_were_alike_rows_are_taken_to_cost_nothing_of_their_own() -> None:
    one = Pace()
    for _ in range(20):
        one.saw(1, 0.002)
    assert one.seconds(5000, 10) == pytest.approx(0.02)


def test_a_version_that_becomes_slower_is_noticed_within_a_few_calls() -> None:
    one = Pace()
    for rows in (1, 20) * 50:
        one.saw(rows, 0.001 * rows)
    for rows in (1, 20) * 15:
        one.saw(rows, 0.01 * rows)
    assert one.seconds(100, 1) == pytest.approx(1.0, rel=0.2)
