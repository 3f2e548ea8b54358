"""Labels on the real traffic log: late, repeated, mended, missing, and missing for some kinds of request only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contracts.rollout import Act
from contracts.verdict import Outcome, Verdict
from tests.flows.stages.rollout_world import World, five_versions

# MLflow's own store speaks an older SQLAlchemy
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")
HOURS = 30 * 24


@pytest.fixture(scope="session")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return five_versions(tmp_path_factory)


def rehearsing(folder: Path, mlflow: Path, **columns: Any) -> World:
    """Version 1 has answered thirty days without a label; version 2, a better one, has answered them in shadow."""
    world = World(folder, mlflow)
    world.spec["columns"] |= columns
    world.submit("1", error=10.0)
    assert world.settle() == ["bootstrap"]
    world.serve(HOURS, labels=None)
    world.submit("2", error=5.0)
    world.gateway()
    world.tick()
    world.follow()
    world.gateway()
    return world


def names(world: World, *, until: int = HOURS, hours: int = 24) -> list[str]:
    """The requests of the first hours of each day."""
    return [f"r{number}" for number in range(until) if number % 24 < hours]


def look(world: World, gate: str = "paired absolute_error") -> Verdict:
    world.gateway()
    return next(one for one in world.tick().evidence.verdicts if one.gate == gate)


def test_too_few_labels_decide_nothing_and_those_that_come_late_do(tmp_path: Path, mlflow: Path) -> None:
    world = rehearsing(tmp_path, mlflow)
    world.label(names(world, until=10 * 24), 100.0)
    found = look(world)
    assert (found.outcome, found.samples) == (Outcome.INCONCLUSIVE, 10)
    assert found.reason.endswith("too few labels to decide on that")
    covered = look(world, "label_coverage")
    assert (covered.outcome, covered.samples, covered.observed) == (Outcome.INCONCLUSIVE, 29 * 24, pytest.approx(10 / 29))
    assert world.ledger.evidence("sales") is not None  # status shows it
    world.label(names(world), 100.0, received_at=5)
    assert world.tick().decision.act is Act.PROMOTE


def test_a_label_counts_once_at_its_last_value_however_often_and_in_whatever_order_it_is_sent(tmp_path: Path, mlflow: Path) -> None:
    world = rehearsing(tmp_path, mlflow, label_delay="1h")
    world.label(names(world), 107.4, received_at=2)  # in the middle between both versions: nothing is decided
    once = look(world)
    assert once.outcome is Outcome.INCONCLUSIVE
    for _ in range(2):
        world.label(names(world, until=200), 107.4, received_at=3)  # the client was not sure that it had arrived
    assert look(world) == once
    world.label(names(world, until=300), 500.0, received_at=1)  # sent before all of these, delivered after them
    assert look(world) == once
    world.label(names(world), 100.0, received_at=9)  # mended
    mended = look(world)
    assert (mended.outcome, mended.samples, mended.observed) == (Outcome.PASS, once.samples, pytest.approx(5.0, abs=0.3))
    assert "(29 blocks, 696 requests)" in mended.reason


def test_no_block_is_judged_while_its_attribution_window_is_open(tmp_path: Path, mlflow: Path) -> None:
    world = rehearsing(tmp_path, mlflow, attribution="3d")
    world.label(names(world), 107.4)
    assert (look(world).samples, look(world, "label_coverage").samples) == (26, 26 * 24)


def test_labels_that_come_for_the_first_hours_of_a_day_only_promote_nobody(tmp_path: Path, mlflow: Path) -> None:
    world = rehearsing(tmp_path, mlflow)
    world.label(names(world, hours=16), 100.0)
    assert (look(world).outcome, look(world, "label_coverage").outcome) == (Outcome.PASS, Outcome.PASS)
    found = look(world, "label_bias")
    assert (found.outcome, found.samples) == (Outcome.INCONCLUSIVE, 29 * 8)
    assert "the 232 unlabelled requests differ from the 464 labelled ones in x (stability index" in found.reason
    assert world.tick().decision.act is Act.HOLD
    world.label(names(world), 100.0, received_at=7)
    assert world.tick().decision.act is Act.PROMOTE
