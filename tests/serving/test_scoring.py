"""MLflow's five forms give the same columns; what is no table is refused in words."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from contracts.package import Manifest
from serving.columns import BadRequest
from serving.scoring import read_csv, read_scoring, write_predictions

MODEL = Manifest(
    pipeline="p",
    task="regression",
    target="y",
    columns={"temp": "float", "hour": "int", "season": "str", "holiday": "bool"},
    cutoff="2026-01-01T00:00:00Z",
)
NAMES = ["temp", "hour", "season", "holiday"]
ROWS: list[list[Any]] = [[1.5, 3, "w", True], [2.0, 4, "s", False]]
COLUMNS = {name: [row[place] for row in ROWS] for place, name in enumerate(NAMES)}


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": NAMES[::-1], "index": [0, 1], "data": [row[::-1] for row in ROWS]}},
        {"dataframe_records": [dict(zip(NAMES, row, strict=True)) for row in ROWS], "params": {}},
        {"instances": [dict(zip(NAMES, row, strict=True)) for row in ROWS]},
        {"instances": ROWS},
        {"inputs": COLUMNS},
        {"inputs": {name: [[one] for one in values] for name, values in COLUMNS.items()}},
        {"inputs": ROWS},
        {"dataframe_records": [dict(zip([*NAMES, "more"], [*row, 9], strict=True)) for row in ROWS]},
    ],
)
def test_every_form_gives_the_same_columns_in_the_models_order(body: Any):
    found = read_scoring(body, MODEL)
    assert list(found) == NAMES
    assert found == COLUMNS


def test_csv_gives_the_same_columns_with_empty_cells_missing():
    assert read_csv("holiday,season,hour,temp,more\nTrue,w,3,1.5,x\nfalse,s,4,2,y\n", MODEL) == COLUMNS
    found = read_csv("temp,hour,season,holiday\n,,,0\n", MODEL)
    assert math.isnan(found["temp"][0])
    assert math.isnan(found["hour"][0])
    assert (found["season"], found["holiday"]) == ([None], [False])


def test_one_value_for_each_input_is_one_row():
    assert read_scoring({"inputs": dict(zip(NAMES, ROWS[0], strict=True))}, MODEL)["season"] == ["w"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (None, "The request needs exactly one of dataframe_split, dataframe_records, instances, inputs. It has: none."),
        ([], "It has: none."),
        ({"instances": ROWS, "inputs": COLUMNS}, "It has: instances, inputs."),
        ({"instances": 3}, "'instances' is not a table."),
        ({"dataframe_records": ROWS}, "'dataframe_records' is not a table."),
        ({"dataframe_records": []}, "'dataframe_records' is not a table."),
        ({"instances": [[1.5, 3]]}, "Row 0 is not a list of the 4 values that the model has: temp, hour, season, holiday."),
        ({"instances": [*ROWS, dict(zip(NAMES, ROWS[0], strict=True))]}, "Row 2 is not a list"),
        ({"dataframe_split": {"columns": NAMES, "data": [[1]]}}, "Row 0 is not a list of the 4 values that 'columns' has"),
        ({"dataframe_split": {"columns": ["temp", "temp"], "data": []}}, "Column 'temp' was sent twice."),
        ({"dataframe_split": ROWS}, "'dataframe_split' needs 'columns'"),
        ({"dataframe_split": {"columns": NAMES, "data": []}}, "Column 'temp' has no rows."),
        ({"inputs": COLUMNS | {"hour": [1]}}, "Column 'hour' has 1 rows but column 'temp' has 2."),
        ({"inputs": {"temp": [1.0]}}, "Column 'hour' is missing."),
        ({"inputs": COLUMNS | {"hour": [3, "x"]}}, "Column 'hour', row 1: 'x' is not an int."),
    ],
)
def test_what_is_no_table_is_refused_in_words(body: Any, message: str):
    with pytest.raises(BadRequest) as caught:
        read_scoring(body, MODEL)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The CSV cannot be read"),
        ("temp,hour\n1,2,3\n4,5,6,7\n", "The CSV cannot be read"),
        ("temp,hour,season,holiday\n9,1.5,3,w,true\n9,1.5,3,w,true\n", "row 0 has more values than the header has names (4)."),
        ('temp,"hour",season,holiday,hour\n1.5,3,w,true,4\n', "Column 'hour' was sent twice."),
        ("temp,hour,season\n1,2,w\n", "Column 'holiday' is missing."),
        ("temp,hour,season,holiday\nwarm,3,w,true\n", "Column 'temp', row 0: 'warm' is not a float."),
        ("temp,hour,season,holiday\n1,3,w,true\ninf,3,w,true\n", "Column 'temp', row 1: 'inf' is not a float."),
        ("temp,hour,season,holiday\n1,2.5,w,true\n", "Column 'hour', row 0: 2.5 is not an int."),
        ("temp,hour,season,holiday\n1,2,w,maybe\n", "Column 'holiday', row 0: 'maybe' is not a bool."),
        ("temp,hour,season,holiday\n", "Column 'temp' has no rows."),
    ],
)
def test_csv_that_cannot_be_read_is_refused_by_column_and_row(text: str, message: str):
    with pytest.raises(BadRequest) as caught:
        read_csv(text, MODEL)
    assert message in str(caught.value)


def test_predictions_are_values_or_the_labels_that_the_model_itself_would_predict():
    assert write_predictions(np.array([1.0, 2.5]), MODEL) == [1.0, 2.5]
    binary = MODEL.model_copy(update={"task": "binary", "classes": ("no", "yes")})
    assert write_predictions(np.array([0.4, 0.5, 0.6]), binary, "label") == ["no", "no", "yes"]
    many = MODEL.model_copy(update={"task": "multiclass", "classes": (1, 2, 3)})
    assert write_predictions(np.array([[0.1, 0.2, 0.7]]), many, "label") == [3]
