"""What becomes of a batch whose columns are not those of the snapshots before it, by the spec's rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from contracts.columns import REASONS
from contracts.source import ColumnRules
from data_checks.schema import kind_of

_HOW = {"appears": "add or ignore", "disappears": "fill", "type": "convert"}


@dataclass(frozen=True, slots=True)
class Fitted:
    """A table with the columns of the snapshots before it.

    Attributes:
        rows: what goes on.
        misfits: rows with a value that cannot be of the old type, as they came, with `quarantine_reasons`.
        filled: columns that did not come.
        conflicts: one sentence each for what the rule refuses; then the table is refused as a whole.
    """

    rows: pd.DataFrame
    misfits: pd.DataFrame
    filled: tuple[str, ...]
    conflicts: tuple[str, ...]


def fit_columns(before: Mapping[str, str], frame: pd.DataFrame, rule: ColumnRules) -> Fitted:
    """Hold a table against the columns that are known, and do what the rule says; a wider number is no other type.

    Args:
        before: column name → pandas dtype name in the newest snapshot; empty where there is none.
        frame: rows as they came.
        rule: the spec's.
    """
    if not before:
        return Fitted(frame, _aside(frame, {}), (), ())
    conflicts = [_appeared(str(name), frame) for name in frame if name not in before] if rule.appears == "refuse" else []
    rows = frame[[name for name in frame if name in before]] if rule.appears == "ignore" else frame
    missing = tuple(name for name in before if name not in frame)
    if rule.disappears == "refuse":
        conflicts += [_missing(name, before[name]) for name in missing]
    reasons: dict[int, list[str]] = {}
    changed = {}
    for name, dtype in before.items():
        if name in rows and kind_of(str(rows[name].dtype)) != kind_of(dtype):
            changed[name] = converted = _converted(rows[name], dtype)
            lost = (converted.isna() & rows[name].notna()).to_numpy()
            if rule.type == "refuse" and rows[name].notna().any():
                conflicts.append(_changed(name, dtype, rows[name], int(lost.argmax()) if lost.any() else int(rows[name].notna().argmax())))
            for row in lost.nonzero()[0]:
                reasons.setdefault(int(row), []).append(f"column_type({name})")
    if conflicts:
        return Fitted(frame, _aside(frame, {}), (), tuple(conflicts))
    rows = rows.assign(**changed, **{name: _empty(before[name], rows.index) for name in missing})
    kept = rows.drop(index=rows.index[sorted(reasons)]) if reasons else rows
    return Fitted(kept.reset_index(drop=True), _aside(frame, reasons), missing, ())


def _aside(frame: pd.DataFrame, reasons: Mapping[int, list[str]]) -> pd.DataFrame:
    positions = sorted(reasons)
    aside = frame.iloc[positions].reset_index(drop=True)
    return aside.assign(**{REASONS: pd.Series(["; ".join(reasons[row]) for row in positions], dtype="str")})


def _converted(column: pd.Series, dtype: str) -> pd.Series:
    """Return the values in the old type; empty where one cannot be."""
    match kind_of(dtype):
        case "number":
            return pd.to_numeric(column.astype("object").map(_number, na_action="ignore"), errors="coerce").astype("float64")
        case "truth value":
            known = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
            return column.astype("string").str.strip().str.lower().map(known).astype("boolean")
        case "time":
            return pd.to_datetime(column.astype("string"), errors="coerce", utc=True, format="ISO8601").astype("datetime64[us, UTC]")
        case _:
            return column.astype("string").astype("str")


def _number(value: object) -> object:
    return int(value) if isinstance(value, bool) else value


def _empty(dtype: str, index: pd.Index) -> pd.Series:
    kind = kind_of(dtype)
    kinds = {"number": "float64", "truth value": "boolean", "time": "datetime64[us, UTC]"}
    return pd.Series(index=index, dtype=kinds.get(kind, "str"))


def _remedy(key: str) -> str:
    return f"(source.on_change.{key}: {_HOW[key]} would take it)"


def _appeared(name: str, frame: pd.DataFrame) -> str:
    return f"column '{name}' ({kind_of(str(frame[name].dtype))}) was never there before {_remedy('appears')}."


def _missing(name: str, dtype: str) -> str:
    return f"column '{name}' is missing; it was {kind_of(dtype)} {_remedy('disappears')}."


def _changed(name: str, dtype: str, now: pd.Series, row: int) -> str:
    kinds = f"was {kind_of(dtype)} and is {kind_of(str(now.dtype))}"
    return f"column '{name}' {kinds}: {dtype}, now {now.dtype}, such as {now.iloc[row]!r} in row {row + 1} {_remedy('type')}."
