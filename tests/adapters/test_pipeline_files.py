"""Bad pipelines are answered with file, line, key and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.pipeline_files import list_pipelines, load_pipeline
from adapters.settings import Settings, read_settings
from contracts.errors import SpecError, UsageError

GOOD = """\
name: demand
task: regression
source: {kind: file, path: rows.csv}
columns:
  time: at
  target: y
  features: {numeric: [a, b]}
train:
  holdout: 7d
  estimator: sklearn.linear_model.Ridge
gates:
  - {metric: mae, max: 10}
rollout:
  stages:
    - {kind: shadow, loss: absolute_error}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "pipelines" / "demand").mkdir(parents=True)
    return read_settings(tmp_path / "home", tmp_path / "pipelines")


def _write(settings: Settings, text: str, params: str = "seed: 0\n") -> None:
    folder = settings.pipelines / "demand"
    (folder / "pipeline.yaml").write_text(text)
    (folder / "params.yaml").write_text(params)


def test_a_good_pipeline_is_read_whole(settings: Settings) -> None:
    _write(settings, GOOD)
    pipeline = load_pipeline(settings, "demand")
    assert pipeline.spec.columns.features.all == ["a", "b"]
    assert pipeline.spec.train.holdout.total_seconds() == 7 * 86400
    assert list_pipelines(settings) == ["demand"]


def test_the_spec_digest_changes_with_every_hyperparameter_and_not_with_a_comment(settings: Settings) -> None:
    _write(settings, GOOD)
    first = load_pipeline(settings, "demand").spec_digest
    _write(settings, GOOD + "# a comment\n")
    assert load_pipeline(settings, "demand").spec_digest == first
    _write(settings, GOOD, "seed: 1\n")
    assert load_pipeline(settings, "demand").spec_digest != first


BAD = [
    ("holdout: 7d", "holdoot: 7d", ":9: train.holdoot: unknown key. Did you mean 'holdout'?"),
    ("task: regression", "task: regresion", ":2: task: Input should be 'regression', 'binary' or 'multiclass', got 'regresion'."),
    ("numeric: [a, b]", "numeric: [a, y]", ":4: columns: column 'y' is target and feature at once; take it out of features."),
    ("numeric: [a, b]", "numeric: [a, a]", ":4: columns: column 'a' is listed twice in features; keep it once."),
    ("numeric: [a, b]", "numeric: []", ":4: columns: no feature is named; list at least one under features.numeric or"),
    ("holdout: 7d", "holdout: soon", "'soon' is not a duration; write a number and a unit: 30s, 5m, 1h, 7d or 2w."),
    ("{metric: mae, max: 10}", "{metric: mae}", ":12: gates.0: a gate needs a limit: max, min or max_regression."),
    ("kind: file, path: rows.csv", "kind: ftp, path: rows.csv", ":3: source: "),
    ("  estimator: sklearn.linear_model.Ridge\n", "", ":8: train.estimator: this key is required."),
    ("name: demand", "name: other", "name is 'other' but the folder is 'demand'. Give both the same name."),
    ("columns:\n", "columns: [\n", "not YAML:"),
    ("target: y", "target: event_time", "column name 'event_time' is used by Understudy itself; rename it at the source."),
    (
        "{metric: mae, max: 10}",
        "{metric: auc, min: 0.7}",
        ":11: gates: metric 'auc' does not fit task 'regression'; take one of mae, rmse, r2.",
    ),
    ("loss: absolute_error", "loss: brier", "loss 'brier' does not fit task 'regression'; take one of absolute_error, squared_error."),
    ("{metric: mae, max: 10}", "{metric: mea, max: 10}", ":12: gates.0.metric: Input should be 'mae', 'rmse', 'r2', 'log_loss'"),
    ("{metric: mae, max: 10}", "{metric: mae, max: ten}", ":12: gates.0.max: Input should be a valid number"),
    ("gates:\n  - {metric: mae, max: 10}", "gates: []", ":11: gates: List should have at least 1 item"),
    ("  time: at\n", "  time: {from: [], format: '%Y'}\n", ":5: columns.time"),
    (
        "task: regression",
        "task: regression\nchecks: {max_quarantined: 7}",
        "checks.max_quarantined: Input should be less than or equal to 1",
    ),
    ("task: regression", "task: regression\nclock: moon", ":3: clock: Input should be 'wall' or 'event', got 'moon'."),
    ("name: demand", "name: 7up", "name: String should match pattern"),
    (
        "task: regression",
        "task: binary",
        ":11: gates: metric 'mae' does not fit task 'binary'; take one of log_loss, brier, auc, accuracy.",
    ),
]


@pytest.mark.parametrize(("good", "bad", "message"), BAD, ids=[bad.strip()[:30] for _, bad, _ in BAD])
def test_a_mistake_is_answered_with_line_key_and_remedy(settings: Settings, good: str, bad: str, message: str) -> None:
    assert good in GOOD
    _write(settings, GOOD.replace(good, bad))
    with pytest.raises(SpecError) as caught:
        load_pipeline(settings, "demand")
    assert message in str(caught.value)
    assert "pipeline.yaml" in str(caught.value)


def test_an_unknown_pipeline_is_answered_with_the_nearest_name(settings: Settings) -> None:
    _write(settings, GOOD)
    with pytest.raises(UsageError, match="Did you mean 'demand'"):
        load_pipeline(settings, "demnad")


def test_a_suite_that_is_not_json_is_named_with_its_line(settings: Settings) -> None:
    _write(settings, GOOD)
    (settings.pipelines / "demand" / "suite.json").write_text('{\n"a": }')
    with pytest.raises(SpecError, match=r"suite\.json:2: not JSON"):
        load_pipeline(settings, "demand")


def test_a_feature_module_that_is_missing_is_named(settings: Settings) -> None:
    _write(settings, GOOD.replace("  holdout: 7d", "  holdout: 7d\n  features: features:build"))
    with pytest.raises(SpecError, match=r"names no function in features\.py"):
        load_pipeline(settings, "demand")
