"""Writes confseq_bounds.json: what `confseq` (Howard and others' own C++) says to shared inputs; the tests hold ours against it.

    pip install "numpy<2" "pybind11<3" "cmake<4" "setuptools<70" scikit-build ninja multiprocess scipy pandas matplotlib pytest
    pip install --no-build-isolation --no-deps confseq==0.0.11        # builds from source and needs the headers of Boost
    python tests/stats/oracles/confseq_bounds.py

Run it in an environment of its own: it wants an older numpy than Understudy.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from confseq.boundaries import gamma_exponential_mixture_bound, normal_mixture_bound
from confseq.conjmix_bounded import conjmix_empbern_lower_cs

VARIANCE = [0.01, 0.5, 3.0, 10.0, 77.7, 1e3, 1e5]
CASES = [(0.025, 10.0, 1.0), (0.05, 0.3, 2.0), (0.001, 100.0, 0.1), (0.25, 1.0, 7.0)]  # alpha, tightest at, scale


def stream() -> np.ndarray:
    """Return 300 values in [0, 1] whose mean drifts: fixed by a formula, so that no generator is shared."""
    number = np.arange(300)
    return np.round(0.5 + 0.3 * np.sin(number / 40) + 0.19 * np.cos(number * number), 6)


def main() -> None:
    """Ask confseq and write its answers."""
    values = stream()
    lower, mirrored = (conjmix_empbern_lower_cs(one, v_opt=5.0, alpha=0.05) for one in (values, 1 - values))  # takes half for each side
    found = {
        "gamma_exponential": [
            {"alpha": alpha, "tightest_at": best, "scale": scale, "variance": VARIANCE,
             "bound": gamma_exponential_mixture_bound(np.array(VARIANCE), alpha, best, scale, alpha).tolist()}
            for alpha, best, scale in CASES
        ],
        "normal": [
            {"alpha": alpha, "tightest_at": best, "count": [2, 10, 100, 5000],
             "bound": normal_mixture_bound(np.array([2.0, 10.0, 100.0, 5000.0]), alpha, best, alpha, is_one_sided=False).tolist()}
            for alpha, best in ((0.05, 50.0), (0.01, 500.0))
        ],
        "bernstein": {"values": values.tolist(), "alpha": 0.05, "v_opt": 5.0, "lower": lower.tolist(), "upper": (1 - mirrored).tolist()},
    }  # fmt: skip
    Path(__file__).with_suffix(".json").write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
