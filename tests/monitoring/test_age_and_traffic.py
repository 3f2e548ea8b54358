"""A champion too old is refitted; volume and labels are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from contracts.events import Severity
from monitoring.age import champion_age
from monitoring.traffic import label_coverage, traffic_volume

NOW = datetime(2026, 2, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(("days", "severity"), [(27, Severity.INFO), (28, Severity.INFO), (28.1, Severity.RETRAIN)])
def test_a_champion_older_than_it_may_be_asks_for_a_retrain(days: float, severity: Severity) -> None:
    (found,) = champion_age(NOW - days * DAY, NOW, 28 * DAY)
    assert found.severity is severity
    assert found.observed == pytest.approx(days / 28)
    assert found.reason == f"the champion has answered for {days:.1f} d; it may for 4w"


def test_without_a_limit_or_a_champion_there_is_no_age() -> None:
    assert champion_age(NOW, NOW, None) == ()
    assert champion_age(None, NOW, DAY) == ()


def test_volume_is_told_as_a_share_of_the_training_datas() -> None:
    trained, asked = (pd.Series(pd.date_range(NOW, periods=count, freq=freq)) for count, freq in ((240, "1h"), (240, "30min")))
    (found,) = traffic_volume(asked, trained)
    assert found.observed == pytest.approx(2.0, rel=0.01)
    assert found.severity is Severity.INFO
    assert traffic_volume(asked[:0], trained)[0].reason == "0 rows"


def test_coverage_counts_only_labels_that_are_due() -> None:
    times = pd.Series(pd.date_range(NOW - DAY, periods=24, freq="1h"))
    labelled = pd.Series([1.0] * 15 + [None] * 9, dtype="object")
    asked = pd.DataFrame({"event_time": times, "label": labelled, "observed_at": (times + timedelta(hours=3)).where(labelled.notna())})
    (found,) = label_coverage(asked, NOW - timedelta(hours=5))
    assert found.reason == "75.0% of 20 rows whose label is due have one; half of them came within 3.0 h"
    assert label_coverage(asked, NOW - 2 * DAY) == ()
