"""River: its stream detectors; each column's reference, then its window, go by as one stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from drift_runner import main, surprise
from river.drift import ADWIN, KSWIN

_DELTAS = (0.2, 0.05, 0.01, 0.002, 1e-4, 1e-6)  # ADWIN gives no p-value: the smallest of these that still alarms is its score
_MOST = 3  # frequent categories of a column, each a stream of zeros and ones


def _prepare(table: Any) -> dict[str, np.ndarray]:
    return {name: table[name].to_numpy() for name in table.column_names}


def _streams(reference: dict[str, np.ndarray], window: dict[str, np.ndarray], *, words: bool) -> Iterator[tuple[str, np.ndarray, int]]:
    for name, before in reference.items():
        both = np.concatenate([before, window[name]])
        if both.dtype == np.float64:
            hole = np.isnan(both)
            yield name, both[~hole], int((~hole[: len(before)]).sum())
            if words and hole.any():
                yield f"{name} missing", hole.astype(float), len(before)
        elif words:
            values, counts = np.unique(before.astype(str), return_counts=True)
            for word in values[np.argsort(-counts)][:_MOST]:
                yield f"{name} {word}", (both == word).astype(float), len(before)


def _adwin(reference: dict[str, np.ndarray], window: dict[str, np.ndarray]) -> dict[str, float]:
    found = {}
    for name, stream, known in _streams(reference, window, words=True):
        width = stream.std() or 1.0
        scaled = np.clip((stream - stream.mean()) / (8 * width) + 0.5, 0, 1).tolist()  # its bounds are for 0 to 1
        found[name] = max((surprise(delta) for delta in _DELTAS if _alarms(scaled, known, delta)), default=0.0)
    return found


def _alarms(stream: list[float], known: int, delta: float) -> bool:
    detector, seen = ADWIN(delta=delta), False
    for place, value in enumerate(stream):
        detector.update(value)
        seen = seen or (place >= known and detector.drift_detected)
    return seen


def _kswin(reference: dict[str, np.ndarray], window: dict[str, np.ndarray]) -> dict[str, float]:
    found = {}
    for name, stream, known in _streams(reference, window, words=False):
        detector = KSWIN(alpha=1e-12, window_size=len(stream), stat_size=len(stream) - known, seed=0)
        for value in stream.tolist():
            detector.update(value)
        found[name] = surprise(detector.p_value)
    return found


if __name__ == "__main__":
    main(_prepare, {"ADWIN": _adwin, "KSWIN": _kswin}, ("ADWIN",))
