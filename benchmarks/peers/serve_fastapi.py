"""A plain FastAPI application around mlflow.pyfunc, as many write it; runs in the environment of MLflow: MODEL_FOLDER PORT."""

import sys
from typing import Any

import mlflow.pyfunc
import pandas as pd
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

model = mlflow.pyfunc.load_model(sys.argv[1])
app = FastAPI()


class Rows(BaseModel):
    rows: list[list[float]] | list[dict[str, Any]]


@app.post("/predict")
def predict(body: Rows) -> list[list[float]]:
    return model.predict(pd.DataFrame(body.rows) if isinstance(body.rows[0], dict) else pd.DataFrame(body.rows).to_numpy()).tolist()


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[2]), log_level="error", access_log=False)
