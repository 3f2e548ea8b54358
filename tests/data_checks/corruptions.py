"""Damage to a month of the bike data, and what a pipeline as `init` proposes it says of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adapters.checks import run_suite
from contracts.columns import EVENT_TIME
from contracts.spec import PipelineSpec
from contracts.verdict import Outcome, Verdict
from data_checks.history.judge import History, judge_history
from data_checks.propose import propose_suite
from data_checks.quarantine import split
from data_checks.verdicts import check_verdicts
from understudy.init.proposal import checked_spec, propose
from understudy.init.sample import Sample

START, MONTH = pd.Timestamp("2012-04-01", tz="UTC"), pd.Timedelta(days=30)
Damage = Callable[[pd.DataFrame], pd.DataFrame]


def few(rows: pd.DataFrame, share: float) -> pd.Index:
    """Return the index of a share of the rows, drawn."""
    return rows.sample(frac=share, random_state=0).index


def with_some(column: str, share: float, value: Any) -> Damage:
    """Write one value into a share of a column's rows."""
    return lambda rows: rows.assign(
        **{column: rows[column].astype("object").where(~rows.index.isin(few(rows, share)), value).infer_objects()}
    )


def again(rows: pd.DataFrame, *, new_keys: bool) -> pd.DataFrame:
    """Repeat the tenth day."""
    day = rows[rows["dteday"] == "2012-04-10"]
    return pd.concat([rows, day.assign(instant=day["instant"] + 1_000_000) if new_keys else day], ignore_index=True)


def without(rows: pd.DataFrame, first: str, last: str) -> pd.DataFrame:
    """Drop the rows of some days."""
    return rows[~rows["dteday"].between(first, last)].reset_index(drop=True)


def shuffled(rows: pd.DataFrame) -> pd.DataFrame:
    """Give each row the target of another one."""
    return rows.assign(cnt=rows["cnt"].sample(frac=1, random_state=0).to_numpy())


DAMAGES: dict[str, Damage] = {
    "nothing": lambda rows: rows,
    "a column is dropped (`temp`)": lambda rows: rows.drop(columns="temp"),
    "a feature in another unit (`temp` × 10)": lambda rows: rows.assign(temp=rows["temp"] * 10),
    "a feature in another unit (`temp` ÷ 10)": lambda rows: rows.assign(temp=rows["temp"] / 10),
    "the target in another unit (`cnt` × 10)": lambda rows: rows.assign(cnt=rows["cnt"] * 10),
    "a common category is renamed (`weathersit` 1, 65 % of rows)": lambda rows: rows.assign(weathersit=rows["weathersit"].replace(1, 11)),
    "a rare category is renamed (`holiday` 1, 3 % of rows)": lambda rows: rows.assign(holiday=rows["holiday"].replace(1, 2)),
    "5 % of a feature is empty (`hum`)": with_some("hum", 0.05, None),
    "half a percent of a feature is empty (`hum`)": with_some("hum", 0.005, None),
    "5 % of the target is empty": with_some("cnt", 0.05, None),
    "a day is there twice": lambda rows: again(rows, new_keys=False),
    "a day is there twice, under new keys": lambda rows: again(rows, new_keys=True),
    "the target is shuffled": shuffled,
    "five days are missing": lambda rows: without(rows, "2012-04-10", "2012-04-14"),
    "one day is missing": lambda rows: without(rows, "2012-04-10", "2012-04-10"),
    "half of each day's rows are lost": lambda rows: rows.drop(index=few(rows, 0.5)).reset_index(drop=True),
    "the file is stale: last month's again": lambda rows: rows.iloc[:0],
    "a sensor is stuck (`hum` is 0.5)": lambda rows: rows.assign(hum=0.5),
    "two columns are swapped (`hum`, `windspeed`)": lambda rows: rows.assign(hum=rows["windspeed"], windspeed=rows["hum"]),
    "the target is another day's (joined a day late)": lambda rows: rows.assign(cnt=rows["cnt"].shift(24).bfill().astype(int)),
    "the target is another hour's (joined an hour late)": lambda rows: rows.assign(cnt=rows["cnt"].shift(1).bfill().astype(int)),
    "a tenth of the targets are shuffled": lambda rows: rows.assign(
        cnt=rows["cnt"].where(~rows.index.isin(few(rows, 0.1)), shuffled(rows)["cnt"])
    ),
    "a feature is blurred (`temp`, by 0.05)": lambda rows: rows.assign(
        temp=(rows["temp"] + np.random.default_rng(0).normal(0, 0.05, len(rows))).clip(0, 1)
    ),
}


