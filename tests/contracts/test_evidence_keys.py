"""What pipeline.yaml says about evidence is checked when it is read; a pipeline that says nothing is as it was."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from contracts.spec import PipelineSpec
from tests.flows.stages.rollout_world import SPEC


def spec(columns: dict[str, Any] | None = None, guardrails: dict[str, Any] | None = None) -> PipelineSpec:
    told = json.loads(json.dumps(SPEC))
    told["columns"] |= columns or {}
    told["rollout"]["guardrails"] |= guardrails or {}
    return PipelineSpec.model_validate(told)


def test_the_attribution_window_is_the_label_delay_unless_it_is_told_and_never_shorter() -> None:
    assert spec().columns.labels_due == timedelta(hours=1)
    assert spec({"attribution": "3d"}).columns.labels_due == timedelta(days=3)
    with pytest.raises(ValueError, match="attribution is shorter than label_delay"):
        spec({"attribution": "1m"})


def test_a_slice_of_a_column_that_the_log_does_not_have_is_refused() -> None:
    assert spec(guardrails={"worst_slice": {"column": "x", "margin": 1}}).rollout.guardrails.worst_slice is not None
    with pytest.raises(ValueError, match="names column 'shop', which is no feature"):
        spec(guardrails={"worst_slice": {"column": "shop", "margin": 1}})
