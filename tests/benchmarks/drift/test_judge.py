"""The judge of the drift benchmark: a peer's threshold gives it the stated false alarms, and power is counted on the same pairs."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from benchmarks.drift.judge import by_window, compared, interval, power, setups

_NULL = np.repeat([True, False], [200, 50])


def _scores(columns: dict[str, np.ndarray]) -> list[dict[str, dict[str, float]]]:
    return [{"one": {name: float(values[row]) for name, values in columns.items()}} for row in range(len(_NULL))]


def test_a_peer_alarms_as_often_as_it_is_told_where_nothing_changed_and_more_where_something_did() -> None:
    random = np.random.default_rng(0)
    small, large = random.exponential(size=250), 1000 * random.exponential(size=250)
    small[200:] += 5
    found = setups(by_window(_scores({"small": small, "large": large}), _NULL), _NULL, 0.05)[0]
    assert found.alarms[_NULL].mean() == pytest.approx(0.05, abs=0.006)
    assert found.alarms[~_NULL].mean() > 0.6  # the column of large numbers does not hide the other


def test_detectors_together_have_no_more_false_alarms_than_one() -> None:
    random = np.random.default_rng(1)
    scores = pd.DataFrame(random.exponential(size=(250, 3)), columns=["a", "b", "c"])
    scores.loc[200:, "b"] += 8
    ways = {one.setup: one.alarms for one in setups(scores, _NULL, 0.05)}
    assert len(ways) == 7
    assert all(alarms[_NULL].mean() <= 0.055 for alarms in ways.values())
    assert ways["a + b + c"][~_NULL].all()
    assert ways["a"][~_NULL].mean() < 0.3


def test_a_score_that_is_never_above_nothing_is_no_alarm_and_any_above_is_one() -> None:
    unseen = np.where(_NULL, 0.0, 0.001)
    assert np.array_equal(setups(pd.DataFrame({"unseen": unseen}), _NULL, 0.05)[0].alarms, ~_NULL)


def test_power_is_compared_on_the_pairs_that_both_saw() -> None:
    pairs = pd.DataFrame({"kind": ["mean"] * 4 + ["none"] * 2, "size": [0.1, 0.1, 0.2, 0.2, 0.0, 0.0]})
    ours, peer = np.array([True, True, False, True, False, False]), np.array([True, False, False])
    assert compared(ours, peer, pairs, "mean")[:2] == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert compared(ours, peer, pairs, "mean")[2] == pytest.approx(np.std([0, 1, 0], ddof=1) / np.sqrt(3))
    curve = power(ours, pairs).set_index(["kind", "size"])
    assert curve.loc[("mean", 0.2), "mean"] == 0.5
    assert curve.loc[("mean", 0.2), "windows"] == 2


def test_the_interval_is_clopper_and_pearsons() -> None:
    assert interval(0, 500) == (0.0, pytest.approx(1 - 0.025 ** (1 / 500)))
    low, high = interval(25, 500)
    assert binomtest(25, 500, low, alternative="greater").pvalue == pytest.approx(0.025)
    assert binomtest(25, 500, high, alternative="less").pvalue == pytest.approx(0.025)
