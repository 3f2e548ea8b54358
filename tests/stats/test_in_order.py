"""What stands at a place of two samples together is what it is after sorting them."""

from __future__ import annotations

import numpy as np
import pytest

from stats.in_order import in_order, taken_together


@pytest.mark.parametrize("distinct", [3, 1_000_000])
@pytest.mark.parametrize("sizes", [(1, 1), (1, 40), (40, 1), (150, 37)])
def test_every_place_of_both_samples_is_found_without_merging(sizes: tuple[int, int], distinct: int) -> None:
    random = np.random.default_rng(1)
    first, second = (np.sort(random.integers(0, distinct, size).astype(float)) for size in sizes)
    places = np.arange(sum(sizes))
    assert np.array_equal(taken_together(first, second, places), np.sort(np.concatenate([first, second])))


def test_numbers_that_are_in_order_are_not_sorted_again() -> None:
    there = np.array([1.0, 1.0, 2.0])
    assert in_order(there) is there
    assert in_order(there[::-1]).tolist() == [1.0, 1.0, 2.0]
