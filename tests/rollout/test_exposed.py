"""What users of two arms earned becomes verdicts: by hand, against scipy, and never from rows that were not drawn."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from contracts.errors import UsageError
from contracts.rollout import Arm
from contracts.spec import RolloutSpec
from contracts.verdict import Outcome, Verdict
from rollout.exposed import SPLIT, Judged, Known, assess_exposed
from rollout.exposure import Exposure
from tests.rollout.frames import model

START = datetime(2026, 1, 1, tzinfo=UTC)
LATER = START + timedelta(days=30)


def spec(**more: Any) -> RolloutSpec:
    stage = {"kind": "ab", "share": 0.5, "reward": "profit", "min_units": 10, "attribution": "1h"} | more
    shadow = {"kind": "shadow", "loss": "absolute_error"}
    return RolloutSpec.model_validate({"stages": [shadow, stage], "guardrails": {"error_rate": 0.05}})


def exposure(share: float = 0.5, epoch: int = 3) -> Exposure:
    arms = (Arm("champion", model("1"), 1 - share), Arm("candidate", model("2"), share))
    return Exposure(model("2"), model("1"), arms, 3, epoch, 1)


def known(treated: np.ndarray, rewards: Any, share: float = 0.5, units: Any = None, minutes: float = 1.0) -> Known:
    """One row a minute, each its own request; its reward by name."""
    count = len(treated)
    names = [f"r{number}" for number in range(count)]
    times = pd.Series(pd.date_range(START, periods=count, freq=f"{round(60 * minutes)}s", unit="us"))
    answers = pd.DataFrame(
        {
            "request_id": names,
            "row": 0,
            "event_time": times,
            "version": np.where(treated, "2", "1"),
            "epoch": 3,
            "arm": np.where(treated, "candidate", "champion"),
            "propensity": np.where(treated, share, 1 - share),
            "unit": names if units is None else units,
            "prediction": 1.0,
            "latency_ms": 1.0,
            "batch": range(count),
        }
    )
    feedback = pd.DataFrame({"request_id": names, "row": 0, "label": [float(one) for one in rewards]})
    feedback["reward"] = [{"profit": float(one)} for one in rewards]
    failures = pd.DataFrame({"request_id": [], "version": [], "epoch": [], "batch": []})
    return Known(answers, feedback, failures)


def judged(seen: Known, rules: RolloutSpec, who: Exposure | None = None, now: datetime = LATER) -> Judged:
    return assess_exposed(who or exposure(), seen, rules, "regression", "y", ((), ()), now)


def by_gate(found: Judged) -> dict[str, Verdict]:
    return {one.gate: one for one in found.verdicts}


def drawn(count: int, lift: float, share: float = 0.5, seed: int = 0) -> Known:
    draw = np.random.default_rng(seed)
    treated = draw.random(count) < share
    return known(treated, draw.normal(1.0, 1.0, count) + lift * treated, share)


@pytest.mark.parametrize(("lift", "outcome"), [(0.5, Outcome.PASS), (-0.5, Outcome.FAIL), (0.0, Outcome.INCONCLUSIVE)])
def test_more_reward_passes_less_fails_and_no_difference_waits(lift: float, outcome: Outcome) -> None:
    found = by_gate(judged(drawn(2000, lift), spec()))
    assert (found["profit"].outcome, found[SPLIT].outcome) == (outcome, Outcome.PASS)
    verdict = found["profit"]
    assert verdict.lower is not None
    assert verdict.upper is not None
    assert verdict.lower < lift < verdict.upper
    assert verdict.samples == 2000


def test_a_margin_lets_a_little_less_pass_and_the_label_can_be_the_reward() -> None:
    assert by_gate(judged(drawn(2000, 0.0), spec(margin=0.5)))["profit"].outcome is Outcome.PASS
    assert by_gate(judged(drawn(2000, 0.5), spec(reward="label")))["label"].outcome is Outcome.PASS
    assert by_gate(judged(drawn(2000, 0.5), spec(reward="y")))["y"].outcome is Outcome.PASS


def test_a_split_that_is_not_the_one_asked_for_voids_the_comparison() -> None:
    seen = drawn(2000, 0.5)
    lost = seen.answers[(seen.answers["arm"] == "champion") | (seen.answers.index % 4 > 0)]  # a quarter of one arm's log is gone
    found = by_gate(judged(replace(seen, answers=lost), spec()))
    assert (found[SPLIT].outcome, found["profit"].outcome) == (Outcome.FAIL, Outcome.INCONCLUSIVE)
    assert "void" in found[SPLIT].reason
    assert "void" in found["profit"].reason


def test_rows_that_were_not_drawn_or_are_of_another_epoch_count_for_nothing() -> None:
    seen = drawn(400, 0.5)
    foreign = seen.answers.assign(propensity=1.0), seen.answers.assign(epoch=2), seen.answers.assign(epoch=-1), seen.answers.assign(epoch=4)
    for answers in foreign:
        assert {one.samples for one in judged(replace(seen, answers=answers), spec()).verdicts} == {0}
    twice = pd.concat([seen.answers, seen.answers])
    assert by_gate(judged(replace(seen, answers=twice), spec()))["profit"].samples == 400


def test_a_unit_is_one_sample_its_rows_count_for_the_attribution_and_then_it_is_complete() -> None:
    treated = np.array([True, False] * 40)
    units = [f"u{number % 4}" for number in range(80)]  # each of four units comes again every four minutes
    seen = known(treated, np.ones(80), units=units)
    rules = spec(min_units=2, attribution="10m")
    found = by_gate(judged(seen, rules))["profit"]
    assert (found.samples, found.observed) == (4, 0.0)
    paid = seen.feedback.assign(reward=[{"profit": 1.0 if number < 12 else 100.0} for number in range(80)])
    assert by_gate(judged(replace(seen, feedback=paid), rules))["profit"].observed == 0.0
    early = by_gate(judged(seen, rules, now=START + timedelta(minutes=10)))["profit"]
    assert early.samples == 1
    assert "not complete" in early.reason


def test_a_reward_per_row_is_a_ratio_of_sums() -> None:
    treated = np.array([True, True, True, False, False, False])
    units = ["a", "a", "b", "c", "d", "d"]
    seen = known(treated, [1, 0, 1, 0, 0, 1], units=units)
    found = by_gate(judged(seen, spec(min_units=2, per="row")))["profit"]
    assert found.observed == pytest.approx(2 / 3 - 1 / 3)
    assert by_gate(judged(seen, spec(min_units=2)))["profit"].observed == pytest.approx(2 / 2 - 1 / 2)


def test_a_reward_that_never_came_is_left_out_or_counts_zero_as_the_spec_says() -> None:
    seen = drawn(400, 0.0)
    some = seen.feedback[seen.feedback.index % 2 == 0]
    left_out = by_gate(judged(replace(seen, feedback=some), spec()))["profit"]
    assert left_out.samples == 200
    assert "of 200 complete units no reward is known" in left_out.reason
    assert by_gate(judged(replace(seen, feedback=some), spec(absent="zero")))["profit"].samples == 400


def test_an_exposed_version_that_fails_breaks_its_guardrail() -> None:
    seen = drawn(400, 0.5)
    failures = pd.DataFrame({"request_id": [f"x{one}" for one in range(60)], "version": "2", "epoch": 3, "batch": range(60)})
    assert by_gate(judged(replace(seen, failures=failures), spec()))["error_rate"].outcome is Outcome.FAIL
    others = failures.assign(version="1")
    assert by_gate(judged(replace(seen, failures=others), spec()))["error_rate"].outcome is Outcome.PASS


def bandit(**more: Any) -> RolloutSpec:
    return spec(kind="bandit", floor=0.1, **more)


def test_a_bandit_moves_its_shares_to_who_earns_more_keeps_the_floor_and_repeats_itself() -> None:
    seen = drawn(600, 0.5)
    once, twice = (judged(seen, bandit()).shares for _ in range(2))
    assert once == twice
    assert once is not None
    assert once["candidate"] == pytest.approx(0.9)
    assert once["champion"] == pytest.approx(0.1)
    nothing = judged(replace(seen, feedback=seen.feedback.iloc[:0]), bandit()).shares
    assert nothing is not None
    assert nothing["candidate"] == pytest.approx(0.5, abs=0.03)
    assert judged(seen, spec()).shares is None  # an A/B stage moves nothing


def test_a_bandit_is_read_off_policy_over_all_its_epochs() -> None:
    """Rewards fall from epoch to epoch while the candidate's share grows: by raw means it would look worse."""
    parts, feedback = [], []
    for epoch, (share, level) in enumerate([(0.1, 3.0), (0.5, 1.5), (0.9, 0.0)], start=3):
        seen = drawn(2000, 0.3, share, seed=epoch)
        level_now = seen.feedback["reward"].map(lambda one, level=level: {"profit": one["profit"] + level})  # type: ignore[misc]  # a default binds it
        parts.append(seen.answers.assign(epoch=epoch, request_id=seen.answers["request_id"] + f"-{epoch}"))
        feedback.append(seen.feedback.assign(request_id=seen.feedback["request_id"] + f"-{epoch}", reward=level_now))
    whole = Known(pd.concat(parts), pd.concat(feedback), seen.failures)
    rewards = whole.feedback["reward"].map(lambda one: one["profit"]).to_numpy()
    assert (
        rewards[(whole.answers["arm"] == "candidate").to_numpy()].mean() < rewards[(whole.answers["arm"] == "champion").to_numpy()].mean()
    )
    found = by_gate(judged(whole, bandit(), exposure(0.9, epoch=5)))
    assert found["off-policy profit"].outcome is Outcome.PASS
    assert found["off-policy profit"].observed == pytest.approx(0.3, abs=0.1)
    everybody = whole.answers.assign(reward=rewards)
    for arm, part in everybody.groupby("arm"):
        weights = 1 / part["propensity"]
        alone, normed = (weights * part["reward"]).sum() / len(everybody), np.average(part["reward"], weights=weights)
        assert f"{arm} {alone:.4g} per unit by IPS" in found["off-policy profit"].reason
        assert f", {normed:.4g} per unit by SNIPS" in found["off-policy profit"].reason
    assert found[SPLIT].outcome is Outcome.PASS


