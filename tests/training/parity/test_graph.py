"""What is written computes what the trees say, to the last bit, whatever the trees and the numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeRegressor

from adapters.onnx_runtime import OnnxModel
from contracts.package import Accepts
from tests.training.parity.world import total, walk
from training.parity.formula import Ensemble, Tree, read_formula
from training.parity.graph import one_by_one, write_model
from training.parity.rows import at_splits, neighbours, reaching

FEATURES = 3
ALL = Accepts(missing=True, largest=None)
numbers = st.floats(allow_nan=False, allow_infinity=False, width=64) | st.sampled_from([0.1, 1 / 3, -0.1, 16777217.0, 1e-40, 3.5e38, 0.0])


@st.composite
def trees(draw: st.DrawFn, targets: int) -> Tree:
    """Grow any tree: leaves are split in any order, thresholds are any numbers, so that some branches cannot be reached."""
    left, right, feature, threshold, missing = [-1], [-1], [0], [0.0], [False]
    for _ in range(draw(st.integers(0, 6))):
        leaf = draw(st.sampled_from([at for at, below in enumerate(left) if below < 0]))
        left[leaf], right[leaf] = len(left), len(left) + 1
        feature[leaf], threshold[leaf], missing[leaf] = draw(st.integers(0, FEATURES - 1)), draw(numbers), draw(st.booleans())
        for grown, empty in ((left, -1), (right, -1), (feature, 0), (threshold, 0.0), (missing, False)):
            grown += [empty, empty]  # type: ignore[list-item]  # each list its own kind
    values = draw(st.lists(st.floats(-1e6, 1e6), min_size=len(left), max_size=len(left)))
    return Tree(
        np.array(feature),
        np.array(threshold),
        np.array(left),
        np.array(right),
        np.array(missing),
        np.array(values),
        draw(st.integers(0, targets - 1)),
        lambda rows: np.zeros(len(rows)),
    )


@st.composite
def ensembles(draw: st.DrawFn) -> Ensemble:
    targets = draw(st.sampled_from([1, 3]))
    grown = draw(st.lists(trees(targets), min_size=1, max_size=4))
    start = np.array(draw(st.lists(st.floats(-10, 10), min_size=targets, max_size=targets)))
    return Ensemble(FEATURES, tuple(grown), start, draw(st.sampled_from([1, len(grown)])), draw(st.booleans()), "identity")


def rows_for(one: Ensemble, drawn: list[list[float]]) -> np.ndarray:
    near = [neighbours(tree.threshold[tree.left >= 0]).reshape(-1, 1).repeat(FEATURES, axis=1) for tree in one.trees]
    return np.concatenate([np.array(drawn), *near])


@settings(max_examples=60, deadline=None)
@given(ensembles(), st.lists(st.lists(numbers | st.just(float("nan")), min_size=FEATURES, max_size=FEATURES), min_size=1, max_size=4))
def test_any_sum_of_trees_is_computed_bit_by_bit_as_the_trees_say(one: Ensemble, drawn: list[list[float]]) -> None:
    rows = rows_for(one, drawn)
    expected = np.array([total(one, row) for row in rows])
    answers = OnnxModel(write_model(one), ALL).answer(rows).reshape(expected.shape)
    assert np.array_equal(answers, expected)
    alone = np.concatenate([np.atleast_2d(OnnxModel(write_model(one), ALL).answer(row[None])) for row in rows[:2]]).reshape(
        -1, len(one.start)
    )
    assert np.array_equal(alone, expected[:2])


@settings(max_examples=25, deadline=None)
@given(ensembles())
def test_a_tree_cut_out_of_the_file_says_what_that_tree_says(one: Ensemble) -> None:
    cut = list(one_by_one(write_model(one)))[int(np.count_nonzero(one.start)) :]
    assert len(cut) == len(one.trees)
    for tree, model in zip(one.trees, cut, strict=True):
        rows = at_splits(tree, FEATURES, one.single)
        if len(rows):
            expected = [tree.value[walk(tree, row, one.single)] for row in rows]
            assert np.array_equal(OnnxModel(model, ALL).answer(rows), expected)


def test_the_same_formula_gives_the_same_bytes() -> None:
    tree = Tree(
        *(np.array(one) for one in ([0, 0, 0], [0.1, 0.0, 0.0], [1, -1, -1], [2, -1, -1], [True, False, False])), np.arange(3.0), 0, len
    )  # type: ignore[arg-type]  # nobody asks it
    one = Ensemble(1, (tree,), np.array([0.5]), 1, False, "expit")
    assert write_model(one) == write_model(one)


def test_rows_at_a_split_come_to_it_and_stand_on_both_sides() -> None:
    draw = np.random.default_rng(1)
    inputs = draw.normal(size=(800, FEATURES))
    fitted = DecisionTreeRegressor(random_state=0).fit(inputs, inputs[:, 0] * inputs[:, 1] + inputs[:, 2])
    formula = read_formula(fitted)
    assert isinstance(formula, Ensemble)
    tree = formula.trees[0]
    there = reaching(tree, FEATURES, single=True)
    assert fitted.decision_path(there).toarray()[np.arange(len(there)), np.arange(len(there))].all(), "each row passes its own node"
    rows = at_splits(tree, FEATURES, single=True)
    splits = np.flatnonzero(tree.left >= 0)
    path = fitted.decision_path(rows).toarray().reshape(len(splits), -1, len(tree.left))
    for at, node in enumerate(splits):
        passed = path[at][:, [node, tree.left[node], tree.right[node]]]
        assert passed[:-1, 0].all(), "all rows come to the split, but that with a gap where a split above sends gaps elsewhere"
        assert passed[:, 1].any()
        assert passed[:, 2].any()
