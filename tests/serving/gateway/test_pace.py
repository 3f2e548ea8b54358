"""What rows will wait is learned from what rows took."""

import doctest
from random import Random

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
    assert 0.7 < one.seconds(100, 1) < 1.2  # it was 0.1


@pytest.mark.parametrize("sizes", [(1, 2), (1, 1, 1, 1, 2)])
def test_what_calls_of_a_few_rows_took_by_chance_says_nothing_of_thousands(sizes: tuple[int, ...]) -> None:
    for seed in range(50):
        chance, one = Random(seed), Pace()
        for rows in sizes * 8:
            one.saw(rows, 0.4 + chance.uniform(0.0, 0.2))
        assert one.seconds(1800, 1) < 60, seed


def test_what_a_row_surely_costs_is_taken_into_account_though_calls_scatter() -> None:
    for seed in range(50):
        chance, one = Random(seed), Pace()
        for rows in (1, 50, 400) * 8:
            one.saw(rows, (0.01 + 0.001 * rows) * chance.uniform(0.8, 1.2))
        assert 0.6 < one.seconds(1000, 1) < 1.2, seed


LIMIT, ROW = 0.25, 0.01


def waits(chance: Random, rate: float, seconds: float) -> list[float]:
    """Offer rows to one who takes all that wait at once, send away who would wait beyond the limit; return the waits after a second."""
    pace, waiting, taken, begun, free_at, seen = Pace(), [], [], 0.0, 0.0, []
    for now in [number / rate for number in range(int(rate * seconds))]:
        while taken and free_at <= now:
            pace.saw(len(taken), free_at - begun)
            seen += [free_at - came for came in taken if came >= 1]
            taken, waiting, begun = waiting, [], free_at
            free_at = begun + ROW * len(taken) + chance.expovariate(50)  # a call adds 20 ms, or none, or 100
        if pace.seconds(len(taken) + len(waiting), 1) <= LIMIT:
            if taken:
                waiting.append(now)
            else:
                taken, begun, free_at = [now], now, now + ROW + chance.expovariate(50)
    return seen


def test_though_calls_scatter_nobody_waits_long_at_four_times_what_can_be_done() -> None:
    for seed in range(40):
        seen = waits(Random(seed), rate=4 / ROW, seconds=4)
        assert len(seen) > 0.4 * 3 / ROW, seed
        assert max(seen) < 3 * LIMIT, seed
