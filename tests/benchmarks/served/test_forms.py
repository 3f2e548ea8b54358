"""Every server is asked for the same rows, and its answer is read as the same chances."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.served import forms
from benchmarks.served.models import MAKERS, NUMBERS, Model

CHANCES = [0.25, 0.75]


@pytest.fixture(scope="module")
def logistic() -> Model:
    return MAKERS["logistic"]()


def test_ours_and_theirs_are_the_same_model(logistic: Model) -> None:
    theirs = logistic.theirs.predict_proba(logistic.rows.head(20).to_numpy())[:, 1]
    np.testing.assert_allclose(logistic.truth(20), theirs, rtol=0, atol=1e-12)


def test_each_form_holds_the_same_rows(logistic: Model) -> None:
    rows = logistic.rows.head(2).to_numpy()
    (whole,) = json.loads(forms.v2(logistic, 2))["inputs"]
    assert whole["shape"] == [2, len(NUMBERS)]
    np.testing.assert_array_equal(np.reshape(whole["data"], (2, -1)), rows)
    np.testing.assert_array_equal(json.loads(forms.mlflow(logistic, 2))["inputs"], rows)
    np.testing.assert_array_equal(json.loads(forms.plain(logistic, 2))["rows"], rows)
    assert json.loads(forms.mlserver(logistic, 2))["outputs"] == [{"name": "predict_proba"}]


def test_each_answer_is_read_as_the_same_chances() -> None:
    pairs = [[1 - one, one] for one in CHANCES]
    flat = [value for pair in pairs for value in pair]
    ours = {"outputs": [{"name": "probability", "data": CHANCES}, {"name": "label", "data": [0, 1]}]}
    assert forms.of_v2(ours) == CHANCES
    assert forms.of_v2({"outputs": [{"name": "predict_proba", "shape": [2, 2], "data": flat}]}) == CHANCES
    assert forms.of_mlflow({"predictions": pairs}) == forms.of_plain(pairs) == forms.of_plain(CHANCES) == CHANCES
