"""A confidence sequence that is thinned for a picture keeps its ends and its order."""

from __future__ import annotations

import pytest

from contracts.confidence import ConfidenceSteps


def grown(count: int) -> ConfidenceSteps:
    means = [float(one) for one in range(count)]
    return ConfidenceSteps("2", 0.5, list(range(2, count + 2)), means, [one - 1 for one in means], [one + 1 for one in means])


@pytest.mark.parametrize("count", [61, 500])
def test_the_first_and_the_newest_step_stay_and_each_keeps_its_numbers(count: int) -> None:
    thin = grown(count).thinned(60)
    assert (len(thin.blocks), thin.blocks[0], thin.blocks[-1]) == (60, 2, count + 1)
    assert thin.blocks == sorted(set(thin.blocks))
    assert [(block - 2.0, block - 3.0, block - 1.0) for block in thin.blocks] == list(zip(thin.mean, thin.lower, thin.upper, strict=True))
    assert (thin.version, thin.margin) == ("2", 0.5)


def test_what_is_short_enough_is_left_alone() -> None:
    assert grown(60).thinned(60) == grown(60)
    assert grown(0).thinned(60) == grown(0)
