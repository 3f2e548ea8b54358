"""A formula as an ONNX model, in float64 from end to end: nothing of it is rounded, so nothing falls on the other side of a split.

The operator `TreeEnsemble` is that of ai.onnx.ml version 5; the same formula gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from training.parity.formula import Ensemble, Floats, Linear, Link, Tree

INPUT = "features"
OUTPUT = "answer"
_OPSETS = (("", 18), ("ai.onnx.ml", 5))
_IR_VERSION = 10
_LINKS: dict[Link, str] = {"exp": "Exp", "expit": "Sigmoid", "softmax": "Softmax"}
_LESS_OR_EQUAL, _SUM, _NO_TRANSFORM = 0, 1, 0


def write_model(formula: Ensemble | Linear) -> bytes:
    """Return an ONNX model: float64 (n, features) to (n,) answers, or (n, k) where there are several targets."""
    from onnx import helper

    if isinstance(formula, Linear):
        steps = [helper.make_node("MatMul", [INPUT, "weights"], ["weighted"]), helper.make_node("Add", ["weighted", "start"], ["raw"])]
        constants = {"weights": formula.weights, "start": np.asarray(formula.start)}
    else:
        steps, constants = _sum_of_trees(formula), {"count": np.array(formula.count, dtype=np.float64)}
    targets = len(formula.start)
    last = "raw" if formula.link == "identity" else "linked"
    if formula.link != "identity":
        steps.append(helper.make_node(_LINKS[formula.link], ["raw"], [last]))
    end = "Squeeze" if targets == 1 else "Identity"
    steps.append(helper.make_node(end, [last, "one"] if targets == 1 else [last], [OUTPUT]))
    if targets == 1:
        constants["one"] = np.array([1], dtype=np.int64)
    return _model(steps, constants, formula.features, [None] if targets == 1 else [None, targets])


def one_by_one(model: bytes) -> Iterator[bytes]:
    """Cut an ensemble's model into one model for each of its trees, with the thresholds, branches and leaves that it has."""
    import onnx
    from onnx import helper, numpy_helper

    parsed = onnx.load_model_from_string(model)
    node = next(one for one in parsed.graph.node if one.op_type == "TreeEnsemble")
    found: dict[str, npt.NDArray[Any]] = {}
    for one in node.attribute:
        value = helper.get_attribute_value(one)
        found[one.name] = numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)
    features = parsed.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    single = any(one.op_type == "Cast" for one in parsed.graph.node)
    roots = found["tree_roots"]
    for first, end in zip(roots, [*roots[1:], len(found["nodes_splits"])], strict=True):
        steps = [*(_to_single() if single else ()), _cut(found, int(first), int(end), "rounded" if single else INPUT)]
        steps.append(helper.make_node("Squeeze", ["sum", "one"], [OUTPUT]))
        yield _model(steps, {"one": np.array([1], dtype=np.int64)}, features, [None])


def _cut(found: dict[str, npt.NDArray[Any]], first: int, end: int, source: str) -> Any:
    """Return the operator with one tree: its nodes are [first, end) of all, its leaves the lowest to the highest that they name."""
    mine = {name: found[name][first:end] for name in found if name.startswith("nodes_")}
    below = {side: (mine[f"nodes_{side}nodeids"], mine[f"nodes_{side}leafs"] == 1) for side in ("true", "false")}
    leaves = np.concatenate([ids[leaf] for ids, leaf in below.values()])
    low, high = int(leaves.min()), int(leaves.max()) + 1
    for side, (ids, leaf) in below.items():
        mine[f"nodes_{side}nodeids"] = ids - np.where(leaf, low, first)
    weights = found["leaf_weights"][low:high]
    return _operator(source, mine, weights, np.zeros(len(weights), dtype=np.int64), np.zeros(1, dtype=np.int64), 1)


