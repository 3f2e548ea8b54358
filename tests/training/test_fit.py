"""The same rows give the same bytes, nothing held out is fitted, and gates say what they saw."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adapters.package_store import folder_digest, load_package, write_package
from contracts.errors import DigestMismatch, SpecError, UsageError
from contracts.package import FEATURES, MANIFEST, package_digest
from contracts.spec import Params, PipelineSpec
from training.fit import fit, split

CODE = "def build(frame):\n    return frame.assign(a=frame['a'] * 2)\n"


def spec(**train: object) -> PipelineSpec:
    return PipelineSpec.model_validate(
        {
            "name": "demand",
            "task": "regression",
            "source": {"kind": "file", "path": "rows.csv"},
            "columns": {"time": "at", "target": "y", "features": {"numeric": ["a", "b"], "categorical": ["kind"]}},
            "train": {"window": "20d", "holdout": "7d", "estimator": "sklearn.ensemble.HistGradientBoostingRegressor", **train},
            "gates": [{"metric": "mae", "max": 10}],
            "rollout": {"stages": [{"kind": "shadow", "loss": "absolute_error"}]},
        }
    )


def rows(count: int = 1000) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"a": draw.normal(size=count), "b": draw.integers(0, 9, count), "kind": draw.choice(["x", "y", "z"], count)})
    frame["y"] = 3 * frame["a"] + frame["b"] + (frame["kind"] == "x") + draw.normal(0, 0.1, count)
    frame["event_time"] = pd.date_range("2026-01-01", periods=count, freq="1h", tz="UTC")
    return frame


PARAMS = Params(seed=3, estimator={"max_iter": 20})


def test_the_newest_rows_are_held_out_and_the_window_bounds_what_is_fitted() -> None:
    parts = split(rows().sample(frac=1, random_state=1), spec())
    assert len(parts.held_out) == 7 * 24
    assert len(parts.fitted) == 20 * 24
    assert parts.fitted["event_time"].max() < parts.held_out["event_time"].min()
    assert parts.cutoff == parts.fitted["event_time"].max()


def test_a_holdout_longer_than_the_history_is_refused_with_the_remedy() -> None:
    with pytest.raises(UsageError, match=r"Shorten train\.holdout"):
        split(rows(100), spec(holdout="30d"))


PROGRAM = """
from tests.training.test_fit import rows, spec
from training.fit import fit
from training.threads import ONE_THREAD_ROWS
from contracts.package import package_digest
from contracts.spec import Params
print(package_digest(fit(rows(ONE_THREAD_ROWS + 1000), spec(window="all"), Params(seed=3, estimator={"max_iter": 4}), None).files))
"""


def test_the_same_rows_and_spec_give_the_same_digest_whatever_the_number_of_threads() -> None:
    root = str(Path(__file__).parents[2])
    digests = set()
    for threads in ("1", "2", "4"):
        env = os.environ | {"OMP_NUM_THREADS": threads, "OMP_WAIT_POLICY": "passive", "PYTHONPATH": root}
        digests.add(subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=True).stdout)
    assert len(digests) == 1


def test_another_seed_parameter_or_row_gives_another_digest() -> None:
    seen = {
        package_digest(fit(frame, spec(), params, None).files)
        for frame, params in ((rows(), PARAMS), (rows(999), PARAMS), (rows(), Params(seed=3, estimator={"max_iter": 21})))
    }
    assert len(seen) == 3


@pytest.mark.parametrize("estimator", ["sklearn.ensemble.HistGradientBoostingRegressor", "sklearn.linear_model.Ridge"])
def test_a_loaded_package_answers_as_the_fit_did_with_unknown_and_missing_values(tmp_path: Path, estimator: str) -> None:
    params = PARAMS if "Boosting" in estimator else Params()
    one = fit(rows(), spec(estimator=estimator), params, None)
    package = load_package(write_package(tmp_path / "m", one.files), package_digest(one.files))
    answers = package.predict(one.held_out)
    assert np.abs(answers - one.held_out["y"]).mean() < 2.5
    shuffled = one.held_out[one.held_out.columns[::-1]]
    assert (package.predict(shuffled) == answers).all()
    assert np.isfinite(package.predict(pd.DataFrame({"a": [1.0], "b": [2], "kind": ["never seen"]}))).all()


def test_feature_code_travels_in_the_package(tmp_path: Path) -> None:
    one = fit(rows(), spec(features="features:build"), PARAMS, CODE)
    folder = write_package(tmp_path / "m", one.files)
    assert (folder / FEATURES).read_text() == CODE
    with_code = load_package(folder, folder_digest(folder)).predict(one.held_out)
    without = fit(rows(), spec(), PARAMS, None)
    plain = load_package(write_package(tmp_path / "n", without.files), package_digest(without.files)).predict(one.held_out)
    assert np.allclose(with_code, plain)  # a monotone change of a feature leaves a tree's answers as they were


@pytest.mark.parametrize("name", ["model.skops", MANIFEST])
def test_a_package_with_one_changed_byte_is_not_loaded(tmp_path: Path, name: str) -> None:
    one = fit(rows(), spec(), PARAMS, None)
    folder = write_package(tmp_path / "m", one.files)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(DigestMismatch, match="not loaded"):
        load_package(folder, package_digest(one.files))


def test_a_package_that_trusts_foreign_types_is_not_loaded(tmp_path: Path) -> None:
    files = fit(rows(), spec(), PARAMS, None).files
    files[MANIFEST] = files[MANIFEST].replace(b'"trusted": [', b'"trusted": ["os.system", ')
    folder = write_package(tmp_path / "m", files)
    with pytest.raises(DigestMismatch, match=r"os\.system"):
        load_package(folder, folder_digest(folder))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"a": [1.0], "kind": ["x"]}), "Column 'b' is missing."),
        (pd.DataFrame({"a": [1.0, 2.0], "b": [1, "two"], "kind": ["x", "x"]}), "Column 'b', row 1: 'two' is not of type int."),
    ],
)
def test_a_bad_column_is_named_with_its_row(tmp_path: Path, frame: pd.DataFrame, message: str) -> None:
    one = fit(rows(), spec(), PARAMS, None)
    package = load_package(write_package(tmp_path / "m", one.files), package_digest(one.files))
    with pytest.raises(UsageError) as caught:
        package.predict(frame)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("estimator", "params", "message"),
    [
        ("sklearn.ensemble.NoSuchThing", {}, "cannot be imported"),
        ("NoModule", {}, "cannot be imported"),
        ("sklearn.linear_model.Ridge", {"alhpa": 1}, "params.yaml: estimator:"),
    ],
)
def test_an_estimator_or_parameter_that_does_not_exist_is_a_spec_error(estimator: str, params: dict[str, float], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        fit(rows(), spec(estimator=estimator), Params(estimator=params), None)
    assert message in str(caught.value)
