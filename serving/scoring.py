"""MLflow's scoring protocol: five forms of a table become columns, predictions become `{"predictions": […]}`."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from contracts.package import Manifest
from serving.columns import BadRequest, Columns, read_columns, shown
from serving.tensors import choose_labels

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
OUTPUTS = ("probability", "label")
_TRUE, _FALSE = ("true", "1"), ("false", "0")


def read_scoring(body: Any, manifest: Manifest, required: Collection[str] = ()) -> Columns:
    """Turn a JSON scoring request into the manifest's columns; columns it does not know are ignored, as MLflow does.

    Raises:
        BadRequest: names the column, and the row (0 is the first) where one row is at fault.
    """
    found = [name for name in FORMS if isinstance(body, dict) and name in body]
    if len(found) != 1:
        raise BadRequest(f"The request needs exactly one of {', '.join(FORMS)}.", f"It has: {', '.join(found) or 'none'}.")
    content = body[found[0]]
    if found[0] == "dataframe_split":
        given = _split(content)
    elif isinstance(content, dict) and found[0] == "inputs":
        given = {name: values if isinstance(values, list) else [values] for name, values in content.items()}
    elif isinstance(content, list) and content and all(isinstance(one, dict) for one in content):
        given = _records(content)
    elif isinstance(content, list) and found[0] != "dataframe_records":
        given = _rows(content, list(manifest.columns), "the model")
    else:
        raise BadRequest(f"'{found[0]}' is not a table.", "Send a list of objects, one for each row.")
    return read_columns({name: _flat(values) for name, values in given.items()}, manifest.columns, required)


def _split(content: Any) -> dict[str, list[Any]]:
    names, data = (content.get("columns"), content.get("data")) if isinstance(content, dict) else (None, None)
    if not isinstance(names, list) or not isinstance(data, list) or not all(isinstance(name, str) for name in names):
        raise BadRequest("'dataframe_split' needs 'columns', a list of names, and 'data', a list of rows.")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadRequest(f"Column {shown(twice)} was sent twice.")
    return _rows(data, names, "'columns'")


def _records(content: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Rows as objects; a key that a row lacks is a missing value there, as pandas has it."""
    return {name: [row.get(name) for row in content] for name in dict.fromkeys(name for row in content for name in row)}


def _rows(data: list[Any], names: list[str], whose: str) -> dict[str, list[Any]]:
    for number, row in enumerate(data):
        if not isinstance(row, list) or len(row) != len(names):
            raise BadRequest(f"Row {number} is not a list of the {len(names)} values that {whose} has: {', '.join(names)}.")
    return {name: [row[place] for row in data] for place, name in enumerate(names)}


def _flat(values: list[Any]) -> list[Any]:
    return [one[0] if isinstance(one, list) and len(one) == 1 else one for one in values]


def read_csv(text: str, manifest: Manifest, required: Collection[str] = ()) -> Columns:
    """Turn CSV with a header into the manifest's columns.

    Raises:
        BadRequest: names the column and the row.
    """
    import pandas as pd

    try:
        header = next((row for row in csv.reader(io.StringIO(text, newline="")) if row), [])
        frame = pd.read_csv(io.StringIO(text), dtype=str)
    except (ValueError, csv.Error) as error:  # pandas' parser errors are ValueErrors
        raise BadRequest(f"The CSV cannot be read: {str(error).strip().splitlines()[0]}.") from None
    if not isinstance(
        frame.index, pd.RangeIndex
    ):  # pandas would take the first value for the row's name, and each column for its neighbour's
        raise BadRequest(f"The CSV cannot be read: row 0 has more values than the header has names ({len(frame.columns)}).")
    given: dict[str, list[Any]] = {}
    for name, kind in manifest.columns.items():
        if header.count(name) > 1:  # pandas would take the first and call the others by names of its own
            raise BadRequest(f"Column {shown(name)} was sent twice.")
        if name in frame.columns:
            texts = [None if missing else one for one, missing in zip(frame[name].tolist(), frame[name].isna().tolist(), strict=True)]
            given[name] = texts if kind == "str" else [_parsed(one, kind) for one in texts]
    return read_columns(given, manifest.columns, required)


def _parsed(text: str | None, kind: str) -> Any:
    """Return what a cell says, or the cell itself where it says nothing of its kind: reading the column then names it."""
    if text is None:
        return None
    if kind == "bool":
        lower = text.strip().lower()
        return True if lower in _TRUE else False if lower in _FALSE else text
    try:
        number = float(text)
    except ValueError:
        return text
    return number if np.isfinite(number) else text


def read_output(body: Any) -> str:
    """Return which output `params` ask for: what MLflow's own `predict` gives, or with `{"output": "label"}` classes; others are ignored.

    Raises:
        BadRequest: there is no such output.
    """
    params = body.get("params") if isinstance(body, dict) else None
    output = params.get("output", OUTPUTS[0]) if isinstance(params, dict) else OUTPUTS[0]
    if output not in OUTPUTS:
        raise BadRequest(f"params.output: {shown(output)} is unknown.", f"Known are: {', '.join(OUTPUTS)}.")
    return str(output)


def write_predictions(predicted: npt.NDArray[np.float64], manifest: Manifest, output: str = OUTPUTS[0]) -> list[Any]:
    """Return values for regression; otherwise the chances that the registered model's own `predict` gives, or the class labels."""
    labels = output == "label" and manifest.task != "regression"
    found: list[Any] = choose_labels(predicted, manifest) if labels else predicted.tolist()
    return found