def test_with_the_former_champion_as_a_third_arm_all_three_are_read_off_policy_and_only_two_are_compared() -> None:
    names, shares = ("champion", "candidate", "previous"), (0.5, 0.3, 0.2)
    random = np.random.default_rng(3)
    drawn_arms = random.choice(3, size=3000, p=shares)
    profits = random.normal(np.array([1.0, 1.5, 9.0])[drawn_arms])
    seen = known(drawn_arms == 1, profits)
    arms, propensities = np.array(names)[drawn_arms], np.array(shares)[drawn_arms]
    answers = seen.answers.assign(arm=arms, propensity=propensities, version=np.array(["1", "2", "0"])[drawn_arms])
    three = Exposure(
        model("2"), model("1"), tuple(Arm(name, model(v), share) for name, v, share in zip(names, "120", shares, strict=True)), 3, 3, 1
    )
    found = judged(replace(seen, answers=answers), bandit(with_previous=True), three)
    verdict = by_gate(found)["off-policy profit"]
    assert by_gate(found)[SPLIT].outcome is Outcome.PASS
    assert (verdict.outcome, verdict.observed) == (Outcome.PASS, pytest.approx(0.5, abs=0.15)), "the third arm's 9.0 is not in it"
    for name in names:
        alone = (profits[arms == name] / propensities[arms == name]).sum() / len(arms)
        assert f"{name} {alone:.4g} per unit by IPS" in verdict.reason
    assert found.shares is not None
    assert found.shares["previous"] == pytest.approx(0.8)
    assert (found.shares["candidate"], found.shares["champion"]) == pytest.approx((0.1, 0.1))


def test_binary_rewards_that_are_not_are_an_error_in_one_sentence() -> None:
    with pytest.raises(UsageError, match="binary"):
        judged(known(np.array([True, False] * 20), [5.0] * 40), bandit(rewards="binary"))
