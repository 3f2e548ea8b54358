"""The area under the ROC curve against scikit-learn's, its error against the definition, its bounds against what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm
from sklearn.metrics import roc_auc_score

from stats.auc import auc


def samples(seed: int, n: int = 60, m: int = 40, shift: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.normal(size=n).round(1), random.normal(shift, 1, m).round(1)  # rounded: there are ties


@pytest.mark.parametrize("seed", range(5))
def test_the_area_is_the_one_scikit_learn_gives_ties_too(seed: int) -> None:
    first, second = samples(seed)
    truth = np.repeat([0, 1], [len(first), len(second)])
    assert auc(first, second).value == pytest.approx(roc_auc_score(truth, np.concatenate([first, second])), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_error_is_delongs_written_out_pair_by_pair(seed: int) -> None:
    first, second = samples(seed)
    wins = (second[:, None] > first[None, :]) + 0.5 * (second[:, None] == first[None, :])
    variance = wins.mean(axis=1).var(ddof=1) / len(second) + wins.mean(axis=0).var(ddof=1) / len(first)
    assert auc(first, second).error == pytest.approx(np.sqrt(variance), rel=1e-12)


def test_the_p_value_is_near_mann_and_whitneys_where_nothing_differs() -> None:
    pairs = [samples(seed, 300, 300, 0.0) for seed in range(40)]
    ours = [auc(*pair).p_value for pair in pairs]
    theirs = [mannwhitneyu(second, first, alternative="greater").pvalue for first, second in pairs]
    assert np.allclose(ours, theirs, atol=0.01)


def test_of_rows_that_come_in_blocks_the_lower_bound_is_above_the_truth_as_often_as_it_says_and_without_blocks_far_too_often() -> None:
    random = np.random.default_rng(5)
    truth, wrong = float(norm.cdf(0.5 / np.sqrt(2 * 2))), {"blocks": 0, "rows": 0}
    blocks = np.repeat(np.arange(12), 30)
    for _ in range(400):
        first, second = (shift + random.normal(size=12).repeat(30) + random.normal(size=360) for shift in (0.0, 0.5))
        wrong["blocks"] += auc(first, second, blocks, blocks).lower(0.05) > truth
        wrong["rows"] += auc(first, second).lower(0.05) > truth
    assert wrong["blocks"] / 400 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 400)
    assert wrong["rows"] / 400 > 0.2


def test_scores_all_apart_or_all_the_same_have_no_error_and_a_certain_answer() -> None:
    zeros, ones = np.zeros(10), np.ones(10)
    assert (auc(zeros, ones).value, auc(zeros, ones).p_value) == (1.0, 0.0)
    assert (auc(zeros, zeros).value, auc(zeros, zeros).p_value) == (0.5, 1.0)


def test_one_block_says_nothing_of_the_spread() -> None:
    with pytest.raises(ValueError, match="two blocks"):
        auc(np.arange(4.0), np.arange(4.0), np.zeros(4, dtype=np.int64), np.arange(4))
