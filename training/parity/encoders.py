"""What stands before an estimator, read out of a fitted pipeline: each column as it is, scaled, or as the code of a category."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from training.parity.formula import NotWritten

_UNSEEN, _MISSING = -1.0, -2.0


@dataclass(frozen=True, slots=True)
class Number:
    """A column that is a number: (x - mean) / scale; `mean` and `scale` None: as it is. `column`: its place among the inputs."""

    column: int
    mean: float | None = None
    scale: float | None = None

    @property
    def width(self) -> int:
        """How many columns of the matrix it becomes."""
        return 1


@dataclass(frozen=True, slots=True)
class Category:
    """A column whose values become codes.

    Attributes:
        values: the known ones, in the order of their codes, without the missing one.
        missing: whether a missing value was known when it was fitted.
        one_hot: a column of the matrix for each value (the missing one is last), instead of the code itself.
    """

    column: int
    values: tuple[str | float, ...]
    missing: bool
    one_hot: bool

    @property
    def width(self) -> int:
        """How many columns of the matrix it becomes."""
        return len(self.values) + self.missing if self.one_hot else 1

    @property
    def unseen(self) -> float:
        """What stands for a value that is not known, where the code itself is taken."""
        return _UNSEEN

    @property
    def absent(self) -> float:
        """What stands for a missing value, where the code itself is taken; one that was never missing does not know it."""
        return _MISSING if self.missing else _UNSEEN


def read_encoders(model: Any, columns: Sequence[str]) -> tuple[Number | Category, ...]:
    """Return what becomes of the input columns, in the order of the matrix.

    Args:
        model: scikit-learn's pipeline of a ColumnTransformer and an estimator, fitted.
        columns: the names of the inputs.

    Raises:
        NotWritten: something else stands there.
    """
    found: list[Number | Category] = []
    for _, encoder, names in model.steps[0][1].transformers_:
        kind = "passthrough" if isinstance(encoder, str) else type(encoder).__name__
        places = [columns.index(name) for name in names]
        if kind in {"passthrough", "FunctionTransformer"}:
            found += [Number(place) for place in places]
        elif kind == "StandardScaler":
            found += [
                Number(place, float(mean), float(scale)) for place, mean, scale in zip(places, encoder.mean_, encoder.scale_, strict=True)
            ]
        elif kind in {"OrdinalEncoder", "OneHotEncoder"}:
            found += [_category(place, kind, values) for place, values in zip(places, encoder.categories_, strict=True)]
        elif names:
            raise NotWritten(f"Columns that {kind} encodes are not written.")
    return tuple(found)


def _category(place: int, kind: str, values: Sequence[Any]) -> Category:
    known = [one for one in values if not _is_missing(one)]
    read = tuple(one if isinstance(one, str) else float(one) for one in known)
    return Category(place, read, len(known) < len(values), kind == "OneHotEncoder")


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
