"""Losses agree with what scikit-learn computes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss, mean_absolute_error, mean_squared_error

from stats.losses import losses

RANDOM = np.random.default_rng(3)


def test_regression_losses_average_to_the_known_metrics() -> None:
    truth, guess = RANDOM.normal(size=50), RANDOM.normal(size=50)
    assert losses("absolute_error", truth, guess).mean() == pytest.approx(mean_absolute_error(truth, guess))
    assert losses("squared_error", truth, guess).mean() == pytest.approx(mean_squared_error(truth, guess))


def test_log_loss_averages_to_the_known_metric_for_two_and_for_many_classes() -> None:
    binary, chance = RANDOM.integers(0, 2, 50).astype(float), RANDOM.uniform(size=50)
    assert losses("log_loss", binary, chance).mean() == pytest.approx(log_loss(binary, chance))
    many, chances = RANDOM.integers(0, 3, 50).astype(float), RANDOM.dirichlet([1, 1, 1], 50)
    assert losses("log_loss", many, chances).mean() == pytest.approx(log_loss(many, chances, labels=[0, 1, 2]))


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="one prediction per truth"):
        losses("brier", np.zeros(3), np.zeros(2))
