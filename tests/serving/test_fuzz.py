"""The decoders, fuzzed: whatever bytes come, they are read or refused with one sentence; nothing else is ever raised."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.package import Manifest
from contracts.rollout import ModelRef, Route
from serving.columns import BadRequest
from serving.gateway.asks import Ask, Serving
from serving.gateway.http.feedback import read_feedback
from serving.gateway.http.infer import _read as read_v2
from serving.gateway.http.scoring import _read as read_mlflow
from serving.version import LoadedVersion

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MANIFEST = Manifest(
    pipeline="p", task="binary", target="y", columns={"a": "float", "b": "int", "kind": "str", "on": "bool"}, classes=(0, 1), cutoff="2026"
)
MODEL = ModelRef("1", "0" * 64, "file:///nowhere", "s1", NOW)
SERVING = Serving(
    "p",
    Route(1, MODEL, None),
    LoadedVersion(MODEL, MANIFEST, lambda _: np.zeros(1), frozenset({"on"}), engine=None),
    NOW,  # type: ignore[arg-type]  # nobody answers here
)
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

_T = TypeVar("_T")

_names = st.sampled_from(["a", "b", "kind", "on", "rows", "", "A"]) | st.text(max_size=3)
_plain = (
    st.none() | st.booleans() | st.integers() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8)
    | st.sampled_from([1e308, -0.0, 2**53, "NaN", "2026-01-01T00:00:00Z"])
)  # fmt: skip
_values: st.SearchStrategy[Any] = st.recursive(_plain, lambda inner: st.lists(inner, max_size=4), max_leaves=8)
_anything = st.recursive(
    _plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3), max_leaves=6
)
_tensor = st.fixed_dictionaries(
    {},
    optional={
        "name": _names | _anything,
        "shape": st.lists(st.integers(-1, 4) | _plain, max_size=3) | _anything,
        "datatype": st.sampled_from(["FP64", "FP32", "INT64", "BYTES", "BOOL", "UINT8", "FP16", "X"]) | _anything,
        "data": st.lists(_values, max_size=5) | _anything,
        "parameters": st.fixed_dictionaries({}, optional={"binary_data_size": st.integers(-1, 20) | _anything}) | _anything,
    },
)
_asked = st.lists(st.fixed_dictionaries({}, optional={"name": st.sampled_from(["label", "probability"]) | _anything}))
_told = st.fixed_dictionaries({}, optional={"unit": _values, "event_time": _values, "binary_data_output": st.booleans() | _anything})
_v2 = st.fixed_dictionaries(
    {},
    optional={
        "id": _anything,
        "inputs": st.lists(_tensor | _anything, max_size=4) | _anything,
        "outputs": _asked | _anything,
        "parameters": _told | _anything,
    },
)


def _column(name: str, datatype: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    data = st.lists(values, min_size=2, max_size=2)
    return data.map(lambda given: {"name": name, "datatype": datatype, "shape": [len(given)], "data": given})


_near = st.tuples(  # in order, but for a value now and then
    _column("a", "FP64", st.floats(allow_nan=False, allow_infinity=False) | st.integers(-5, 5) | st.none()),
    _column("b", "INT64", st.integers(-5, 5) | st.sampled_from([1.0, 1.5, 2**70])),
    _column("kind", "BYTES", st.text(max_size=3) | st.none()),
    _column("on", "BOOL", st.booleans()),
).map(lambda inputs: {"inputs": list(inputs)})
_table = st.fixed_dictionaries({}, optional={"columns": st.lists(_names), "data": st.lists(st.lists(_values, max_size=4), max_size=3)})
_mlflow = st.dictionaries(
    st.sampled_from(["dataframe_split", "dataframe_records", "instances", "inputs"]),
    _table | st.lists(st.dictionaries(_names, _values, max_size=4), max_size=3) | st.dictionaries(_names, _values) | _anything,
    max_size=2,
)
_feedback = st.fixed_dictionaries(
    {"feedback": st.lists(st.dictionaries(st.sampled_from(["id", "row", "label", "reward", "observed_at"]), _anything), max_size=3)}
)


def as_bytes(content: Any) -> bytes:
    return json.dumps(content).encode("utf-8", "surrogatepass")  # NaN and lone surrogates as they may come


def whole(ask: Ask) -> None:
    """What was read has one value of the right type in every column and row."""
    assert list(ask.columns) == list(MANIFEST.columns)
    assert {len(values) for values in ask.columns.values()} == {ask.rows} == {len(ask.units)}
    kinds: dict[str, tuple[type, ...]] = {"a": (float,), "b": (int, float), "kind": (str, type(None)), "on": (bool,)}
    for name, values in ask.columns.items():
        assert all(isinstance(value, kinds[name]) for value in values)


def taken(read: Callable[[], _T]) -> _T | None:
    """Return what was read, or None where it was refused in a sentence; anything else that is raised goes on."""
    try:
        return read()
    except BadRequest as error:
        said = str(error)
    assert 0 < len(said) < 1000
    return None


@FUZZ
@given(
    _near.map(as_bytes) | _v2.map(as_bytes) | _anything.map(as_bytes) | st.binary(max_size=80),
    st.none() | st.none() | st.binary(max_size=4) | st.integers(0, 90).map(b"%d".__mod__),
)
def test_a_v2_body_is_read_whole_or_refused(raw: bytes, length: bytes | None) -> None:
    read = taken(lambda: read_v2(SERVING, raw, length))
    if read is not None:
        whole(read[0])


@FUZZ
@given(_mlflow.map(as_bytes) | st.binary(max_size=80), st.sampled_from(["application/json", "text/csv", "text/csv; charset=utf-8", "x"]))
def test_an_mlflow_body_is_read_whole_or_refused(raw: bytes, kind: str) -> None:
    ask = taken(lambda: read_mlflow(SERVING, raw, kind, None))
    if ask is not None:
        whole(ask)


@FUZZ
@given(_feedback.map(as_bytes) | st.binary(max_size=80))
def test_feedback_is_read_or_refused(raw: bytes) -> None:
    batch = taken(lambda: read_feedback(raw, "p", "binary"))
    if batch is not None:
        assert len(batch.rows) == len(batch.request_ids) == len(batch.labels) > 0


def test_the_fuzz_reaches_what_is_in_order_and_what_is_not() -> None:
    reached: set[bool] = set()

    @settings(FUZZ, max_examples=40)
    @given(_near.map(as_bytes))
    def one(raw: bytes) -> None:
        reached.add(taken(lambda: read_v2(SERVING, raw, None)) is not None)

    one()
    assert reached == {True, False}
