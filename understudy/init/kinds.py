"""Says of each column whether it is a number, a category, or no feature at all, and of which columns a row's key is made."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from understudy.init.decided import LeftOut

if TYPE_CHECKING:
    import pandas as pd

_CODES = 10  # whole numbers with at most so many values are codes: seasons, weekdays, flags
_CATEGORIES = 200  # text with more values is a name or a sentence
_KEY_NAME = re.compile(r"(?i)(^|_)(id|key|uuid|guid|instant|index|idx|number|no|nr)$|^unnamed: 0$|Id$|ID$")


@dataclass(frozen=True, slots=True)
class Feature:
    """A column the model sees, and what it holds, in a few words."""

    column: str
    kind: Literal["numeric", "categorical"]
    holds: str


def guess_key(frame: pd.DataFrame, taken: set[str]) -> tuple[list[str], str]:
    """Return the column that identifies a row, and why; an empty list where none does."""
    unique = [name for name in map(str, frame.columns) if name not in taken and _identifies(frame[name], name)]
    named = [name for name in unique if _KEY_NAME.search(name)]
    if not unique:
        return [], "no column has a value of its own for each row; every row counts as a new one"
    return [(named or unique)[0]], "every row has a value of its own there"


def _identifies(column: pd.Series, name: str) -> bool:
    import pandas as pd

    if column.isna().any() or _nested(column) or not column.is_unique:
        return False
    if pd.api.types.is_integer_dtype(column.dtype):
        return bool(_KEY_NAME.search(name)) or _counts_rows(column)
    return bool(_KEY_NAME.search(name)) and not pd.api.types.is_float_dtype(column.dtype)


def _counts_rows(column: pd.Series) -> bool:
    return len(column) > 1 and int(column.max()) - int(column.min()) == len(column) - 1


def sort_columns(frame: pd.DataFrame, taken: set[str]) -> tuple[list[Feature], list[LeftOut]]:
    """Return the features in the file's order, and the columns that are none.

    Args:
        frame: the sample.
        taken: columns with a meaning of their own (target, key, text of the time); they are in neither list.
    """
    features: list[Feature] = []
    out: list[LeftOut] = []
    for name in map(str, frame.columns):
        if name not in taken:
            found = _sort(frame[name], name)
            if isinstance(found, Feature):
                features.append(found)
            else:
                out.append(found)
    return features, out


def _sort(column: pd.Series, name: str) -> Feature | LeftOut:
    import pandas as pd

    known = column.dropna()
    why = _useless(column, known)
    if why:
        return LeftOut(name, why)
    if pd.api.types.is_bool_dtype(column.dtype):
        return Feature(name, "categorical", "true or false")
    if pd.api.types.is_numeric_dtype(column.dtype):
        return _number(known, name)
    return _text(known, name)


def _useless(column: pd.Series, known: pd.Series) -> str | None:
    if known.empty:
        return "it is empty"
    if _nested(known):
        return "it holds lists or objects"
    if column.nunique(dropna=False) == 1:
        return f"it is {known.iloc[0]} in every row"
    return None


def _nested(known: pd.Series) -> bool:
    return known.dtype == object and bool(known.map(lambda value: hasattr(value, "__len__") and not isinstance(value, str | bytes)).any())


def _number(known: pd.Series, name: str) -> Feature | LeftOut:
    import pandas as pd

    whole = pd.api.types.is_integer_dtype(known.dtype) or bool((known % 1 == 0).all())
    values = known.nunique()
    if whole and values == len(known) and (_KEY_NAME.search(name) or _counts_rows(known)):
        return LeftOut(name, "it numbers the rows")
    if whole and values <= _CODES:
        return Feature(name, "categorical", _list(known))
    return Feature(name, "numeric", f"{known.min():.6g} to {known.max():.6g}")


def _text(known: pd.Series, name: str) -> Feature | LeftOut:
    import pandas as pd

    if isinstance(known.dtype, pd.DatetimeTZDtype) or pd.api.types.is_datetime64_any_dtype(known.dtype):
        return LeftOut(name, "it is a time; take from it what matters, such as the hour, in feature code")
    if pd.api.types.infer_dtype(known, skipna=True) == "boolean":
        return LeftOut(name, "it holds true and false with gaps; write the gaps as a word of their own")
    if pd.api.types.infer_dtype(known, skipna=True) not in {"string", "categorical"}:
        return LeftOut(name, f"it mixes kinds ({pd.api.types.infer_dtype(known, skipna=True)})")
    texts = known.astype("string")
    if texts.str.fullmatch(r"-?\d+,\d+").mean() > 0.9:
        return LeftOut(name, "it holds numbers with a decimal comma; write them with a point")
    values = texts.nunique()
    if values > _CATEGORIES or values > max(_CODES, len(known) // 2):
        return LeftOut(name, f"it has {values} different texts: a name or free text")
    return Feature(name, "categorical", _list(texts))


def _list(known: pd.Series) -> str:
    values = sorted(known.unique().tolist(), key=lambda value: (str(type(value)), value))
    shown = ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values[:5])
    return shown if len(values) <= 7 else f"{len(values)} values: {shown}, …"
