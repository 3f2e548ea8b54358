"""Nobody is promoted over a hole in the log, unless the spec says that a word is enough."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest

from contracts.traffic import Hole
from contracts.verdict import Outcome
from rollout.complete import complete, first_logged

HOLES = (Hole(1_000_000, 3_000_000, 4, "No space left on device"), Hole(9_000_000, 9_500_000, 2, "No space left on device"))


def test_a_whole_log_says_nothing() -> None:
    assert complete((), 0, "wait") == ()
    assert complete(HOLES, 9_500_001, "wait") == ()


@pytest.mark.parametrize(("rule", "outcome"), [("wait", Outcome.INCONCLUSIVE), ("warn", Outcome.PASS)])
def test_a_hole_among_what_counts_is_told_with_its_rows_and_time(rule: str, outcome: Outcome) -> None:
    (verdict,) = complete(HOLES, 2_000_000, rule)  # type: ignore[arg-type]  # one of the two words
    assert (verdict.gate, verdict.outcome, verdict.observed, verdict.limit) == ("traffic_log", outcome, 2.0, 0.0)
    assert "6 rows answered between 1970-01-01 00:00:01 and 1970-01-01 00:00:09 UTC" in verdict.reason
    assert complete(HOLES, None, "wait")[0].observed == 2.0


def test_only_answers_after_the_cutoff_count() -> None:
    at = pd.to_datetime([10, 20, 30], unit="s", utc=True)
    answers = pd.DataFrame({"event_time": at, "logged_at": at + pd.Timedelta(seconds=5)})
    assert first_logged(answers, datetime.fromtimestamp(10, UTC)) == 25_000_000
    assert first_logged(answers, datetime.fromtimestamp(30, UTC)) is None
