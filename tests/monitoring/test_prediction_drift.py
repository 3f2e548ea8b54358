"""Prediction drift: answers that moved are named, few answers are not judged."""

from __future__ import annotations

import numpy as np

from contracts.events import Severity
from contracts.spec import Monitors
from monitoring.prediction_drift import prediction_drift

LIMITS = Monitors()
RANDOM = np.random.default_rng(31)


def test_answers_that_moved_are_a_warning_and_the_same_answers_are_not() -> None:
    before = RANDOM.beta(2, 5, 2000)
    assert prediction_drift(before, RANDOM.beta(2, 5, 1000), LIMITS)[0].severity is Severity.INFO
    (found,) = prediction_drift(before, RANDOM.beta(4, 3, 1000), LIMITS)
    assert found.severity is Severity.WARN
    assert found.observed is not None
    assert found.observed > 0.5


def test_one_class_of_many_that_moved_is_enough() -> None:
    before, after = RANDOM.dirichlet([5, 5, 1], 2000), RANDOM.dirichlet([5, 5, 3], 1000)
    assert prediction_drift(before, RANDOM.dirichlet([5, 5, 1], 1000), LIMITS)[0].severity is Severity.INFO
    assert prediction_drift(before, after, LIMITS)[0].severity is Severity.WARN


def test_too_few_answers_are_said() -> None:
    (found,) = prediction_drift(np.zeros(500), np.array([]), LIMITS)
    assert (found.severity, found.samples) == (Severity.INFO, 0)
