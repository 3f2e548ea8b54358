"""NannyML: its univariate methods, its classifier and its reconstruction error on all columns, missing and unseen values."""

from __future__ import annotations

from typing import Any

import nannyml as nml
import pandas as pd
from drift_runner import main
from nannyml.drift.multivariate.domain_classifier.calculator import DEFAULT_LGBM_HYPERPARAMS


def _prepare(table: Any) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _univariate(numeric: str, categorical: str) -> Any:
    def compare(reference: pd.DataFrame, window: pd.DataFrame) -> dict[str, float]:
        numbers, words = _kinds(reference)
        calculator = nml.UnivariateDriftCalculator(
            column_names=numbers + words, continuous_methods=[numeric], categorical_methods=[categorical], chunk_number=1
        )
        found = _result(calculator, reference, window)
        methods = dict.fromkeys(numbers, numeric) | dict.fromkeys(words, categorical)
        return {name: float(found[(name, method, "value")].iloc[0]) for name, method in methods.items()}

    return compare


def _kinds(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    numbers = [name for name in frame if frame[name].dtype == "float64"]
    return numbers, [name for name in frame if name not in numbers]


def _result(calculator: Any, reference: pd.DataFrame, window: pd.DataFrame) -> pd.DataFrame:
    calculator.fit(reference)
    frame: pd.DataFrame = calculator.calculate(window).filter(period="analysis").to_df()
    return frame


def _missing(reference: pd.DataFrame, window: pd.DataFrame) -> dict[str, float]:
    names = list(reference)
    found = _result(nml.MissingValuesCalculator(column_names=names, chunk_number=1), reference, window)
    return {name: abs(float(found[(name, "value")].iloc[0]) - float(reference[name].isna().mean())) for name in names}


def _unseen(reference: pd.DataFrame, window: pd.DataFrame) -> dict[str, float]:
    words = _kinds(reference)[1]
    found = _result(nml.UnseenValuesCalculator(column_names=words, chunk_number=1), reference, window)
    return {name: float(found[(name, "value")].iloc[0]) for name in words}


def _classifier(reference: pd.DataFrame, window: pd.DataFrame) -> dict[str, float]:
    one_thread = {**DEFAULT_LGBM_HYPERPARAMS, "n_jobs": 1}  # for so few rows more of them only wait for each other
    calculator = nml.DomainClassifierCalculator(feature_column_names=list(reference), chunk_number=1, hyperparameters=one_thread)
    found = _result(calculator, reference, window)
    return {"all": float(found[("domain_classifier_auroc", "value")].iloc[0])}


def _reconstruction(reference: pd.DataFrame, window: pd.DataFrame) -> dict[str, float]:
    calculator = nml.DataReconstructionDriftCalculator(column_names=list(reference), chunk_number=1)
    calculator.fit(reference)
    then, now = calculator.calculate(window).to_df()[("reconstruction_error", "value")]
    return {"all": abs(float(now) - float(then))}


if __name__ == "__main__":
    nml.disable_usage_logging()
    main(
        _prepare,
        {
            "Jensen-Shannon": _univariate("jensen_shannon", "jensen_shannon"),
            "KS and chi²": _univariate("kolmogorov_smirnov", "chi2"),
            "Wasserstein": _univariate("wasserstein", "l_infinity"),
            "missing": _missing,
            "unseen": _unseen,
            "classifier": _classifier,
            "reconstruction": _reconstruction,
        },
        ("KS and chi²",),
    )
