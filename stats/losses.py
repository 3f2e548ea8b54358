"""Loss of each single prediction, by the names that pipeline.yaml uses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contracts.spec import LossName

_CLIP = 1e-15  # a probability of exactly 0 would cost infinitely much

Floats = NDArray[np.float64]


def losses(name: LossName, truth: Floats, prediction: Floats) -> Floats:
    """Return the loss of each row, in the unit of the target, its square, or nats.

    Args:
        truth: (n,) values; for `log_loss` and `brier` 0 or 1, or the index of the class where `prediction` has two axes.
        prediction: (n,) values or probabilities of the second class, or (n, k) probabilities.

    Raises:
        ValueError: the shapes do not fit together.

    >>> losses("absolute_error", np.array([3.0, 5.0]), np.array([2.0, 7.0])).tolist()
    [1.0, 2.0]
    >>> losses("brier", np.array([1.0]), np.array([0.75])).tolist()
    [0.0625]
    """
    if prediction.shape[:1] != truth.shape or truth.ndim != 1:
        raise ValueError(f"truth has shape {truth.shape} and predictions {prediction.shape}; one prediction per truth is needed")
    if name in ("absolute_error", "squared_error"):
        if prediction.ndim != 1:
            raise ValueError(f"{name} needs one number per row, not predictions of shape {prediction.shape}")
        error = prediction - truth
        return np.abs(error) if name == "absolute_error" else np.square(error)
    if prediction.ndim == 1:
        likelihood = np.where(truth == 1, prediction, 1.0 - prediction)
        return -np.log(np.maximum(likelihood, _CLIP)) if name == "log_loss" else np.square(prediction - truth)
    index = truth.astype(np.int64)
    if name == "log_loss":
        return -np.log(np.maximum(prediction[np.arange(len(index)), index], _CLIP))
    per_row: Floats = np.square(prediction - np.eye(prediction.shape[1])[index]).sum(axis=1)
    return per_row
