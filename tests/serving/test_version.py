"""A version is called quick by what it takes, never by what it is."""

import time
from typing import Any

import numpy as np

from contracts.package import Manifest
from serving.version import _is_quick

MANIFEST = Manifest(pipeline="p", task="regression", target="y", columns={"a": "float", "kind": "str"}, cutoff="2026-01-01T00:00:00Z")


def instant(columns: dict[str, list[Any]]) -> np.ndarray:
    return np.zeros(len(columns["a"]))


def slow_for_many(columns: dict[str, list[Any]]) -> np.ndarray:
    end = time.thread_time() + 0.002 * (len(columns["a"]) > 1)
    while time.thread_time() < end:
        pass
    return instant(columns)


def refuses(_columns: dict[str, list[Any]]) -> np.ndarray:
    raise ValueError("not these")


def test_quick_is_who_answers_one_row_and_many_in_less_than_a_hand_over_takes() -> None:
    assert _is_quick(instant, MANIFEST)
    assert not _is_quick(slow_for_many, MANIFEST)
    assert not _is_quick(refuses, MANIFEST)


def test_who_is_held_up_while_it_is_loaded_is_quick_all_the_same() -> None:
    calls = 0

    def predict(columns: dict[str, list[Any]]) -> np.ndarray:
        nonlocal calls
        calls += 1
        return slow_for_many({"a": [0.0] * 2}) if calls < 8 else instant(columns)

    assert _is_quick(predict, MANIFEST)
    assert calls > 8
