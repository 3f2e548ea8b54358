"""Somebody tries to bring rows that the candidate was fitted on into its evidence, by every way there is, and fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.traffic_log import epoch_us
from contracts.rollout import Act
from contracts.traffic import AnsweredBatch, ShadowBatch
from contracts.verdict import Outcome, Verdict
from tests.flows.stages.rollout_world import HOUR, START, World, five_versions

# MLflow's own store speaks an older SQLAlchemy
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")
KNOWN, HOURS = 20 * 24, 30 * 24  # the candidate was fitted on the first twenty days and knows them by heart


@pytest.fixture(scope="session")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return five_versions(tmp_path_factory)


@pytest.fixture
def world(tmp_path: Path, mlflow: Path) -> World:
    """A candidate that is worse than the champion on every row it was not fitted on has rehearsed thirty days."""
    world = World(tmp_path, mlflow)
    world.submit("1", error=10.0)
    assert world.settle() == ["bootstrap"]
    world.serve(HOURS)
    world.by_heart["2"] = KNOWN
    world.submit("2", error=14.0, cutoff=START + (KNOWN - 1) * HOUR)
    world.gateway()
    assert world.tick().decision.act is Act.START
    world.follow()
    world.gateway()
    return world


def log(world: World, name: str, at: int, answer: float, epoch: int) -> None:
    """Log a request as answered by the champion: at so many hours after the start."""
    time = epoch_us(START + at * HOUR)
    world.log.append(AnsweredBatch("sales", "1", epoch, "champion", 1, 0, 900, [name], [0], [time], [None], {}, [answer]))


def rehearse(world: World, name: str, epoch: int) -> None:
    """Log the candidate's answer: right to the last digit."""
    world.log.append(ShadowBatch("sales", "2", epoch, 0, 800, [name], [0], [100.0]))


def nothing(world: World) -> None:
    """The evidence as it is."""


def fitted_rows_as_they_were(world: World) -> None:
    for number in range(KNOWN):
        log(world, f"r{number}", number, 150.0, epoch=2)


def fitted_rows_again_with_times_after_the_cutoff(world: World) -> None:
    for number in range(KNOWN):
        log(world, f"r{number}", KNOWN + number % (HOURS - KNOWN), 150.0, epoch=2)
        rehearse(world, f"r{number}", epoch=2)


def rows_from_before_the_cutoff_under_new_names(world: World) -> None:
    for number in range(KNOWN):
        log(world, f"new{number}", number, 150.0, epoch=2)
        rehearse(world, f"new{number}", epoch=2)
        world.label([f"new{number}"], 100.0)


def fitted_rows_under_forged_epochs(world: World) -> None:
    for number in range(KNOWN):
        for epoch in (0, 3, 2**31):
            log(world, f"r{number}", number, 150.0, epoch)
            rehearse(world, f"r{number}", epoch)


def rows_after_the_cutoff_under_a_forged_epoch(world: World) -> None:
    for number in range(KNOWN, HOURS):
        rehearse(world, f"r{number}", epoch=1)
        rehearse(world, f"r{number}", epoch=3)


def labels_of_fitted_rows_and_of_rows_that_nobody_asked(world: World) -> None:
    world.label([f"r{number}" for number in range(KNOWN)], 100.0, received_at=epoch_us(START + 999 * HOUR))
    world.label([f"nobody{number}" for number in range(KNOWN)], 100.0)
    for number in range(KNOWN):
        rehearse(world, f"nobody{number}", epoch=2)


def fair_difference(world: World) -> float:
    """Return the mean difference of the complete days after the cutoff, by hand."""
    champion = world.answers("1", 0, HOURS)
    fair = range(KNOWN, HOURS - 24)
    return sum(abs(champion[number] - 100) - abs(world.answers("2", number, 1)[0] - 100) for number in fair) / len(fair)


ATTEMPTS: list[Callable[[World], None]] = [
    fitted_rows_as_they_were,
    fitted_rows_again_with_times_after_the_cutoff,
    rows_from_before_the_cutoff_under_new_names,
    fitted_rows_under_forged_epochs,
    rows_after_the_cutoff_under_a_forged_epoch,
    labels_of_fitted_rows_and_of_rows_that_nobody_asked,
]


@pytest.mark.parametrize("attempt", [nothing, *ATTEMPTS], ids=lambda one: one.__name__)
def test_no_attempt_changes_a_digit_of_the_evidence_or_saves_the_candidate(world: World, attempt: Callable[[World], None]) -> None:
    attempt(world)
    done = world.tick()
    found: Verdict = done.evidence.verdicts[0]
    assert (found.outcome, found.samples, done.decision.act) == (Outcome.FAIL, 9, Act.ABORT)
    assert found.observed == pytest.approx(fair_difference(world), abs=1e-9)
