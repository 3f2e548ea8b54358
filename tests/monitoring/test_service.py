"""Latency, failures, memory and processors: told always, worth a word beyond their limits, and a lone failure in few requests is not."""

from __future__ import annotations

import pandas as pd
import pytest

from contracts.events import Severity
from contracts.spec import Monitors
from monitoring.service import failures, latency, memory, processors

LIMITS = Monitors(max_latency_p99=20.0, max_memory=500.0, max_processors=0.9)


def test_latency_is_that_of_99_in_100_rows() -> None:
    (quick,) = latency(pd.Series([1.0] * 995 + [50.0] * 5), LIMITS)
    assert (quick.observed, quick.severity) == (1.0, Severity.INFO)
    (slow,) = latency(pd.Series([1.0] * 980 + [50.0] * 20), LIMITS)
    assert (slow.observed, slow.severity) == (50.0, Severity.WARN)
    assert latency(pd.Series([50.0]), Monitors())[0].severity is Severity.INFO, "no limit, no word"
    assert latency(pd.Series([], dtype="float64"), LIMITS) == ()


@pytest.mark.parametrize(("failed", "asked", "loud"), [(1, 100, False), (5, 10_000, False), (40, 10_000, True), (0, 10, False)])
def test_failures_are_worth_a_word_where_even_the_lower_bound_of_their_share_is_beyond_the_limit(
    failed: int, asked: int, loud: bool
) -> None:
    (found,) = failures(failed, asked, LIMITS)
    assert (found.severity is Severity.WARN) == loud, found.reason
    assert found.observed == failed / asked


def test_without_requests_there_is_no_share() -> None:
    assert failures(0, 0, LIMITS) == ()


def test_the_process_with_most_memory_is_named() -> None:
    (found,) = memory({"gateway a": 300_000_000, "gateway b": 600_000_000, "shadow": None}, LIMITS)
    assert (found.observed, found.severity) == (600.0, Severity.WARN)
    assert found.reason == "gateway b has 600 MB in memory (limit 500 MB)"
    assert memory({"gateway a": 300_000_000}, LIMITS)[0].severity is Severity.INFO
    assert memory({"shadow": None}, LIMITS) == ()


def test_the_process_that_keeps_most_processors_busy_is_named() -> None:
    (found,) = processors({"gateway a": 0.4, "shadow of version 2": 0.97, "gateway b": None}, LIMITS)
    assert (found.observed, found.severity) == (0.97, Severity.WARN)
    assert found.reason == "shadow of version 2 keeps 0.97 processors busy (limit 0.9)"
    assert processors({"gateway a": 0.97}, Monitors())[0].severity is Severity.INFO, "no limit, no word"
    assert processors({"gateway a": 0.0}, LIMITS)[0].observed == 0.0, "an idle process is known too"
    assert processors({"gateway a": None}, LIMITS) == ()
