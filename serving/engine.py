"""Who answers for a version: ONNX Runtime where its package proves that it says what scikit-learn says, scikit-learn otherwise.

Encoders and feature code stay in Python, before the one or the other. Rows with numbers that the proof does not cover (a gap or an
infinity where scikit-learn refuses them) go to scikit-learn, so that it refuses them in its own words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adapters.onnx_runtime import SCIKIT_LEARN, OnnxModel
from adapters.package_store import LoadedPackage
from serving.columns import Columns
from serving.direct import Matrix, Predict, direct_matrix, direct_predictor, estimator_answers, table_matrix, table_predictor


@dataclass(frozen=True, slots=True)
class Engine:
    """Who answers.

    Attributes:
        why: one sentence.
        direct: whether it is asked without a DataFrame.
    """

    name: str
    why: str
    direct: bool


def choose_engine(package: LoadedPackage) -> tuple[Predict, Engine]:
    """Return the fastest faithful way to answer, and who that is."""
    proved = package.proved
    if proved.content is None:
        return _by_scikit_learn(package, proved.why)
    matrix = direct_matrix(package)
    direct = matrix is not None
    matrix = matrix or table_matrix(package)
    if matrix is None:
        return _by_scikit_learn(package, "The model is not a transformer and an estimator.")
    try:
        model = OnnxModel(proved.content, proved.accepts)
    except Exception as error:  # noqa: BLE001  # whatever ONNX Runtime raises, scikit-learn can answer
        return _by_scikit_learn(package, f"ONNX Runtime could not open the model: {type(error).__name__}: {error}")
    return _by_onnx(package, matrix, model), Engine(proved.engine, proved.why, direct)


def _by_onnx(package: LoadedPackage, matrix: Predict, model: OnnxModel) -> Predict:
    scikit_learn = estimator_answers(package)

    def predict(columns: Columns) -> Matrix:
        made = matrix(columns)
        return model.answer(np.ascontiguousarray(made)) if model.takes_all(made) else scikit_learn(made)

    return predict


def _by_scikit_learn(package: LoadedPackage, why: str) -> tuple[Predict, Engine]:
    direct = direct_predictor(package)
    return direct or table_predictor(package), Engine(SCIKIT_LEARN, why, direct is not None)
