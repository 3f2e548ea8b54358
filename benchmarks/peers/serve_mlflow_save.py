"""Writes a model in MLflow's form; runs in the environment of MLflow: MODEL.joblib FOLDER."""

import sys

import joblib
import mlflow.sklearn

mlflow.sklearn.save_model(
    joblib.load(sys.argv[1]),
    sys.argv[2],
    pyfunc_predict_fn="predict_proba",
    pip_requirements=["scikit-learn"],
    serialization_format="cloudpickle",
)
