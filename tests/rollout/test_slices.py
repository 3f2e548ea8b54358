"""Each slice is judged by a confidence sequence of its own; the one that does worst speaks."""

from __future__ import annotations

import numpy as np
import pandas as pd

from contracts.spec import SliceGuardrail
from contracts.verdict import Outcome, Verdict
from rollout.slices import worst_slice
from stats.confidence_sequence import asymptotic_path

BLOCKS = 40


def judged(means: dict[object, float], margin: float = 1.0, seed: int = 0, blocks: int = BLOCKS, alpha: float = 0.01) -> Verdict:
    """Every slice has one row a block, with so much gain in the mean and noise of one."""
    values = pd.Series(list(means) * blocks, dtype="object")
    gains = np.array(list(means.values()) * blocks) + np.random.default_rng(seed).normal(size=len(values))
    limits = SliceGuardrail(column="shop", margin=margin)
    return worst_slice("2", values, lambda mask: gains[mask], lambda found, share: asymptotic_path(found, share), limits, alpha, 8)


def test_slices_that_keep_the_margin_pass_and_the_least_is_shown() -> None:
    found = judged({"a": 2.0, "b": 0.0, "c": 1.0})
    assert (found.gate, found.outcome, found.samples, found.limit) == ("worst_slice shop", Outcome.PASS, BLOCKS, -1.0)
    assert "where shop is 'b', of 3 values judged" in found.reason


def test_a_slice_shown_to_be_worse_fails_whatever_the_others_gain() -> None:
    found = judged({"a": 5.0, "b": -3.0, "c": 5.0})
    assert found.outcome is Outcome.FAIL
    assert found.upper is not None
    assert found.upper < -1.0


def test_in_between_it_is_inconclusive() -> None:
    assert judged({"a": 5.0, "b": -1.2}).outcome is Outcome.INCONCLUSIVE


def test_a_slice_with_too_few_blocks_is_not_judged() -> None:
    assert judged({"a": -9.0}, blocks=7).outcome is Outcome.INCONCLUSIVE
    assert judged({None: -9.0, "a": 3.0}).outcome is Outcome.PASS  # rows without a value are in no slice


def test_with_many_slices_at_the_margin_looked_at_often_hardly_one_rollout_in_twenty_fails() -> None:
    failed = 0
    for seed in range(100):
        means = {f"s{number}": -1.0 for number in range(12)}
        failed += any(judged(means, seed=seed, blocks=blocks, alpha=0.05).outcome is Outcome.FAIL for blocks in (10, 20, 40))
    assert failed <= 5
