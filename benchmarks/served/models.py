"""The models that everybody serves, in the form that suits each server best, and rows to ask them.

Ours is the package that a retrain would write: columns by name. The others get the same steps fitted on the same numbers as a plain
NumPy pipeline where the model is one of numbers only, for that is their fastest form; with strings in it they need a table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from adapters.onnx_runtime import OnnxModel, versions_here
from adapters.package_store import coerce
from contracts.package import ColumnType, Manifest
from training.package import package_files
from training.parity.proof import Subject, proved_files

_ROWS, _SEED = 4000, 20261124
NUMBERS = [f"f{place:02d}" for place in range(12)]
_WORDS = {
    "device": ["phone", "tablet", "desktop"],
    "slot": ["top", "side", "bottom", "inline"],
    "topic": ["news", "sports", "games", "home"],
}


@dataclass(frozen=True, slots=True)
class Model:
    """One model.

    Attributes:
        rows: what it may be asked, columns in its order.
        ours: fitted on columns by name. theirs: the same for the others; takes a float64 matrix, or a table where `texts`.
    """

    name: str
    rows: pd.DataFrame
    ours: Pipeline
    theirs: Pipeline
    texts: bool

    def package(self) -> dict[str, bytes]:
        """Return our package's files as a retrain writes them, with the proof that decides who answers."""
        types: dict[str, ColumnType] = {name: "str" if name in _WORDS else "float" for name in self.rows}
        manifest = Manifest(
            pipeline=self.name, task="binary", target="y", columns=types, classes=(0, 1), cutoff="2026-01-01T00:00:00+00:00"
        )
        files = package_files(self.ours, manifest, None)
        subject = Subject(manifest, self.ours, None, coerce(self.rows, manifest), versions_here())
        return files | proved_files(subject, files, OnnxModel)

    def write(self, folder: Path) -> Path:
        """Write the others' model and return its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "model.joblib"
        joblib.dump(self.theirs, path)
        return path

    def truth(self, rows: int) -> np.ndarray[Any, Any]:
        """Return the chance of the second class of the first rows."""
        said: np.ndarray[Any, Any] = self.ours.predict_proba(self.rows.head(rows))[:, 1]
        return said


def _data() -> tuple[pd.DataFrame, np.ndarray[Any, Any]]:
    draw = np.random.default_rng(_SEED)
    frame = pd.DataFrame(draw.normal(size=(_ROWS, len(NUMBERS))).round(6), columns=NUMBERS)
    for name, words in _WORDS.items():
        frame[name] = draw.choice(words, _ROWS).astype(object)
    lift = frame["device"].map({"phone": 1.0, "tablet": 0.0, "desktop": -1.0}).astype(float)
    score = frame["f00"] - frame["f01"] * frame["f02"] + lift + draw.logistic(size=_ROWS)
    return frame, (score > 0).to_numpy().astype(int)


def _of_numbers(name: str, estimator: Callable[[], Any], scaler: Callable[[], Any]) -> Model:
    frame, target = _data()
    rows = frame[NUMBERS]
    ours = Pipeline([("columns", ColumnTransformer([("numeric", scaler(), NUMBERS)])), ("estimator", estimator())]).fit(rows, target)
    steps = [] if scaler() == "passthrough" else [scaler()]
    return Model(name, rows, ours, make_pipeline(*steps, estimator()).fit(rows.to_numpy(), target), texts=False)


def _mixed() -> Model:
    frame, target = _data()
    columns = [*_WORDS, *NUMBERS]
    onehot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    both = ColumnTransformer([("numeric", StandardScaler(), NUMBERS), ("categorical", onehot, list(_WORDS))])
    fitted = Pipeline([("columns", both), ("estimator", _boosting())]).fit(frame[columns], target)
    return Model("mixed", frame[columns], fitted, fitted, texts=True)


def _boosting() -> Any:
    return HistGradientBoostingClassifier(max_iter=200, random_state=0, early_stopping=False)


MAKERS: dict[str, Callable[[], Model]] = {
    "boosting": lambda: _of_numbers("boosting", _boosting, StandardScaler),
    "mixed": _mixed,
    "logistic": lambda: _of_numbers("logistic", LogisticRegression, StandardScaler),
    "forest": lambda: _of_numbers("forest", lambda: RandomForestClassifier(100, max_depth=10, random_state=0), lambda: "passthrough"),
}
