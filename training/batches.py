"""Learns from a window batch by batch, in order of time, with an estimator that can (scikit-learn's `partial_fit`).

The batches are gone through once for the values of categories, once for the scale of numbers, and then to learn. So how a row is
encoded does not depend on the batches before it, and memory holds one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from contracts.errors import SpecError
from contracts.package import ColumnType
from contracts.spec import PipelineSpec
from training.threads import threads_for

Encoded = Callable[[], Iterator[tuple[pd.DataFrame, Any]]]
"""Gives inputs and target of each batch, anew at each call."""


def cut(rows: pd.DataFrame, size: int) -> Iterator[pd.DataFrame]:
    """Yield a table in batches of so many rows; the last one may be smaller."""
    for start in range(0, len(rows), size):
        yield rows.iloc[start : start + size]


def takes_batches(model: Any, spec: PipelineSpec) -> None:
    """Refuse an estimator that cannot learn from batches.

    Raises:
        SpecError: it cannot.
    """
    if not hasattr(model.named_steps["estimator"], "partial_fit"):
        raise SpecError(
            f"pipeline.yaml: train.batches: {spec.train.estimator} takes no batches, for it has no partial_fit.",
            "Take an estimator such as sklearn.linear_model.SGDRegressor, or write train.sample instead.",
        )


def joined_types(before: Mapping[str, ColumnType], now: Mapping[str, ColumnType]) -> dict[str, ColumnType]:
    """Return the types that columns have in both: a whole number with gaps is a float, as in one table; else they are text.

    >>> joined_types({"a": "int", "b": "bool"}, {"a": "float", "b": "bool"})
    {'a': 'float', 'b': 'bool'}
    """
    if not before:
        return dict(now)
    numbers = ({"int", "float"}, {"float"})
    both = {name: {kind, now[name]} for name, kind in before.items()}
    return {name: before[name] if len(kinds) == 1 else "float" if kinds in numbers else "str" for name, kinds in both.items()}


def learn(model: Any, batches: Encoded, classes: Sequence[Any] | None, passes: int) -> None:
    """Let a pipeline of `columns` and `estimator` learn from all batches, so many times."""
    columns, estimator = model.named_steps["columns"], model.named_steps["estimator"]
    _fit_columns(columns, batches)
    more = {} if classes is None else {"classes": list(classes)}
    for _ in range(passes):
        for inputs, target in batches():
            with threads_for(len(inputs)):
                estimator.partial_fit(columns.transform(inputs), target, **more)


def _fit_columns(columns: Any, batches: Encoded) -> None:
    """Fit the encoders on every value that a category has anywhere, and the scaler on all numbers."""
    categories = [name for part, _, names in columns.transformers if part == "categorical" for name in names]
    values: dict[str, Any] = {}
    for inputs, _ in batches():
        for name in categories:
            values[name] = pd.unique(pd.concat([pd.Series(values.get(name, []), dtype=inputs[name].dtype), inputs[name]]))
        kinds = inputs.dtypes
    count = max([1, *map(len, values.values())])
    shown = {name: [*those, *[those[0]] * (count - len(those))] for name, those in values.items()}
    columns.fit(pd.DataFrame({name: pd.Series(shown.get(name, [0] * count), dtype=kinds[name]) for name in kinds.index}))
    scaler = columns.named_transformers_.get("numeric")
    if hasattr(scaler, "partial_fit"):
        learned = scaler.fit  # forgets the table above
        for inputs, _ in batches():
            learned(inputs[list(scaler.feature_names_in_)])
            learned = scaler.partial_fit
