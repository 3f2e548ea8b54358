"""The bounds for bounded values agree with their authors' own code, and hold for dependent and drifting streams at every look."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import integrate
from scipy.special import ndtr, stdtrit
from ville import EmpiricalBernsteinCS

from stats.bernstein_sequence import bernstein_path
from stats.confidence_sequence import asymptotic_path
from stats.sub_exponential import gamma_exponential_boundary

CONFSEQ = json.loads((Path(__file__).parent / "oracles" / "confseq_bounds.json").read_text())


@pytest.mark.parametrize("case", CONFSEQ["gamma_exponential"])
def test_the_boundary_is_that_of_confseq(case: dict[str, Any]) -> None:
    found = gamma_exponential_boundary(np.array(case["variance"]), case["alpha"], case["scale"], case["tightest_at"])
    assert found == pytest.approx(case["bound"], rel=1e-8)


def test_the_interval_is_that_of_confseq_on_a_stream_that_drifts() -> None:
    case = CONFSEQ["bernstein"]
    found = bernstein_path(np.array(case["values"]), case["alpha"], (0.0, 1.0), tightest_at=round(case["v_opt"] * 400))
    assert found.lower == pytest.approx(case["lower"], abs=1e-9)
    assert found.upper == pytest.approx(case["upper"], abs=1e-9)


@pytest.mark.parametrize("case", CONFSEQ["normal"])
def test_the_asymptotic_boundary_is_confseqs_normal_mixture_at_students_quantile(case: dict[str, Any]) -> None:
    stream = np.random.default_rng(0).normal(size=5000)
    path = asymptotic_path(stream, case["alpha"], round(case["tightest_at"]))
    for count, bound in zip(case["count"], case["bound"], strict=True):
        normal = bound / math.sqrt(count)
        expected = -stdtrit(count - 1, ndtr(-normal)) * stream[:count].std(ddof=1) / math.sqrt(count)
        assert path.upper[count - 1] - path.mean[count - 1] == pytest.approx(expected, rel=1e-8)


def test_the_boundary_is_where_the_mixture_by_plain_integration_reaches_one_over_alpha() -> None:
    alpha, variance, best = 0.025, 7.0, 3.0
    both = math.log(1 / (2 * alpha))
    rho = best / (2 * both + math.log1p(2 * both))
    found = float(gamma_exponential_boundary(np.array([variance]), alpha, 1.0, best)[0])

    def weight(rate: float) -> float:  # the gamma density in 1 - rate, cut off at one
        return (1 - rate) ** (rho - 1) * math.exp(-rho * (1 - rate))

    def wealth(rate: float) -> float:
        return weight(rate) * math.exp(rate * found + variance * (math.log1p(-rate) + rate))

    mixed = integrate.quad(wealth, 0, 1)[0] / integrate.quad(weight, 0, 1)[0]
    assert mixed == pytest.approx(1 / alpha, rel=1e-6)


def test_scale_and_place_do_not_matter() -> None:
    values = np.random.default_rng(1).beta(2, 5, 400)
    unit, moved = bernstein_path(values, 0.05, (0.0, 1.0)), bernstein_path(30 * values - 7, 0.05, (-7.0, 23.0))
    assert (moved.lower + 7) / 30 == pytest.approx(unit.lower)
    assert (moved.upper + 7) / 30 == pytest.approx(unit.upper)


def streams(kind: str, random: np.random.Generator, count: int = 400, length: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Values in [-1, 1], and of each the mean given those before it."""
    noise = random.uniform(-1, 1, (count, length))
    if kind == "rare":
        return (random.random((count, length)) < 0.01).astype(float), np.full((count, length), 0.01)
    if kind == "drifts":
        mean = 0.5 * np.sin(np.arange(length) / 200) + np.zeros((count, 1))
        return mean + 0.5 * noise, mean
    values, mean = np.zeros((count, length)), np.zeros((count, length))  # depends: each value leans to the one before it
    for step in range(length):
        mean[:, step] = 0.8 * values[:, step - 1] if step else 0.0
        values[:, step] = mean[:, step] + 0.2 * noise[:, step]
    return values, mean


@pytest.mark.parametrize("kind", ["rare", "drifts", "depends"])
def test_looked_at_after_every_sample_the_running_mean_of_conditional_means_is_missed_in_at_most_alpha(kind: str) -> None:
    values, means = streams(kind, np.random.default_rng(5))
    path = bernstein_path(values, 0.05, (-1.0, 1.0), tightest_at=500)
    true = np.cumsum(means, axis=1) / np.arange(1, means.shape[1] + 1)
    assert ((path.lower > true) | (path.upper < true)).any(axis=1).mean() <= 0.05


def test_it_is_about_as_narrow_as_villes_plug_in_bounds_where_those_hold_too() -> None:
    values = np.random.default_rng(3).beta(5, 5, 5000)
    ours, theirs = bernstein_path(values, 0.05, (0.0, 1.0), tightest_at=2000), EmpiricalBernsteinCS(intersect=False).fit(values)
    lower, upper = theirs.interval()
    assert lower < 0.5 < upper
    assert ours.upper[-1] - ours.lower[-1] <= 1.25 * (upper - lower)


def test_a_value_beyond_the_bounds_is_refused_and_one_sample_stays_within_them() -> None:
    with pytest.raises(ValueError, match="outside of its bounds"):
        bernstein_path(np.array([0.5, 1.1]), 0.05, (0.0, 1.0))
    with pytest.raises(ValueError, match="outside of its bounds"):
        bernstein_path(np.array([0.5, np.nan]), 0.05, (0.0, 1.0))
    path = bernstein_path(np.array([0.5]), 0.05, (0.0, 1.0))
    assert (path.lower[0], path.upper[0]) == (0.0, 1.0)