def _to_single() -> list[Any]:
    from onnx import TensorProto, helper

    return [
        helper.make_node("Cast", [INPUT], ["single"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["single"], ["rounded"], to=TensorProto.DOUBLE),
    ]


def _sum_of_trees(formula: Ensemble) -> list[Any]:
    from onnx import helper

    starts = [_constant(value, target) for target, value in enumerate(formula.start.tolist()) if value]
    laid = _laid_out([*starts, *formula.trees])
    source = "rounded" if formula.single else INPUT
    operator = _operator(source, *laid, len(formula.start))
    divide = helper.make_node("Div", ["sum", "count"], ["raw"])
    return [*(_to_single() if formula.single else ()), operator, divide]


def _constant(value: float, target: int) -> Tree:
    """Return a tree that always says the same: as the first of a sum it makes the order of adding scikit-learn's."""
    none, zero = np.full(1, -1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    return Tree(zero, np.zeros(1), none, none, zero == 1, np.array([value]), target, lambda rows: np.full(len(rows), value))


def _laid_out(trees: list[Tree]) -> tuple[dict[str, npt.NDArray[Any]], Floats, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Put all trees one after another: attributes of the inner nodes, leaves' weights and targets, roots."""
    parts: list[dict[str, npt.NDArray[Any]]] = []
    weights, targets, roots, inner, leaves = [], [], [], 0, 0
    for tree in trees:
        part, values = _one_laid_out(tree, inner, leaves)
        parts.append(part)
        weights.append(values)
        targets.append(np.full(len(values), tree.target, dtype=np.int64))
        roots.append(inner)
        inner, leaves = inner + len(part["nodes_splits"]), leaves + len(values)
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return joined, np.concatenate(weights), np.concatenate(targets), np.array(roots, dtype=np.int64)


def _one_laid_out(tree: Tree, inner: int, leaves: int) -> tuple[dict[str, npt.NDArray[Any]], Floats]:
    """Number a tree's inner nodes and leaves on from what is there; a single leaf becomes a split with that leaf on both sides."""
    leaf = tree.left < 0
    if leaf[0]:
        alone, there = np.zeros(1, dtype=np.int64), np.full(1, leaves, dtype=np.int64)
        return _attributes(alone, np.zeros(1), there, there, alone + 1, alone + 1, alone), tree.value[:1]
    place = np.where(leaf, np.cumsum(leaf) - 1 + leaves, np.cumsum(~leaf) - 1 + inner)
    split = ~leaf
    left, right = tree.left[split], tree.right[split]
    sides = place[left], place[right], leaf[left].astype(np.int64), leaf[right].astype(np.int64)
    attributes = _attributes(tree.feature[split], tree.threshold[split], *sides, tree.missing_left[split].astype(np.int64))
    return attributes, tree.value[leaf]


def _attributes(
    feature: npt.NDArray[Any],
    threshold: Floats,
    left: npt.NDArray[Any],
    right: npt.NDArray[Any],
    left_leaf: npt.NDArray[Any],
    right_leaf: npt.NDArray[Any],
    missing_left: npt.NDArray[Any],
) -> dict[str, npt.NDArray[Any]]:
    return {
        "nodes_featureids": feature,
        "nodes_splits": threshold,
        "nodes_modes": np.full(len(feature), _LESS_OR_EQUAL, dtype=np.uint8),
        "nodes_truenodeids": left,
        "nodes_falsenodeids": right,
        "nodes_trueleafs": left_leaf,
        "nodes_falseleafs": right_leaf,
        "nodes_missing_value_tracks_true": missing_left,
    }


def _operator(
    source: str,
    nodes: dict[str, npt.NDArray[Any]],
    weights: Floats,
    targets: npt.NDArray[np.int64],
    roots: npt.NDArray[np.int64],
    count: int,
) -> Any:
    from onnx import helper, numpy_helper

    tensors = {"nodes_splits", "nodes_modes"}
    return helper.make_node(
        "TreeEnsemble",
        [source],
        ["sum"],
        domain="ai.onnx.ml",
        **{name: numpy_helper.from_array(values, name) if name in tensors else values.tolist() for name, values in sorted(nodes.items())},
        leaf_weights=numpy_helper.from_array(weights, "leaf_weights"),
        leaf_targetids=targets.tolist(),
        tree_roots=roots.tolist(),
        n_targets=count,
        aggregate_function=_SUM,
        post_transform=_NO_TRANSFORM,
    )


def _model(steps: list[Any], constants: dict[str, npt.NDArray[Any]], features: int, shape: list[int | None]) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        steps,
        "estimator",
        [helper.make_tensor_value_info(INPUT, TensorProto.DOUBLE, [None, features])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.DOUBLE, shape)],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="understudy")
    written: bytes = model.SerializeToString(deterministic=True)
    return written
