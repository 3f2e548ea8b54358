"""Paired answers: the same request, answered by the version that is judged and by the one it is held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from contracts.traffic import Hole
from rollout.contest import Contest

KEY = ["request_id", "row"]
_LOGGED = [*KEY, "event_time", "prediction"]  # beside the features of what was asked


def nothing_asked() -> pd.DataFrame:
    """Return the features of a log that has none."""
    return pd.DataFrame({"request_id": pd.Series(dtype="str"), "row": pd.Series(dtype="int64")})


@dataclass(frozen=True, slots=True)
class Heard:
    """What the traffic log says, in the columns of adapters.traffic_frames.

    Attributes:
        answers: what users were answered, by whichever version.
        feedback: labels, the last one of each row.
        judged, against: what either version answered in shadow; empty where it did not.
        failures: requests that failed through a fault of ours.
        asked: reads the features of what was asked; called only where a gate needs them.
        holes: when answers could not be logged.
    """

    answers: pd.DataFrame
    feedback: pd.DataFrame
    judged: pd.DataFrame
    against: pd.DataFrame
    failures: pd.DataFrame
    asked: Callable[[], pd.DataFrame] = nothing_asked
    holes: tuple[Hole, ...] = ()


def pair(contest: Contest, heard: Heard) -> pd.DataFrame:
    """Return every logged row that may count, with what both versions answered and its label, in order of event time.

    A row may count when its event time lies after both versions' cutoffs and the version in shadow has come to it: while watching that is
    every row of this epoch; while rehearsing all from the first that the candidate answered under this epoch. A row that was ever logged
    with a time at or before a cutoff never counts, whatever time it is logged with again.

    Returns:
        The columns of the log and label (None where there is none yet), `judged` and `against` (predictions, None where there is none),
        `judged_error` and `against_error` (text or None), `waits` (a version has not come to this row yet).
    """
    rows = _after(contest.cutoff, heard.answers)
    rows = _watched(contest, heard, rows) if contest.watching else _rehearsed(contest, heard, rows)
    labels = heard.feedback[[*KEY, "label"]].astype({"label": "object"})
    rows = rows.merge(labels, on=KEY, how="left").sort_values("event_time", kind="stable", ignore_index=True)
    rows["waits"] = ~(rows["judged_spoke"] & rows["against_spoke"])
    return rows.drop(columns=["judged_spoke", "against_spoke"])


def asked_of(contest: Contest, heard: Heard, rows: pd.DataFrame) -> pd.DataFrame:
    """Return what was asked and what either version answered, in the order of rows that `pair` gave.

    Returns:
        The features, missing where the log has none, and `answers of version N`: numbers, or the place of the likeliest class.
    """
    features = _once(heard.asked())
    frame = rows[KEY].merge(features.drop(columns=[one for one in _LOGGED[2:] if one in features]), on=KEY, how="left").drop(columns=KEY)
    for who, model in (("judged", contest.judged), ("against", contest.against)):
        frame[f"answers of version {model.version}"] = rows[who].map(_place, na_action="ignore").to_numpy(dtype=np.float64)
    return frame


def _place(prediction: Any) -> float:
    return float(np.argmax(prediction)) if np.ndim(prediction) else float(prediction)


def _after(cutoff: datetime, answers: pd.DataFrame) -> pd.DataFrame:
    later = answers["event_time"] > cutoff
    rows, before = answers[later], answers[~later]
    suspects = rows["request_id"].isin(before["request_id"])
    if not suspects.any():
        return rows
    known = pd.MultiIndex.from_frame(before[KEY])
    return rows[~(suspects & pd.MultiIndex.from_frame(rows[KEY]).isin(known))]


def _watched(contest: Contest, heard: Heard, rows: pd.DataFrame) -> pd.DataFrame:
    mine = rows[(rows["epoch"] == contest.epoch) & (rows["version"] == contest.judged.version)]
    return _join(_spoken_live(mine, "judged"), _of_epoch(heard.against, contest.epoch), "against")


def _rehearsed(contest: Contest, heard: Heard, rows: pd.DataFrame) -> pd.DataFrame:
    rows = _join(_once(rows), _of_epoch(heard.judged, contest.epoch), "judged")
    began = rows.loc[rows["judged_spoke"], "event_time"].min()
    rows = rows[rows["event_time"] >= began]
    own = rows["version"] == contest.against.version
    # a version never changes, so what the champion answered in shadow may come from any epoch
    others = _join(rows[~own].drop(columns="prediction"), heard.against, "against")
    return pd.concat([_spoken_live(rows[own], "against"), others], ignore_index=True) if len(others) else _spoken_live(rows, "against")


def _of_epoch(shadow: pd.DataFrame, epoch: int) -> pd.DataFrame:
    return shadow[shadow["epoch"] == epoch]


def _once(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.drop_duplicates(KEY, keep="last")  # a client that asks twice by one id has asked once


def _spoken_live(rows: pd.DataFrame, who: str) -> pd.DataFrame:
    return _once(rows).rename(columns={"prediction": who}).assign(**{f"{who}_error": None, f"{who}_spoke": True})


def _join(rows: pd.DataFrame, shadow: pd.DataFrame, who: str) -> pd.DataFrame:
    said = _once(shadow)[[*KEY, "prediction", "error"]].rename(columns={"prediction": who, "error": f"{who}_error"})
    joined = rows.merge(said.assign(**{f"{who}_spoke": True}), on=KEY, how="left")
    joined[f"{who}_spoke"] = joined[f"{who}_spoke"].eq(True)
    return joined
