"""Columns to a model's matrix without a DataFrame, where that gives the very same bits.

A pipeline of our own shape (encoded columns, then an estimator) spends most of a one-row answer on tables. Here its fitted encoders are
read out once, a matrix is filled from plain lists, and the estimator itself answers. Whether both ways agree is not assumed: when a
version is loaded its matrix is compared with scikit-learn's, bit by bit, over every known category, unknown and missing values and
extreme numbers; a version whose matrix differs anywhere is answered by scikit-learn's own transformer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from adapters.package_store import LoadedPackage, coerce
from contracts.package import ColumnType
from serving.columns import Columns

Matrix = npt.NDArray[np.float64]
Predict = Callable[[Columns], Matrix]
_Block = Callable[[Columns, Matrix, int], None]  # fills its part of the matrix, from a column on
_PROBES: dict[ColumnType, tuple[Any, ...]] = {
    "float": (0.0, 1.0, -1.5, math.nan, 1e300, -1e300, 5e-324, math.pi),
    "int": (0, 1, -7, math.nan, 2**53),
    "str": ("", "never seen before", None),
    "bool": (True, False),
}


def table_predictor(package: LoadedPackage) -> Predict:
    """Return the way to answer that every package has: by a DataFrame."""
    return lambda columns: package.predict(pd.DataFrame(columns))


def direct_predictor(package: LoadedPackage) -> Predict | None:
    """Return the way to answer without a DataFrame, or None where the package has another shape or the two ways differ."""
    matrix = direct_matrix(package)
    if matrix is None:
        return None
    answers = estimator_answers(package)
    return lambda columns: answers(matrix(columns))


def direct_matrix(package: LoadedPackage) -> Predict | None:
    """Return what makes the estimator's matrix without a DataFrame, or None where the package has another shape or the two ways differ."""
    return _proved_matrix(package.model.steps[0][1], package) if package.build is None and _is_our_shape(package) else None


def table_matrix(package: LoadedPackage) -> Predict | None:
    """Return what makes the estimator's matrix by a DataFrame, feature code first, or None where the package has another shape."""
    if not _is_our_shape(package):
        return None
    transformer, build, manifest = package.model.steps[0][1], package.build, package.manifest

    def matrix(columns: Columns) -> Matrix:
        inputs = coerce(pd.DataFrame(columns), manifest)
        return np.asarray(transformer.transform(inputs if build is None else build(inputs)), dtype=np.float64)

    return matrix


def estimator_answers(package: LoadedPackage) -> Callable[[Matrix], Matrix]:
    """Return scikit-learn's own answers to the estimator's matrix, in the form of the package's answers."""
    estimator = package.model.steps[1][1]
    if package.manifest.task == "regression":
        return lambda made: np.asarray(estimator.predict(made), dtype=np.float64)
    if package.manifest.task == "binary":
        return lambda made: np.asarray(estimator.predict_proba(made)[:, 1], dtype=np.float64)
    return lambda made: np.asarray(estimator.predict_proba(made), dtype=np.float64)


def _is_our_shape(package: LoadedPackage) -> bool:
    steps = getattr(package.model, "steps", None)
    return steps is not None and len(steps) == 2 and type(steps[0][1]).__name__ == "ColumnTransformer"


def _proved_matrix(transformer: Any, package: LoadedPackage) -> Predict | None:
    """Return what makes the transformer's matrix, bit for bit and in the same memory order, or None."""
    blocks: list[tuple[_Block, int]] = []
    for _, fitted, names in transformer.transformers_:
        maker = _BLOCKS.get(type(fitted).__name__)
        if maker is None or not isinstance(names, list):
            return None
        blocks.append(maker(fitted, names))
    columns = _probe(transformer, package)
    try:
        theirs = np.asarray(transformer.transform(coerce(pd.DataFrame(columns), package.manifest)), dtype=np.float64)
        matrix = _matrix(blocks, "C" if theirs.flags.c_contiguous else "F")
        ours = matrix(columns)
    except (ValueError, TypeError):  # a transformer that refuses a probe: then the long way is taken
        return None
    return matrix if ours.shape == theirs.shape and np.array_equal(ours, theirs, equal_nan=True) else None


