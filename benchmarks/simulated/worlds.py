"""Six worlds in which a candidate is worse by exactly the margin, request for request; with margin 0 it is exactly as good.

Champion and candidate err by numbers that hang together (correlation 0.8). The loss is |error|, whose mean is proportional to the error's
scale, so the candidate's scale is set to lose `margin` more. In the world of rare labels the champion knows the base rate only; the
candidate knows more but thinks the rare ones rarer than they are, by as much as costs it what it knows: a loss difference as skewed as
they come.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.signal import lfilter
from scipy.special import expit

from benchmarks.simulated.looks import Flags, Floats

_NORMAL, _T3 = float(np.sqrt(2 / np.pi)), float(2 * np.sqrt(3) / np.pi)  # the mean of |error| where the scale is 1
_RATE = 0.01
BLOCK = 100  # requests: an hour, or the day of the season


@dataclass(frozen=True, slots=True)
class Stream:
    """Loss differences (rollouts, requests), and which labels are positive where they are classes."""

    differences: Floats
    positive: Flags | None = None


Draw = Callable[[np.random.Generator, tuple[int, int], float], Stream]


@dataclass(frozen=True, slots=True)
class World:
    """How requests come.

    Attributes:
        loss: of the spec.
        margin: a twentieth of the champion's mean loss.
        draw: (random, (rollouts, requests), margin) to a stream in which the candidate loses `margin` more.
    """

    name: str
    loss: str
    margin: float
    draw: Draw


def _pair(random: np.random.Generator, shape: tuple[int, int]) -> tuple[Floats, Floats]:
    one, other = random.standard_normal((2, *shape))
    return one, 0.8 * one + 0.6 * other


def _losses(errors: tuple[Floats, Floats], scale: Floats | float, own: Floats | float, mean: float, margin: float) -> Stream:
    """The champion's errors have `scale`, the candidate's `own`, and what the margin adds."""
    return Stream(np.abs(scale * errors[0]) - np.abs((own + margin / mean) * errors[1]))


def independent(random: np.random.Generator, shape: tuple[int, int], margin: float) -> Stream:
    return _losses(_pair(random, shape), 1.0, 1.0, _NORMAL, margin)


def autoregressive(random: np.random.Generator, shape: tuple[int, int], margin: float) -> Stream:
    longer = (shape[0], shape[1] + 50)
    one, other = (lfilter([0.6], [1.0, -0.8], errors, axis=1)[:, 50:] for errors in _pair(random, longer))
    return _losses((one, other), 1.0, 1.0, _NORMAL, margin)


def seasonal(random: np.random.Generator, shape: tuple[int, int], margin: float) -> Stream:
    """By day the candidate is better, by night the champion."""
    wave = 0.5 * np.sin(2 * np.pi * np.arange(shape[1]) / BLOCK)
    return _losses(_pair(random, shape), 1 + wave, 1 - wave, _NORMAL, margin)


def heavy(random: np.random.Generator, shape: tuple[int, int], margin: float) -> Stream:
    spread = np.sqrt(random.chisquare(3, shape) / 3)
    one, other = _pair(random, shape)
    return _losses((one / spread, other / spread), 1.0, 1.0, _T3, margin)


def drifting(random: np.random.Generator, shape: tuple[int, int], margin: float) -> Stream:
    """The errors' scale walks at random, by a tenth each block."""
    walk = np.exp(0.1 * random.standard_normal((shape[0], -(-shape[1] // BLOCK))).cumsum(axis=1))
    scale = np.repeat(walk, BLOCK, axis=1)[:, : shape[1]]
    return _losses(_pair(random, shape), scale, scale, _NORMAL, margin)


def rare(random: np.random.Generator, shape: tuple[int, int], margin: float) -> Stream:
    rate, shift = _rare_world(margin)
    known = random.standard_normal(shape)
    positive = random.random(shape) < expit(rate + known)
    sign = np.where(positive, -1.0, 1.0)
    return Stream(np.logaddexp(0, sign * np.log(_RATE / (1 - _RATE))) - np.logaddexp(0, sign * (rate + shift + known)), positive)


def _rare_world(margin: float) -> tuple[float, float]:
    """Return the log odds of the rate where nothing is known, and how much too low the candidate's are."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(101)
    weights = weights / weights.sum()
    rate = float(brentq(lambda at: float(weights @ expit(at + nodes)) - _RATE, -12, 0))
    chance = expit(rate + nodes)

    def loss(odds: Floats) -> float:
        return float(weights @ (chance * np.logaddexp(0, -odds) + (1 - chance) * np.logaddexp(0, odds)))

    champion = loss(np.full_like(nodes, np.log(_RATE / (1 - _RATE))))
    return rate, float(brentq(lambda shift: loss(rate + shift + nodes) - champion - margin, -8, 0))


WORLDS = [
    World("independent", "absolute_error", 0.05 * _NORMAL, independent),
    World("AR(1) 0.8", "absolute_error", 0.05 * _NORMAL, autoregressive),
    World("daily season", "absolute_error", 0.05 * _NORMAL, seasonal),
    World("heavy tails (t3)", "absolute_error", 0.05 * _T3, heavy),
    World("rare labels (1 %)", "log_loss", 0.05 * 0.056, rare),
    World("drifting variance", "absolute_error", 0.05 * _NORMAL, drifting),
]
