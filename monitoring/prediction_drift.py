"""Prediction drift: does the champion answer as it did on the rows that were held out when it was fitted?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contracts.events import Finding, Severity
from contracts.spec import Monitors
from stats.psi import psi
from stats.smooth_test import smooth_p_value


def prediction_drift(reference: NDArray[np.float64], window: NDArray[np.float64], limits: Monitors) -> tuple[Finding, ...]:
    """Return one finding: `warn` where the answers' distribution moved by test and by effect size.

    Args:
        reference: answers to held-out rows, (n,) or (n, k) with a column per class.
        window: (m,) or (m, k) answers to live rows.
    """
    if min(len(reference), len(window)) < limits.min_rows:
        reason = f"{len(window)} answers against {len(reference)} to held-out rows; {limits.min_rows} of each are needed"
        return (Finding("prediction_drift", "prediction", Severity.INFO, None, limits.min_effect, None, len(window), reason),)
    pairs = list(zip(_columns(reference), _columns(window), strict=True))
    effect = max(psi(before, after) for before, after in pairs)
    p_value = min(1.0, len(pairs) * min(smooth_p_value(before, after) for before, after in pairs))
    moved = p_value <= limits.fdr and effect >= limits.min_effect
    reason = (
        f"predictions {'moved' if moved else 'are as on the held-out rows'}: mean {reference.mean(axis=0).round(4).tolist()} then, "
        f"{window.mean(axis=0).round(4).tolist()} now; stability index {effect:.3f} (limit {limits.min_effect:g}), p {p_value:.2g}"
    )
    severity = Severity.WARN if moved else Severity.INFO
    return (Finding("prediction_drift", "prediction", severity, effect, limits.min_effect, p_value, len(window), reason),)


def _columns(answers: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.atleast_2d(answers.T)
