"""What time it is for a pipeline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from adapters.data_repo import DataRepo
from adapters.settings import read_settings
from adapters.traffic_log import TrafficLog, epoch_us
from contracts.columns import EVENT_TIME
from contracts.spec import PipelineSpec
from contracts.traffic import AnsweredBatch
from flows.stages.clock import pipeline_now

WALL = PipelineSpec.model_validate(
    {
        "name": "sales",
        "task": "regression",
        "source": {"kind": "file", "path": "rows.csv"},
        "columns": {"time": "at", "target": "y", "features": {"numeric": ["x"]}},
        "train": {"holdout": "1d", "estimator": "x.y"},
        "gates": [{"metric": "mae", "max": 1}],
        "rollout": {"stages": [{"kind": "shadow", "loss": "absolute_error"}]},
    }
)
EVENT = WALL.model_copy(update={"clock": "event"})
THEN = datetime(2012, 5, 1, 12, tzinfo=UTC)


def test_the_event_clock_is_the_traffics_then_the_datas_then_the_walls(tmp_path: Path) -> None:
    settings = read_settings(tmp_path / "home", tmp_path)
    now = datetime.now(UTC)
    assert abs(pipeline_now(settings, EVENT) - now) < timedelta(minutes=1)
    rows = pd.DataFrame({"x": [1.0], "y": [2.0], EVENT_TIME: pd.Series([pd.Timestamp(THEN)]).astype("datetime64[us, UTC]")})
    DataRepo(settings).add("sales", rows, rows.iloc[:0], [])
    assert pipeline_now(settings, EVENT) == THEN
    later = [THEN + timedelta(hours=hours) for hours in (5, 9, 2)]
    times = [epoch_us(at) for at in later]
    TrafficLog(settings.traffic / "sales").append(
        AnsweredBatch("sales", "1", 1, "champion", 1.0, 0, 0, ["a", "b", "c"], [0, 0, 0], times, [None] * 3, {}, [0.0] * 3)
    )
    assert pipeline_now(settings, EVENT) == THEN + timedelta(hours=9)
    assert abs(pipeline_now(settings, WALL) - now) < timedelta(minutes=1)
