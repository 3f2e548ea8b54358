"""The same rows in the form each server reads, and the chance it gave out of the form it writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from pandas.api.types import is_numeric_dtype

from benchmarks.served.models import Model

_BYTES = {"parameters": {"content_type": "str"}}
Read = Callable[[Any], list[float]]


def v2(model: Model, rows: int) -> bytes:
    """Return the Open Inference Protocol's form: one tensor of numbers, or one a column where there are texts."""
    frame = model.rows.head(rows)
    if not model.texts:
        whole = {"name": "rows", "shape": list(frame.shape), "datatype": "FP64", "data": frame.to_numpy().ravel().tolist()}
        return json.dumps({"inputs": [whole]}).encode()
    inputs = []
    for name, values in frame.items():
        of_texts = not is_numeric_dtype(values)
        one = {"name": name, "shape": [rows], "datatype": "BYTES" if of_texts else "FP64", "data": values.tolist()}
        inputs.append(one | (_BYTES if of_texts else {}))
    return json.dumps({"parameters": {"content_type": "pd"}, "inputs": inputs}).encode()


def mlserver(model: Model, rows: int) -> bytes:
    """Return the same, and ask for chances instead of labels."""
    return json.dumps(json.loads(v2(model, rows)) | {"outputs": [{"name": "predict_proba"}]}).encode()


def mlflow(model: Model, rows: int) -> bytes:
    """Return MLflow's scoring form."""
    frame = model.rows.head(rows)
    if not model.texts:
        return json.dumps({"inputs": frame.to_numpy().tolist()}).encode()
    return json.dumps({"dataframe_split": frame.to_dict(orient="split", index=False)}).encode()


def plain(model: Model, rows: int) -> bytes:
    """Return rows as lists, or as objects where there are texts."""
    frame = model.rows.head(rows)
    return json.dumps({"rows": frame.to_dict(orient="records") if model.texts else frame.to_numpy().tolist()}).encode()


def of_v2(body: Any) -> list[float]:
    """Return the chances in an answer of the Open Inference Protocol: `probability`, or pairs in `predict_proba`."""
    outputs = {one["name"]: one for one in body["outputs"]}
    if "probability" in outputs:
        return list(outputs["probability"]["data"])
    return np.asarray(outputs["predict_proba"]["data"]).reshape(-1, 2)[:, 1].tolist()


def of_mlflow(body: Any) -> list[float]:
    """Return the chances in an answer of MLflow's."""
    return [one[1] for one in body["predictions"]]


def of_plain(body: Any) -> list[float]:
    """Return the chances in a list."""
    return [one[1] if isinstance(one, list) else one for one in body]
