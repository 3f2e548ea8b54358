"""A simulated world of ad clicks: made, not measured; seeded, so that the same hours give the same rows on any machine.

Each hour has a generator of its own, seeded by (seed, hour), so any range of times can be asked for in any order. The chance of a click
follows the hour of the day and the day of the week; on `shift_at` the concept shifts: what device and price do to a click turns around.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from contracts.columns import EVENT_TIME
from contracts.spec import SimulatorSource

_HOUR = timedelta(hours=1)
_LENGTH = timedelta(days=120)  # the simulated world ends here where nobody says until when
_DEVICES, _SLOTS, _TOPICS = ("phone", "desktop", "tablet"), ("top", "side", "foot"), ("news", "sport", "shop", "games")


def simulate(source: SimulatorSource, after: datetime | None, until: datetime | None) -> pd.DataFrame:
    """Return the rows with after < event_time ≤ until, in time order.

    Returns:
        impression (key), at (ISO 8601), hour, weekday, price, relevance, age, visits, device, slot, topic, clicked (0 or 1), event_time.
    """
    return pd.concat(simulated_days(source, after, until), ignore_index=True)


def simulated_days(source: SimulatorSource, after: datetime | None, until: datetime | None) -> Iterator[pd.DataFrame]:
    """Yield the rows of `simulate`, a day at a time; at least one table, if only an empty one."""
    start = _day(source.start)
    first = start if after is None else max(start, after)
    last = start + _LENGTH if until is None else until
    begin = start + ((first - start) // _HOUR) * _HOUR
    count = max(0, -((begin - last) // _HOUR))
    for day in range(0, max(count, 1), 24):
        hours = [_hour(source, start, begin + number * _HOUR) for number in range(day, min(day + 24, count))]
        frame = pd.concat(hours, ignore_index=True) if hours else _hour(source, start, start).iloc[:0]
        kept = (frame[EVENT_TIME] <= last) & ((frame[EVENT_TIME] > after) if after is not None else True)
        yield frame[kept].reset_index(drop=True)


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _hour(source: SimulatorSource, start: datetime, hour: datetime) -> pd.DataFrame:
    number = (hour - start) // _HOUR
    draw = np.random.default_rng([source.seed, number])
    count = source.rows_per_hour
    seconds = np.sort(draw.integers(0, 3600 * 10**6, count))
    frame = pd.DataFrame(
        {
            "impression": number * count + np.arange(count),
            "hour": hour.hour,
            "weekday": hour.weekday(),
            "price": draw.gamma(2.0, 15.0, count).round(2),
            "relevance": draw.beta(2.0, 3.0, count).round(4),
            "age": draw.integers(16, 80, count),
            "visits": draw.poisson(3.0, count),
            "device": draw.choice(_DEVICES, count, p=(0.55, 0.35, 0.10)),
            "slot": draw.choice(_SLOTS, count),
            "topic": draw.choice(_TOPICS, count),
        }
    )
    shifted = source.shift_at is not None and hour >= _day(source.shift_at)
    frame["clicked"] = (draw.random(count) < click_chance(frame, shifted=shifted)).astype("int64")
    frame[EVENT_TIME] = pd.Series(pd.Timestamp(hour) + pd.to_timedelta(seconds, unit="us")).astype("datetime64[us, UTC]")
    frame.insert(1, "at", frame[EVENT_TIME].dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    return frame


def click_chance(frame: pd.DataFrame, *, shifted: bool) -> np.ndarray:
    """Return the true chance of a click per row: the best that any model can know."""
    season = 0.5 * np.sin(2 * np.pi * (frame["hour"] - 15) / 24) + np.where(frame["weekday"] >= 5, 0.3, 0.0)
    turn = -1.0 if shifted else 1.0
    device = turn * frame["device"].map({"phone": 0.9, "desktop": -0.7, "tablet": 0.0}).astype("float64")
    price = -turn * 0.03 * (frame["price"] - 30)
    slot = frame["slot"].map({"top": 0.6, "side": 0.0, "foot": -0.6}).astype("float64")
    logit = -1.2 + season + device + price + slot + 2.0 * (frame["relevance"] - 0.4)
    return np.asarray(1 / (1 + np.exp(-logit)))
