"""A BentoML service with adaptive batching, one worker; in its own environment. SERVED_MODEL: a file; SERVED_TEXTS: it takes texts."""

import os
from typing import Any

import bentoml
import joblib
import numpy as np
import pandas as pd

_MODEL, _TEXTS = os.environ["SERVED_MODEL"], bool(os.environ.get("SERVED_TEXTS"))
_BATCHED = {"batchable": True, "max_batch_size": 100, "max_latency_ms": 1000}


@bentoml.service(workers=1, traffic={"timeout": 60, "max_concurrency": 1000}, logging={"access": {"enabled": False}})
class Served:
    def __init__(self) -> None:
        self.model = joblib.load(_MODEL)

    if _TEXTS:

        @bentoml.api(**_BATCHED)
        def predict(self, rows: list[dict[str, Any]]) -> np.ndarray:  # a DataFrame is never dispatched by its batching
            return self.model.predict_proba(pd.DataFrame(rows))

    else:

        @bentoml.api(**_BATCHED)
        def predict(self, rows: np.ndarray) -> np.ndarray:
            return self.model.predict_proba(rows)
