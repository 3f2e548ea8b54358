"""The e-detector keeps its promise for any distribution, and good days before a rise do not hide it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from stats.e_detector import rise

ALPHA = 0.2


def heavy(random: np.random.Generator, count: int) -> np.ndarray:
    return random.lognormal(-0.5, 1.0, count)  # mean 1, its largest values many times that


def dependent(random: np.random.Generator, count: int) -> np.ndarray:
    """Spread follows the last value (a martingale difference around 1): neither independent nor of one distribution."""
    values, spread = np.empty(count), 0.5
    for index in range(count):
        values[index] = 1 + spread * random.choice([-1.0, 1.0])
        spread = 0.9 if values[index] > 1 else 0.2
    return values


@pytest.mark.parametrize("stream", [heavy, dependent])
def test_with_the_mean_at_its_limit_at_most_alpha_of_streams_ever_reach_the_looks_over_alpha(stream) -> None:  # type: ignore[no-untyped-def]
    random = np.random.default_rng(5)
    streams, looks = 150, 100
    alarmed = 0
    for _ in range(streams):
        values = stream(random, looks)
        evidence = max(rise(values[:n], np.ones(n), top=1.0).evidence for n in range(1, looks + 1))
        alarmed += evidence >= looks / ALPHA
    assert alarmed / streams <= ALPHA


def test_the_evidence_is_the_sum_over_all_starts_that_the_recursion_gives() -> None:
    random = np.random.default_rng(2)
    values, limits = random.exponential(1.0, 60), random.uniform(0.5, 1.5, 60)
    held = np.zeros(5)
    for value, limit in zip(values, limits, strict=True):
        held = (held + 1) * (1 + np.array([0.06, 0.12, 0.25, 0.5, 0.99]) * (value - limit) / 1.5)
    assert rise(values, limits, top=1.5).evidence == pytest.approx(held.mean())


@given(some.lists(some.floats(0, 5), min_size=2, max_size=40), some.integers(1, 39))
def test_looking_at_the_newest_numbers_only_never_shows_more(values: list[float], cut: int) -> None:
    numbers = np.array(values)
    newest = numbers[-cut:]
    whole = rise(numbers, np.ones(len(numbers)), top=1.0).evidence
    assert rise(newest, np.ones(len(newest)), top=1.0).evidence <= whole * (1 + 1e-9)


def test_a_long_good_time_before_a_rise_costs_nothing_and_the_start_is_found_within_a_day_of_hours() -> None:
    random = np.random.default_rng(1)
    bad = random.gamma(25, 1.5 / 25, 30)
    after_long = rise(np.append(random.gamma(25, 0.9 / 25, 2000), bad), np.ones(2030), top=1.0)
    alone = rise(bad, np.ones(30), top=1.0)
    assert after_long.evidence > 0.9 * alone.evidence
    assert abs(after_long.start - 2000) <= 24
    assert alone.evidence > 1000


def test_evidence_stays_finite_and_goes_when_the_rise_is_over() -> None:
    bad = np.full(3000, 9.0)
    assert np.isfinite(rise(bad, np.ones(3000), top=1.0).evidence)
    recovered = np.append(np.full(20, 2.0), np.full(150, 0.8))
    assert rise(recovered, np.ones(170), top=1.0).evidence < rise(recovered[:20], np.ones(20), top=1.0).evidence / 100


@pytest.mark.parametrize(
    ("values", "limits", "message"),
    [([-1.0], [1.0], "0 or more"), ([np.inf], [1.0], "finite"), ([1.0], [0.0], "between 0 and top"), ([1.0], [2.0], "between 0 and top")],
)
def test_what_the_promise_does_not_cover_is_refused(values: list[float], limits: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rise(np.array(values), np.array(limits), top=1.0)


def test_no_numbers_are_no_evidence() -> None:
    assert rise(np.array([]), np.array([]), top=1.0).evidence == 0.0
