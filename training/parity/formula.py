"""What an estimator computes, read out of it: trees that are summed, or a weighted sum, and the link at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Link = Literal["identity", "exp", "expit", "softmax"]


class NotWritten(Exception):
    """An estimator that is not written as ONNX; the message says why in one sentence."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree of a sum: row i of a node's arrays is node i, node 0 is the root.

    Attributes:
        left, right: the node below for `x[feature] <= threshold` and otherwise; -1 in a leaf.
        missing_left: where NaN goes.
        value: what a leaf adds to `target`.
        say: scikit-learn's own answer of this tree alone: (n, features) to (n,).
    """

    feature: npt.NDArray[np.int64]
    threshold: Floats
    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    missing_left: npt.NDArray[np.bool_]
    value: Floats
    target: int
    say: Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True)
class Ensemble:
    """link((start + sum of the trees) / count), one number for each target.

    Attributes:
        single: whether the matrix is rounded to float32 before it is compared with the thresholds, which stay float64.
    """

    features: int
    trees: tuple[Tree, ...]
    start: Floats
    count: int
    single: bool
    link: Link

    @property
    def nodes(self) -> int:
        """How many nodes all trees have."""
        return sum(len(tree.left) for tree in self.trees)


@dataclass(frozen=True, slots=True)
class Linear:
    """link(x @ weights + start); weights (features, targets), start (targets,)."""

    weights: Floats
    start: Floats
    link: Link

    @property
    def features(self) -> int:
        """How many columns the matrix has."""
        return len(self.weights)


def read_formula(estimator: Any) -> Ensemble | Linear:
    """Return what a fitted scikit-learn estimator computes.

    Raises:
        NotWritten: it is of a kind that is not read here.
    """
    kind = type(estimator)
    read = _READERS.get(kind.__name__) if kind.__module__.startswith("sklearn.") else None
    if read is None:
        raise NotWritten(f"{kind.__name__} is not among the estimators that are written as ONNX.")
    found: Ensemble | Linear = read(estimator)
    return found


def _boosting(estimator: Any) -> Ensemble:
    if getattr(estimator, "is_categorical_", None) is not None and np.any(estimator.is_categorical_):
        raise NotWritten("Splits on sets of categories (categorical_features) are not written as ONNX; encoded categories are.")
    start = np.asarray(estimator._baseline_prediction, dtype=np.float64).ravel()
    trees = tuple(_histogram_tree(one, target) for step in estimator._predictors for target, one in enumerate(step))
    if type(estimator).__name__.endswith("Classifier"):
        link: Link = "expit" if len(start) == 1 else "softmax"
    else:
        link = _BOOSTING_LINKS.get(estimator.loss, "identity")
    return Ensemble(int(estimator.n_features_in_), trees, start, 1, False, link)


def _histogram_tree(predictor: Any, target: int) -> Tree:
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    none = np.zeros((0, 8), dtype=np.uint32), np.zeros(int(nodes["feature_idx"].max()) + 1, dtype=np.uint32)  # no sets of categories
    return Tree(
        nodes["feature_idx"].astype(np.int64),
        nodes["num_threshold"].astype(np.float64),
        np.where(leaf, -1, nodes["left"].astype(np.int64)),
        np.where(leaf, -1, nodes["right"].astype(np.int64)),
        nodes["missing_go_to_left"].astype(bool),
        nodes["value"].astype(np.float64),
        target,
        lambda rows: np.asarray(predictor.predict(rows, *none, 1), dtype=np.float64),
    )


def _forest(estimator: Any) -> Ensemble:
    members = getattr(estimator, "estimators_", None) or [estimator]
    if estimator.n_outputs_ != 1:
        raise NotWritten("A model of several targets is not written as ONNX.")
    classes = getattr(estimator, "n_classes_", 1)
    columns = [0] if classes == 1 else [1] if classes == 2 else range(classes)  # of two classes the chance of the second is the answer
    trees = tuple(_plain_tree(one.tree_, column, target) for one in members for target, column in enumerate(columns))
    return Ensemble(int(estimator.n_features_in_), trees, np.zeros(len(columns)), len(members), True, "identity")


def _plain_tree(tree: Any, column: int, target: int) -> Tree:
    return Tree(
        tree.feature.astype(np.int64),
        tree.threshold.astype(np.float64),
        tree.children_left.astype(np.int64),
        tree.children_right.astype(np.int64),
        tree.missing_go_to_left.astype(bool),
        tree.value[:, 0, column].astype(np.float64),
        target,
        lambda rows: np.asarray(tree.predict(rows.astype(np.float32)).reshape(len(rows), -1)[:, column], dtype=np.float64),
    )


def _linear(estimator: Any) -> Linear:
    weights = np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64))
    start = np.broadcast_to(np.asarray(estimator.intercept_, dtype=np.float64), (len(weights),))
    classifies = hasattr(estimator, "classes_")
    link: Link = "identity" if not classifies else "expit" if len(weights) == 1 else "softmax"
    return Linear(np.ascontiguousarray(weights.T), start, link)


def _log_linear(estimator: Any) -> Linear:
    plain = _linear(estimator)
    return Linear(plain.weights, plain.start, "exp")


_BOOSTING_LINKS: dict[str, Link] = {"poisson": "exp", "gamma": "exp"}
_READERS: dict[str, Callable[[Any], Ensemble | Linear]] = (
    dict.fromkeys(("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"), _boosting)
    | {f"{kind}{what}": _forest for kind in ("RandomForest", "ExtraTrees", "DecisionTree") for what in ("Classifier", "Regressor")}
    | dict.fromkeys(("LogisticRegression", "LinearRegression", "Ridge", "Lasso", "ElasticNet", "BayesianRidge", "HuberRegressor"), _linear)
    | dict.fromkeys(("PoissonRegressor", "GammaRegressor"), _log_linear)
)
