"""All gates of a rollout together have the spec's alpha, however many there are, and so has a watch."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.spec import RolloutSpec
from rollout.alpha import alpha_shares, slice_share, watch_shares

STAGE: dict[str, Any] = {"kind": "shadow", "loss": "absolute_error"}
LIMITS: list[tuple[dict[str, Any], int]] = [
    ({"error_rate": None}, 0),
    ({"error_rate": 0.1}, 1),
    ({"error_rate": 0.1, "latency_p99_ratio": 2}, 2),
    ({"error_rate": 0.1, "non_finite": 0.01}, 2),
    ({"error_rate": None, "worst_slice": {"column": "x", "margin": 1}}, 1),
    ({"error_rate": 0.1, "latency_p99_ratio": 2, "non_finite": 0.01, "worst_slice": {"column": "x", "margin": 1}}, 4),
]


@pytest.mark.parametrize(("limits", "tests"), LIMITS)
@pytest.mark.parametrize("stages", [1, 2])
def test_what_all_gates_of_all_stages_have_adds_up_to_alpha(limits: dict[str, Any], tests: int, stages: int) -> None:
    spec = RolloutSpec.model_validate({"alpha": 0.1, "stages": [STAGE] * stages, "guardrails": limits})
    stage, watch = alpha_shares(spec), watch_shares(spec)
    assert stages * (stage.loss + tests * stage.each) == pytest.approx(0.1)
    assert watch.loss + tests * watch.each == pytest.approx(0.1)
    assert stage.loss >= 0.8 * 0.1 / stages


def test_slices_have_no_more_than_their_guardrail_however_many_come_up() -> None:
    shares = [slice_share(0.01, number) for number in range(1, 10_000)]
    assert sum(shares) < 0.01
    assert sum(shares) == pytest.approx(0.01, rel=1e-3)
    assert shares == sorted(shares, reverse=True)
