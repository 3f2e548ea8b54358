"""What each row of a snapshot was to a version: fitted, held out, or neither, and why."""

from __future__ import annotations

import numpy as np
import pandas as pd

TRAINED = "trained"
HELD_OUT = "held out"
UNLABELLED = "unlabelled"
TOO_OLD = "older than the window"
NOT_SAMPLED = "not in the sample"


def roles(times: pd.Series, target: pd.Series, since: pd.Timestamp | None, cutoff: pd.Timestamp) -> np.ndarray:
    """Return one word for each row.

    Args:
        times: (n,) event times. target: (n,) labels, missing where there is none.
        since, cutoff: event times of the first and the last row that was fitted; with `since` None nothing is too old.

    Returns:
        (n,) object: `trained`, `held out`, `unlabelled` or `older than the window`.
    """
    found = np.full(len(times), TRAINED, dtype=object)
    found[(times > cutoff).to_numpy()] = HELD_OUT
    if since is not None:
        found[(times < since).to_numpy()] = TOO_OLD
    found[target.isna().to_numpy()] = UNLABELLED
    return found