@dataclass(frozen=True)
class World:
    """A pipeline proposed from the file's first fifteen months."""

    frame: pd.DataFrame
    spec: PipelineSpec
    suite: dict[str, Any]

    def judge(self, batch: pd.DataFrame, start: pd.Timestamp = START) -> tuple[list[Verdict], int]:
        """Return what is said of a batch, and how many rows are set aside."""
        past = self.frame[self.frame[EVENT_TIME] < start]
        newest = None if past.empty else past[EVENT_TIME].max()
        history = History(past[past[EVENT_TIME] >= start - self.spec.checks.reference], newest, start + MONTH)
        if batch.empty:
            return list(judge_history(self.spec, batch, history)), 0
        answer = run_suite(self.suite, batch)
        parts = split(batch, answer)
        found = check_verdicts(answer, len(parts.quarantined), self.spec.checks.max_quarantined)
        return [*found, *judge_history(self.spec, parts.kept, history)], len(parts.quarantined)


@cache
def world(real_data: Path) -> World:
    """Propose, as `understudy init` does."""
    frame = pd.read_csv(real_data / "bike_sharing" / "hour.csv").drop(columns=["casual", "registered", "yr"])
    times = pd.to_datetime(frame["dteday"] + " " + frame["hr"].astype(str), format="%Y-%m-%d %H", utc=True)
    sample = Sample(Path("hour.csv"), ",", frame[times < START])
    spec = checked_spec(propose("bike", sample, "cnt", (), None))
    return World(frame.assign(**{EVENT_TIME: times}), spec, propose_suite(sample.frame, spec))


def month(known: World, start: pd.Timestamp = START) -> pd.DataFrame:
    """Return thirty days of the file."""
    times = known.frame[EVENT_TIME]
    return known.frame[(times >= start) & (times < start + MONTH)].reset_index(drop=True)


def told(found: list[Verdict], aside: int) -> tuple[str, str]:
    """Return what happens to the batch, and by which checks: the first three by name."""
    failed = [one for one in found if one.outcome is Outcome.FAIL]
    said = [one for one in found if one.reason.startswith("Warning only")]
    what = "refused" if failed else f"{aside} rows set aside" if aside else "said" if said else "not seen"
    names = [_short(one) for one in failed or said]
    if aside and not failed:
        names = ["row expectations", *names]
    names = list(dict.fromkeys(names))
    return what, ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _short(one: Verdict) -> str:
    return one.gate.removeprefix("expect_").replace("column_values_to_", "").replace("table_columns_to_", "").replace("_", " ")


def table(known: World) -> list[str]:
    """Return the table as the page shows it."""
    lines = ["| Damage to a month of rows | What happens | By |", "|---|---|---|"]
    for name, damage in DAMAGES.items():
        lines.append("| " + " | ".join((name, *told(*known.judge(damage(month(known)))))) + " |")
    return lines


def unharmed(known: World) -> list[tuple[str, str, str]]:
    """Return (month, what happens, by) for each month after the sample as it is."""
    starts = [START + number * MONTH for number in range(9)]
    return [(f"{start:%Y-%m-%d}", *told(*known.judge(month(known, start), start))) for start in starts]
