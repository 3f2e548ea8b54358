"""MABWiser on given reward tables: it decides unit by unit and learns in the same batches, equally late; prints regrets as JSON.

python bandit_mabwiser.py STREAMS.npz POLICY BATCH DELAY
"""

from __future__ import annotations

import json
import sys
import warnings

import numpy as np
from mabwiser.mab import MAB, LearningPolicy

POLICIES = {"thompson": LearningPolicy.ThompsonSampling(), "ucb1": LearningPolicy.UCB1(alpha=1.0)}


def regret(rewards: np.ndarray, means: np.ndarray, policy: str, seed: int, batch: int, delay: int) -> float:
    """Return what was lost against always asking the best arm, in expectation, over one stream."""
    units, arms = rewards.shape
    mab = MAB(list(range(arms)), POLICIES[policy], seed=seed)
    mab.fit(list(range(arms)), [0] * arms)  # it must be fitted before it can choose
    chosen = np.zeros(units, dtype=int)
    learnt = 0
    for start in range(0, units, batch):
        known = max(0, start - delay)
        if known > learnt:
            mine = chosen[learnt:known]
            mab.partial_fit(mine.tolist(), rewards[np.arange(learnt, known), mine].tolist())
            learnt = known
        for unit in range(start, min(start + batch, units)):
            chosen[unit] = mab.predict()
    return float((means.max() - means[chosen]).sum())


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with np.load(sys.argv[1]) as file:
        rewards, means = file["rewards"], file["means"]
    policy, batch, delay = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    print(json.dumps([regret(one, means, policy, seed, batch, delay) for seed, one in enumerate(rewards)]))
