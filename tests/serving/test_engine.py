"""ONNX Runtime answers exactly where the package proves it, says what scikit-learn says, and refuses what scikit-learn refuses."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from adapters.onnx_runtime import OnnxModel
from adapters.package_store import load_files
from contracts.package import Accepts
from serving import engine
from serving.direct import table_predictor
from serving.engine import choose_engine
from tests.training.parity.world import MODELS, package_of, subject_of
from training.parity.proof import proved_files

NAN, INF = float("nan"), float("inf")
ROWS: dict[str, list[Any]] = {
    "a": [0.1, -1e300, 5e-324, 0.7, 3.5e38],
    "b": [3, 10**15, -1, 0, 8],
    "kind": ["x", "never seen", "", "y", "x"],
    "grade": [1, 4, 77, 2, 3],
}
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # scikit-learn's own, before it refuses a number
GAPS: dict[str, list[Any]] = {"a": [NAN, 0.1], "b": [3, NAN], "kind": [None, "x"], "grade": [NAN, 1]}


def proved(at: int, code: str | None = None) -> dict[str, bytes]:
    files, held_out = package_of(at, code)
    return files | proved_files(subject_of(files, held_out), files, OnnxModel)


def answer(predict: Any, columns: dict[str, list[Any]]) -> Any:
    try:
        return predict(columns)
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize("at", [0, 2, 3, 4, 6, 9, 10, 11], ids=lambda at: f"{MODELS[at][0].rpartition('.')[2]}-{MODELS[at][1]}")
def test_onnx_runtime_answers_as_scikit_learn_and_refuses_what_it_refuses(at: int) -> None:
    package = load_files(proved(at), "digest")
    predict, who = choose_engine(package)
    assert (who.name, who.direct) == ("onnxruntime", True), who.why
    for rows in (ROWS, GAPS, {name: values[3:4] for name, values in ROWS.items()}):
        mine, theirs = answer(predict, rows), answer(table_predictor(package), rows)
        assert type(mine) is type(theirs)
        if isinstance(theirs, str):
            assert mine.splitlines()[0] == theirs.splitlines()[0]
        else:
            assert np.abs(mine - theirs).max() <= 1e-5
            assert mine.dtype == np.float64
            assert mine.shape == theirs.shape


def test_feature_code_stays_in_python_before_onnx_runtime() -> None:
    package = load_files(proved(0, "def build(frame):\n    return frame.assign(a=frame['a'] * 2)\n"), "digest")
    predict, who = choose_engine(package)
    assert (who.name, who.direct) == ("onnxruntime", False)
    plain, _ = choose_engine(load_files(proved(0), "digest"))
    assert np.array_equal(predict(ROWS), table_predictor(package)(ROWS))
    assert np.array_equal(predict(ROWS), plain(ROWS)), "the fit undid the doubling"


def with_proof(**change: Any) -> dict[str, bytes]:
    files = proved(0)
    return files | {"parity.json": json.dumps(json.loads(files["parity.json"]) | change).encode()}


def nudged() -> dict[str, bytes]:
    files = proved(0)
    return files | {"model.onnx": files["model.onnx"].replace(b"understudy", b"understudx")}


def without(name: str) -> dict[str, bytes]:
    return {key: content for key, content in proved(0).items() if key != name}


@pytest.mark.parametrize(
    ("files", "why"),
    [
        (lambda: without("parity.json"), "The version was packaged before proofs were made."),
        (nudged, "The proof was made for another model.onnx."),
        (lambda: without("model.onnx"), "The proof was made for another model.onnx."),
        (lambda: with_proof(model="0" * 64), "The proof was made for another model.skops."),
        (lambda: with_proof(holds=False, reason="Two classes flipped."), "Two classes flipped."),
        (lambda: with_proof(versions={"onnxruntime": "1.0", "scikit-learn": "1.9.1"}), "The proof was made with onnxruntime 1.0, and"),
    ],
)
def test_without_a_proof_for_these_very_files_scikit_learn_answers_and_says_why(files: Any, why: str) -> None:
    package = load_files(files(), "digest")
    predict, who = choose_engine(package)
    assert (who.name, who.direct) == ("scikit-learn", True)
    assert who.why.startswith(why)
    assert np.array_equal(predict(ROWS), table_predictor(package)(ROWS))


def test_a_model_that_onnx_runtime_cannot_open_is_answered_by_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> OnnxModel:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(engine, "OnnxModel", broken)
    _, who = choose_engine(load_files(proved(0), "digest"))
    assert (who.name, who.why) == ("scikit-learn", "ONNX Runtime could not open the model: RuntimeError: out of memory")


def test_scikit_learn_is_not_asked_where_onnx_runtime_may_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    package = load_files(proved(4), "digest")
    predict, _ = choose_engine(package)
    asked: list[int] = []
    forest = package.model.steps[1][1]
    plain = forest.predict
    monkeypatch.setattr(forest, "predict", lambda rows: asked.append(len(rows)) or plain(rows))
    predict({name: values[3:4] for name, values in ROWS.items()})
    assert asked == []
    with pytest.raises(ValueError, match="too large"):
        predict(ROWS | {"a": [1e300] * 5})
    assert asked == [5], "what a forest refuses is left to it"


def test_which_numbers_a_model_takes() -> None:
    files = proved(0)
    matrix = np.array([[0.0, 1e300], [NAN, 0.0], [INF, 0.0], [1.0, 2.0]])
    for largest, missing, expected in (
        (None, True, [True, True, True, True]),
        (None, False, [True, False, True, True]),
        (3e38, True, [False, True, False, True]),
        (1.7976931348623157e308, False, [True, False, False, True]),
    ):
        model = OnnxModel(files["model.onnx"], Accepts(missing=missing, largest=largest))
        assert model.takes(matrix).tolist() == expected
        assert model.takes_all(matrix) is all(expected)
        assert model.takes_all(matrix[-1:])
