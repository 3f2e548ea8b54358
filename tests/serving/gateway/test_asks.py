"""A pipeline is answered on the event loop only where everybody who may answer is quick."""

from __future__ import annotations

import numpy as np
import pytest

from contracts.package import Manifest
from contracts.rollout import ModelRef, Route
from serving.engine import Engine
from serving.gateway.asks import Serving, ServingArm
from serving.version import LoadedVersion
from tests.serving.gateway.world import NOW

MANIFEST = Manifest(pipeline="p", task="regression", target="y", columns={"a": "float"}, cutoff="2026-01-01T00:00:00Z")


def version(quick: bool) -> LoadedVersion:
    model = ModelRef("1", "", "", "", None)
    return LoadedVersion(model, MANIFEST, lambda _: np.zeros(1), frozenset(), Engine("scikit-learn", "", direct=True), quick)


@pytest.mark.parametrize(
    ("champion", "arms", "quick"),
    [(True, [], True), (False, [], False), (True, [True, True], True), (True, [True, False], False), (False, [False, True], False)],
)
def test_one_slow_arm_takes_the_whole_pipeline_off_the_event_loop(champion: bool, arms: list[bool], quick: bool) -> None:
    shares = tuple(ServingArm(str(number), version(one), 1 / len(arms)) for number, one in enumerate(arms))
    assert Serving("p", Route(1, None, None), version(champion), NOW, shares).quick is quick