def _matrix(blocks: list[tuple[_Block, int]], order: Literal["C", "F"]) -> Predict:
    width = sum(wide for _, wide in blocks)

    def matrix(columns: Columns) -> Matrix:
        made = np.empty((len(next(iter(columns.values()))), width), order=order)
        at = 0
        for fill, wide in blocks:
            fill(columns, made, at)
            at += wide
        return made

    return matrix


def _plain(_fitted: Any, names: list[str]) -> tuple[_Block, int]:
    def fill(columns: Columns, made: Matrix, at: int) -> None:
        made[:, at : at + len(names)] = _numbers(columns, names)

    return fill, len(names)


def _scaled(fitted: Any, names: list[str]) -> tuple[_Block, int]:
    means = fitted.mean_ if fitted.with_mean else np.zeros(len(names))
    scales = fitted.scale_ if fitted.with_std else np.ones(len(names))

    def fill(columns: Columns, made: Matrix, at: int) -> None:
        made[:, at : at + len(names)] = (_numbers(columns, names) - means) / scales

    return fill, len(names)


def _numbers(columns: Columns, names: list[str]) -> Matrix:
    """Return columns side by side, (n, columns); one call for all of them, for of one row each call costs more than its numbers."""
    return np.array([columns[name] for name in names], dtype=np.float64).T


def _ordinal(fitted: Any, names: list[str]) -> tuple[_Block, int]:
    codes = [_codes(one) for one in fitted.categories_]
    unknown = float(fitted.unknown_value) if fitted.unknown_value is not None else math.nan
    if_missing = [float(fitted.encoded_missing_value) if missing is not None else unknown for _, missing in codes]

    def fill(columns: Columns, made: Matrix, at: int) -> None:
        for place, name in enumerate(names):
            known, absent = codes[place][0], if_missing[place]
            made[:, at + place] = [absent if _is_missing(one) else known.get(one, unknown) for one in columns[name]]

    return fill, len(names)


def _onehot(fitted: Any, names: list[str]) -> tuple[_Block, int]:
    codes = [_codes(one) for one in fitted.categories_]
    starts = np.cumsum([0, *(len(one) for one in fitted.categories_)]).tolist()

    def fill(columns: Columns, made: Matrix, at: int) -> None:
        made[:, at : at + starts[-1]] = 0.0
        for place, name in enumerate(names):
            known, missing = codes[place]
            for row, value in enumerate(columns[name]):
                code = missing if _is_missing(value) else known.get(value)
                if code is not None:
                    made[row, at + starts[place] + code] = 1.0

    return fill, starts[-1]


def _codes(categories: npt.NDArray[Any]) -> tuple[dict[Any, int], int | None]:
    """Return the code of each known value, and that of a missing one where rows with it were fitted."""
    values = categories.tolist()
    missing = next((code for code, one in enumerate(values) if _is_missing(one)), None)
    return {one: code for code, one in enumerate(values) if not _is_missing(one)}, missing


def _is_missing(value: Any) -> bool:
    return value is None or value != value  # NaN is the one value that is not itself


_BLOCKS: dict[str, Callable[[Any, list[str]], tuple[_Block, int]]] = {
    "FunctionTransformer": _plain,  # what a fitted "passthrough" is
    "StandardScaler": _scaled,
    "OrdinalEncoder": _ordinal,
    "OneHotEncoder": _onehot,
}


def _probe(transformer: Any, package: LoadedPackage) -> Columns:
    """Return rows in which every column takes each of its known categories and each of the awkward values."""
    known = {
        name: values.tolist()
        for _, fitted, names in transformer.transformers_
        for name, values in zip(names, getattr(fitted, "categories_", ()), strict=False)
    }
    wanted = {name: [*known.get(name, ()), *_PROBES[kind]] for name, kind in package.manifest.columns.items()}
    rows = max(map(len, wanted.values()))
    return {name: [values[row % len(values)] for row in range(rows)] for name, values in wanted.items()}
