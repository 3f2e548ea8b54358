"""By the event clock a tick reads what can count, however old, and leaves the rest of a long log unread; the evidence is the same."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from adapters import traffic_frames
from adapters.pipeline_files import Pipeline, load_pipeline
from adapters.settings import Settings, read_settings
from adapters.traffic_closed import ClosedPart
from adapters.traffic_closing import close_segments
from adapters.traffic_log import TrafficLog, epoch_us
from contracts.rollout import ModelRef
from contracts.traffic import AnsweredBatch, FeedbackBatch, ShadowBatch
from flows.stages.evidence import hear, newest_event
from rollout.contest import Contest
from rollout.pairs import Heard, pair
from tests.flows.stages.rollout_world import HOUR, SPEC, START

NOW, DAY = datetime.now(UTC), timedelta(days=1)
DAYS, FITTED = 40, 30  # one segment of each stream a day; the candidate was fitted on the first thirty
CONTEST = Contest(
    ModelRef("2", "d2", "file:///2", "s1", START + FITTED * DAY - HOUR), ModelRef("1", "d1", "file:///1", "s1", START - DAY), epoch=2
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (place := tmp_path / "pipelines" / "sales").mkdir(parents=True)
    (place / "pipeline.yaml").write_text(json.dumps(SPEC))
    (place / "params.yaml").write_text("seed: 1\n")
    return read_settings(tmp_path / "home", tmp_path / "pipelines")


def serve(settings: Settings, day: int, logged: datetime, name: str = "r") -> None:
    """Log a day that happened that many days after the start, and close its segments."""
    log, stamp = TrafficLog(settings.traffic / "sales"), epoch_us(logged)
    for hour in range(24):
        number = day * 24 + hour
        one, at = [f"{name}{number}"], [epoch_us(START + number * HOUR)]
        log.append(AnsweredBatch("sales", "1", 1, "champion", 1, stamp, 900, one, [0], at, [None], {"x": [hour]}, [110.0]))
        log.append(FeedbackBatch("sales", stamp + 1, one, [0], [100.0], [None], [stamp + 1]))
        log.append(ShadowBatch("sales", "2", 2, epoch_us(NOW), 800, one, [0], [101.0]))
    log.close()
    for stream in ("answers", "feedback", "shadow-2"):
        close_segments(settings.traffic / "sales" / stream, pytest.fail)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Return how many closed segments of each stream had rows read."""
    count: Counter[str] = Counter()
    real = ClosedPart.groups

    def counted(self: ClosedPart, *args: Any) -> Iterator[dict[str, Any]]:
        count[self.path.parent.name] += 1
        return real(self, *args)

    monkeypatch.setattr(ClosedPart, "groups", counted)
    return count


def everything(settings: Settings) -> Heard:
    log = TrafficLog(settings.traffic / "sales")
    none = traffic_frames.failures(log)
    return Heard(
        traffic_frames.answers(log),
        traffic_frames.feedback(log),
        traffic_frames.shadow_answers(log, "2"),
        traffic_frames.shadow_answers(log, "1"),
        none,
        lambda: traffic_frames.features(log),
    )


def same_evidence(one: Heard, other: Heard) -> None:
    mine, theirs = (pair(CONTEST, heard).drop(columns="batch") for heard in (one, other))
    pd.testing.assert_frame_equal(mine, theirs)
    assert len(mine) == (DAYS - FITTED) * 24
    assert newest_event(one.answers) == newest_event(other.answers) == START + (DAYS * 24 - 1) * HOUR
    asked, all_asked = one.asked(), other.asked()
    assert len(asked) == len(mine)
    pd.testing.assert_frame_equal(asked, all_asked.tail(len(asked)).reset_index(drop=True))


def pipeline(settings: Settings) -> Pipeline:
    return load_pipeline(settings, "sales")


def test_of_a_log_of_forty_days_a_tick_reads_the_ten_that_can_count(settings: Settings, opened: Counter[str]) -> None:
    for day in range(DAYS):  # logged as it happened, the newest 30 days before the epoch began: by the wall too old to be read
        serve(settings, day, NOW - (DAYS - day + 30) * DAY)
    heard = hear(settings, pipeline(settings), CONTEST, began=NOW, until=NOW + HOUR)
    assert opened == {"answers": DAYS - FITTED, "feedback": DAYS - FITTED, "shadow-2": DAYS}
    same_evidence(heard, everything(settings))


def test_a_replay_of_years_in_an_hour_is_read_whole_so_that_no_fitted_row_comes_back(settings: Settings, opened: Counter[str]) -> None:
    for day in range(DAYS):
        serve(settings, day, NOW - HOUR)
    log = TrafficLog(settings.traffic / "sales")
    again, after = ["r5"], [epoch_us(START + (DAYS * 24 - 1) * HOUR)]  # a fitted row, said to have happened after the cutoff
    log.append(AnsweredBatch("sales", "1", 1, "champion", 1, epoch_us(NOW), 900, again, [0], after, [None], {"x": [1]}, [110.0]))
    heard = hear(settings, pipeline(settings), CONTEST, began=NOW, until=NOW + HOUR)
    assert opened["answers"] == DAYS
    rows = pair(CONTEST, heard)
    assert "r5" not in set(rows["request_id"])
    assert len(rows) == (DAYS - FITTED) * 24
