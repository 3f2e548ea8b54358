"""The simulated rollouts of the benchmark are judged exactly as the product judges one."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from adapters.settings import read_settings
from benchmarks.simulated import live
from benchmarks.simulated.coverage import Share, most
from benchmarks.simulated.looks import blocked, first, looks, rarer_so_far, rules
from benchmarks.simulated.pools import Pair
from benchmarks.simulated.power import _arms_apart
from benchmarks.simulated.worlds import WORLDS, World
from contracts.verdict import Outcome
from rollout.assess import assess
from stats.arm_difference import Rewards, arm_difference_path
from stats.confidence_sequence import asymptotic_interval
from tests.rollout.frames import REHEARSAL, START, answers, heard, shadow

DAY = timedelta(days=1)


def outcomes(champion: np.ndarray, candidate: np.ndarray, labels: np.ndarray, loss: str, margin: float, days: int) -> list[Outcome]:
    """What the product's own assess says after each day of 24 requests."""
    task, classes = ("binary", (0, 1)) if loss == "log_loss" else ("regression", ())
    said = heard(answers(champion), labels.tolist(), shadow(candidate))
    given = rules(loss, margin, block="1d")
    looked = [assess(REHEARSAL, said, given, task, (classes, classes), START + day * DAY) for day in range(1, days + 1)]  # type: ignore[arg-type]  # either task
    return [one.verdicts[0].outcome for one in looked]


@pytest.mark.parametrize("margin", [0.0, 0.3])
@pytest.mark.parametrize("gain", [-0.5, 0.0, 0.5])
def test_many_rollouts_at_once_are_judged_as_the_product_judges_one_look_by_look(gain: float, margin: float) -> None:
    random, days = np.random.default_rng(5), 30
    champion, candidate = 3 + random.normal(size=(2, 24 * days)) - np.array([[0.0], [gain]])
    found = looks(blocked((champion - candidate)[np.newaxis], 24), rules(margin=margin))
    expected = outcomes(champion, candidate, np.zeros(24 * days), "absolute_error", margin, days)
    assert found.passed[0].tolist() == [one is Outcome.PASS for one in expected]
    assert found.failed[0].tolist() == [one is Outcome.FAIL for one in expected]
    assert gain == 0.0 or found.ever[0]


def test_rare_labels_are_waited_for_as_the_product_waits() -> None:
    random, days = np.random.default_rng(6), 60
    labels = (random.random(24 * days) < 0.04).astype(float)
    champion, candidate = np.full(24 * days, 0.3), 0.05 + 0.01 * random.random(24 * days)
    differences = [-np.log(np.where(labels == 1, one, 1 - one)) for one in (champion, candidate)]
    rarer = rarer_so_far(labels[np.newaxis] == 1, 24)
    found = looks(blocked((differences[0] - differences[1])[np.newaxis], 24), rules("log_loss"), rarer)
    expected = outcomes(champion, candidate, labels, "log_loss", 0.0, days)
    assert found.passed[0].tolist() == [one is Outcome.PASS for one in expected]
    assert rules().min_blocks < first(found.passed)[0] < days


@pytest.mark.parametrize("world", WORLDS, ids=[world.name for world in WORLDS])
@pytest.mark.parametrize("at_margin", [False, True])
def test_in_each_world_the_candidate_is_worse_by_exactly_the_margin(world: World, at_margin: bool) -> None:
    margin = world.margin if at_margin else 0.0
    stream = world.draw(np.random.default_rng(7), (400, 5_000), margin)
    means = stream.differences.mean(axis=1)
    assert abs(means.mean() + margin) < 4 * means.std() / np.sqrt(len(means))


def test_the_bar_is_alpha_within_the_simulations_own_error() -> None:
    for count in (0, 3, 100):
        exact = binomtest(count, 2_000).proportion_ci(0.95, method="exact")
        assert Share(count, 2_000).bounds == pytest.approx((exact.low, exact.high))
    bar = round(most(0.05, 2_000) * 2_000)
    assert binomtest(bar, 2_000).proportion_ci(0.95, method="exact").low <= 0.05
    assert binomtest(bar + 1, 2_000).proportion_ci(0.95, method="exact").low > 0.05


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_the_split_that_ours_is_held_against_is_as_sharp_as_the_products_own(share: float) -> None:
    """Its difference of the arms, and how far that strays, beside what arm_difference_path finds for the same requests."""
    random, losses = np.random.default_rng(9), np.random.default_rng(9).gamma(2.0, 10.0, (200, 24))
    pair = Pair(losses, losses * 0.9 + np.random.default_rng(1).normal(size=losses.shape), 1.0)
    means = _arms_apart(pair, share, (1, 2_000), random)[0]
    ours = asymptotic_interval(means, 0.05, 2_000)
    drawn, treated = np.random.default_rng(2).integers(0, 200, 2_000), np.random.default_rng(3).random(48_000) < share
    lost = np.where(treated, pair.candidate[drawn].ravel(), pair.champion[drawn].ravel())
    rewards = Rewards(treated, np.where(treated, share, 1 - share), -lost, np.ones(len(lost)))
    theirs = arm_difference_path(rewards, 0.05, 48_000)
    gain = pair.champion.mean() - pair.candidate.mean()
    assert ours.lower < gain < ours.upper
    assert theirs.lower[-1] < gain < theirs.upper[-1]
    assert (ours.upper - ours.lower) / (theirs.upper[-1] - theirs.lower[-1]) == pytest.approx(1.0, abs=0.05)


def test_a_candidate_that_is_better_is_seen_and_sooner_where_it_is_better_by_more() -> None:
    random = np.random.default_rng(8)
    ends = [float(np.median(first(looks(random.normal(gain, 1.0, (200, 400)), rules()).passed))) for gain in (0.2, 0.5, 1.0)]
    assert np.isfinite(ends).all()
    assert ends[0] > 2 * ends[1] > 2 * ends[2]


def test_the_rehearsed_pipeline_is_decided_by_its_shadow_alone(tmp_path: Path) -> None:
    shutil.copytree(Path(__file__).parents[2] / "pipelines" / "ad_clicks", tmp_path / "pipelines" / "ad_clicks")
    settings = read_settings(tmp_path / "state", tmp_path / "pipelines")
    spec = live._rewritten(settings, live._shadow_alone).spec
    assert [(stage.kind, stage.rehearse) for stage in spec.rollout.stages] == [("shadow", DAY)]
    gates = live._rewritten(settings, live._lenient).spec.gates
    assert [gate.max for gate in gates] == [0.69]
