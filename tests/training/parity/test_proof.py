"""The proof holds where both say the same, turns red at the least thing that does not, and never costs a retrain."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from adapters.onnx_runtime import OnnxModel
from contracts.package import Accepts, Parity
from contracts.spec import Params
from tests.serving.test_direct import spec
from tests.training.parity.world import MODELS, package_of, read_proof, subject_of, table
from training.fit import fit
from training.parity import proof
from training.parity.formula import Ensemble, NotWritten, read_formula
from training.parity.graph import write_model
from training.parity.proof import difference, prove, proved_files


@pytest.mark.parametrize("at", range(len(MODELS)), ids=[f"{one[0].rpartition('.')[2]}-{one[1]}" for one in MODELS])
def test_every_estimator_that_is_written_is_proved(at: int) -> None:
    files, held_out = package_of(at)
    added = proved_files(subject_of(files, held_out), files, OnnxModel)
    parity = read_proof(added)
    assert parity.holds, parity.reason
    assert (parity.class_flips, parity.wrong_splits) == (0, 0)
    assert parity.max_difference is not None
    assert parity.max_difference <= 1e-12
    assert (parity.model, parity.onnx) == tuple(hashlib.sha256(one).hexdigest() for one in (files["model.skops"], added["model.onnx"]))
    assert parity.rows["held_out"] == len(held_out)
    assert {"one_by_one", "missing", "unseen", "extreme"} <= parity.rows.keys()
    formula = read_formula(subject_of(files, held_out).model.steps[-1][1])
    if isinstance(formula, Ensemble):
        assert parity.rows["at_splits"] == 9 * sum(int((tree.left >= 0).sum()) for tree in formula.trees)
    assert proved_files(subject_of(files, held_out), files, OnnxModel) == added, "the same model has the same proof"


def test_what_scikit_learn_refuses_is_left_to_it() -> None:
    of = {at: read_proof(proved_files(subject_of(*package_of(at)), package_of(at)[0], OnnxModel)) for at in (0, 4, 9)}
    assert of[0].accepts == Accepts(missing=True, largest=None)
    assert of[0].refused == {}, "gradient boosting takes gaps and infinities"
    assert of[4].accepts == Accepts(missing=True, largest=float(np.finfo(np.float32).max))
    assert of[4].refused.keys() == {"extreme"}, "a forest refuses what is infinite as float32"
    assert of[9].accepts.missing is False
    assert of[9].refused.keys() == {"missing", "extreme"}


def proof_of(at: int, change: Callable[[Any], None]) -> Parity:
    """Try an ONNX file in which one thing was changed."""
    import onnx

    files, held_out = package_of(at)
    subject = subject_of(files, held_out)
    formula = read_formula(subject.model.steps[-1][1])
    model = onnx.load_model_from_string(write_model(formula))
    change(model)
    return prove(subject, formula, model.SerializeToString(), OnnxModel, "digest")


def changed(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Any], None]:
    """Return what changes a tensor of the trees."""
    from onnx import numpy_helper

    def apply(model: Any) -> None:
        operator = next(one for one in model.graph.node if one.op_type == "TreeEnsemble")
        attribute = next(one for one in operator.attribute if one.name == name)
        attribute.t.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(attribute.t).copy()), name))

    return apply


def one_ulp(place: int, toward: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(values: np.ndarray) -> np.ndarray:
        values[place] = np.nextafter(values[place], toward)
        return values

    return change


@pytest.mark.parametrize("toward", [-np.inf, np.inf])
@pytest.mark.parametrize("place", [1, -1])
def test_a_threshold_that_is_off_by_one_ulp_turns_the_proof_red(place: int, toward: float) -> None:
    parity = proof_of(0, changed("nodes_splits", one_ulp(place, toward)))
    assert not parity.holds
    assert parity.wrong_splits >= 1
    assert f"{parity.wrong_splits} next to a split went another way" in parity.reason


def test_thresholds_in_float32_turn_the_proof_red() -> None:
    """The usual way to write trees: 3 of 5,000 rows of clean data fall on the other side."""
    parity = proof_of(0, changed("nodes_splits", lambda values: values.astype(np.float32).astype(np.float64)))
    assert parity.wrong_splits > 50


def test_a_leaf_that_is_off_by_one_ulp_turns_the_proof_red() -> None:
    assert proof_of(2, changed("leaf_weights", one_ulp(-1, np.inf))).wrong_splits >= 1


def test_another_way_for_missing_values_turns_the_proof_red() -> None:
    def flip(model: Any) -> None:
        operator = next(one for one in model.graph.node if one.op_type == "TreeEnsemble")
        sides = next(one for one in operator.attribute if one.name == "nodes_missing_value_tracks_true").ints
        sides[-1] = 1 - sides[-1]

    assert proof_of(0, flip).wrong_splits >= 1


def test_a_start_that_is_off_turns_the_proof_red_by_the_answers() -> None:
    def shift(values: np.ndarray) -> np.ndarray:
        values[0] += 2e-5  # the first leaf is what the sum starts with
        return values

    parity = proof_of(0, changed("leaf_weights", shift))
    assert (parity.holds, parity.wrong_splits) == (False, 0)
    assert parity.max_difference is not None
    assert parity.max_difference > 1e-5 / 20  # relative to answers of up to ten


def test_a_class_that_flips_turns_the_proof_red() -> None:
    def raise_all(model: Any) -> None:
        changed("leaf_weights", lambda values: np.where(np.arange(len(values)) == 0, values + 3.0, values))(model)

    parity = proof_of(2, raise_all)
    assert not parity.holds
    assert parity.class_flips > 0


def test_an_estimator_that_is_not_written_is_a_reason_and_no_failure() -> None:
    done = fit(table("regression").assign(kind="x"), spec("sklearn.neighbors.KNeighborsRegressor"), Params(), None)
    added = proved_files(subject_of(done.files, done.held_out), done.files, OnnxModel)
    assert added.keys() == {"parity.json"}
    assert read_proof(added).reason == "KNeighborsRegressor is not among the estimators that are written as ONNX."


def test_splits_on_sets_of_categories_are_not_written() -> None:
    inputs = np.arange(200.0)[:, None] % 5
    model = HistGradientBoostingRegressor(max_iter=2, categorical_features=[0]).fit(inputs, inputs[:, 0] == 3)
    with pytest.raises(NotWritten, match="categorical_features"):
        read_formula(model)


def test_an_ensemble_that_is_too_large_and_a_runtime_that_breaks_are_reasons_too(monkeypatch: pytest.MonkeyPatch) -> None:
    files, held_out = package_of(0)

    def broken(_content: bytes, _accepts: Accepts) -> OnnxModel:
        raise RuntimeError("no such instruction\non this machine")

    added = proved_files(subject_of(files, held_out), files, broken)
    assert added.keys() == {"parity.json"}
    assert read_proof(added).reason == "It could not be tried: RuntimeError: no such instruction"
    monkeypatch.setattr(proof, "MOST_NODES", 10)
    assert "nodes; at most 10 are written" in read_proof(proved_files(subject_of(files, held_out), files, OnnxModel)).reason


def test_feature_code_that_refuses_awkward_rows_keeps_them_from_onnx_too() -> None:
    code = (
        "def build(frame):\n    if frame['a'].isna().any():\n        raise KeyError('a gap')\n    return frame.assign(a=frame['a'] * 2)\n"
    )
    files, held_out = package_of(0, code)
    parity = read_proof(proved_files(subject_of(files, held_out), files, OnnxModel))
    assert parity.holds, parity.reason
    assert parity.refused == {"missing": 20}, "the ten rows with a gap in 'a' and the ten with gaps everywhere"


@pytest.mark.parametrize(
    ("mine", "other", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.5], 0.2),
        ([0.0, 0.1], [0.0, 0.0], 0.1),
        ([np.inf, 1.0], [np.inf, 1.0], 0.0),
        ([np.inf], [-np.inf], np.inf),
        ([np.nan], [np.nan], 0.0),
        ([np.nan], [0.0], np.inf),
        ([1.0], [1.0, 1.0], np.inf),
    ],
)
def test_a_difference_is_relative_above_one_and_knows_what_is_not_finite(mine: list[float], other: list[float], expected: float) -> None:
    assert difference(np.array(mine), np.array(other)) == pytest.approx(expected)
