"""A replayed row is sent as the model was fitted on it."""

import pandas as pd

from contracts.columns import EVENT_TIME
from contracts.spec import PipelineSpec
from understudy.replay import infer_request


def test_categories_keep_their_kind_codes_are_numbers_and_words_are_words() -> None:
    spec = PipelineSpec.model_validate(
        {
            "name": "shop",
            "task": "regression",
            "source": {"kind": "file", "path": "x.csv"},
            "columns": {"time": "at", "target": "y", "features": {"numeric": ["n"], "categorical": ["code", "gap", "word", "flag"]}},
            "train": {"holdout": "1d", "estimator": "x.y"},
            "gates": [{"metric": "mae", "max": 1}],
            "rollout": {"stages": [{"kind": "shadow", "loss": "absolute_error"}]},
        }
    )
    times = pd.to_datetime(["2026-01-01", "2026-01-02"], utc=True)
    rows = pd.DataFrame(
        {"n": [1, 2], "code": [3, 4], "gap": [5.0, None], "word": ["a", None], "flag": [True, False], "y": [0, 0], EVENT_TIME: times}
    )
    sent = {one["name"]: (one["datatype"], one["data"]) for one in infer_request(spec, rows, "r")["inputs"]}
    assert sent == {
        "n": ("FP64", [1.0, 2.0]),
        "code": ("FP64", [3.0, 4.0]),
        "gap": ("FP64", [5.0, None]),
        "word": ("BYTES", ["a", None]),
        "flag": ("BOOL", [True, False]),
    }
