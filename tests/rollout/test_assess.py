"""Verdicts on paired evidence: enough of it, in the right direction, with a chance of error that holds at every look."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from contracts.rollout import Phase, Route, fresh_state
from contracts.spec import RolloutSpec, SliceGuardrail
from contracts.verdict import Outcome, Verdict, worst
from rollout.assess import Assessment, assess
from rollout.pairs import Heard
from rollout.rules import rules_of, stage_rules, watch_rules
from tests.rollout.frames import HOUR, REHEARSAL, START, WATCH, answers, failures, heard, shadow

DAY = timedelta(days=1)
STAGE: dict[str, Any] = {"kind": "shadow", "loss": "absolute_error", "block": "1d", "rehearse": "28d", "min_blocks": 8}
SPEC = RolloutSpec.model_validate({"stages": [STAGE], "watch": "7d", "guardrails": {"error_rate": 0.01}})
RULES = stage_rules(SPEC, 0)


def world(days: int, gain: float, noise: float = 1.0) -> Heard:
    """Labels of 0; the champion errs by 10, the candidate by `gain` less, both with noise."""
    hours = 24 * days
    champion, candidate = 10 + noise * np.random.default_rng(12).normal(size=(2, hours)) - np.array([[0.0], [gain]])
    return heard(answers(champion), [0.0] * hours, shadow(candidate))


def judged(said: Heard, days: float, rules: Any = RULES, contest: Any = REHEARSAL) -> Assessment:
    return assess(contest, said, rules, "regression", ((), ()), START + days * DAY)


def gate(found: Assessment, name: str = "paired absolute_error") -> Verdict:
    return next(one for one in found.verdicts if one.gate == name)


@pytest.mark.parametrize(("gain", "outcome"), [(2.0, Outcome.PASS), (-2.0, Outcome.FAIL), (0.0, Outcome.INCONCLUSIVE)])
def test_better_passes_worse_fails_and_neither_is_inconclusive(gain: float, outcome: Outcome) -> None:
    found = gate(judged(world(28, gain), 28))
    assert found.outcome is outcome
    assert (found.samples, found.limit) == (28, 0.0)
    assert found.observed == pytest.approx(gain, abs=0.3)
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower < found.observed < found.upper


def test_the_sentence_has_the_numbers() -> None:
    found = gate(judged(world(28, 2.0, noise=1e-3), 28))
    assert found.reason.startswith(
        "version 2 has 2 less absolute_error per request than version 1 (28 blocks, 672 requests): by the asymptotic boundary"
    )
    assert found.reason.endswith("above the limit 0")


def test_a_margin_forgives_that_much_and_a_negative_one_asks_for_that_much() -> None:
    said = world(28, -0.5, noise=0.1)
    assert gate(judged(said, 28, replace(RULES, margin=1.0))).outcome is Outcome.PASS
    assert gate(judged(world(28, 0.5, noise=0.1), 28, replace(RULES, margin=-1.0))).outcome is Outcome.FAIL


def test_fewer_blocks_than_asked_for_decide_nothing_however_clear_they_are() -> None:
    for gain in (9.0, -9.0):
        found = gate(judged(world(28, gain), 7.9))
        assert (found.outcome, found.samples, found.lower, found.upper) == (Outcome.INCONCLUSIVE, 7, None, None)
        assert "7 of at least 8" in found.reason


def test_rare_labels_are_waited_for_before_skewed_losses_decide_anything() -> None:
    """A candidate that answers 0 to everything looks better until the rare ones come."""
    rules = replace(RULES, loss="log_loss", block=HOUR)
    for rare, outcome in ((0, Outcome.INCONCLUSIVE), (29, Outcome.INCONCLUSIVE), (30, Outcome.PASS)):
        labels = [1.0] * rare + [0.0] * (960 - rare)
        said = heard(answers([0.3] * 960), labels, shadow([0.1 + 0.001 * (number % 7) for number in range(960)]))
        found = gate(assess(REHEARSAL, said, rules, "binary", ((0, 1), (0, 1)), START + 40 * DAY), "paired log_loss")
        assert (found.outcome, found.samples) == (outcome, 960)
        assert ("of at least 30 labels outside the commonest class" in found.reason) is (outcome is Outcome.INCONCLUSIVE)


def test_nothing_measured_never_passes() -> None:
    rules = replace(RULES, guardrails=SPEC.guardrails.model_copy(update={"latency_p99_ratio": 1.5, "prediction_psi": 0.5}))
    found = judged(heard(answers([]), []), 28, rules)
    assert [one.outcome for one in found.verdicts] == [Outcome.INCONCLUSIVE] * 6
    assert all(one.observed is None for one in found.verdicts)


def test_a_candidate_far_behind_is_not_promoted_on_the_older_part_of_its_rehearsal() -> None:
    said = world(28, 2.0)
    behind = replace(said, judged=said.judged.iloc[: 24 * 12])
    found = gate(judged(behind, 28))
    assert (found.outcome, found.samples) == (Outcome.INCONCLUSIVE, 12)
    assert "16 complete blocks wait" in found.reason
    assert gate(judged(replace(said, judged=said.judged.iloc[: 24 * 24]), 28)).outcome is Outcome.PASS
    worse = world(28, -2.0)
    assert gate(judged(replace(worse, judged=worse.judged.iloc[: 24 * 12]), 28)).outcome is Outcome.FAIL


def test_an_answer_that_is_not_finite_fails_whatever_the_rest_says() -> None:
    said = world(28, 2.0)
    said.judged.loc[100, "prediction"] = np.inf
    found = judged(said, 28)
    assert (gate(found).outcome, gate(found, "non_finite").outcome, worst(found.verdicts)) == (Outcome.PASS, Outcome.FAIL, Outcome.FAIL)
    assert "1 of 672 rows with a number that is not finite" in gate(found, "non_finite").reason


def test_a_label_counts_at_its_last_value() -> None:
    said = world(28, 2.0)
    turned = said.feedback.assign(label=20.0)  # the truth was mended: now the champion is nearer
    assert gate(judged(replace(said, feedback=turned), 28)).outcome is Outcome.FAIL


def test_the_candidates_crashes_are_its_error_rate() -> None:
    said = world(28, 2.0)
    crashed = said.judged.assign(
        error=[None] * 600 + ["MemoryError"] * 72, prediction=said.judged["prediction"].where(np.arange(672) < 600)
    )
    found = judged(replace(said, judged=crashed), 28)
    assert gate(found, "error_rate").outcome is Outcome.FAIL
    assert gate(found).outcome is Outcome.PASS
    assert worst(found.verdicts) is Outcome.FAIL


def test_latency_is_compared_between_timings_that_were_taken_the_same_way() -> None:
    said = heard(answers([1.0] * 400, latency=1.0), [1.0] * 400, shadow([1.0] * 400, latency=5.0))
    rules = replace(RULES, guardrails=SPEC.guardrails.model_copy(update={"latency_p99_ratio": 2.0}))
    assert (
        gate(judged(said, 28, rules), "latency_p99_ratio").outcome is Outcome.FAIL
    )  # only the gateway's timings of the champion are known
    both = replace(said, against=shadow([1.0] * 400, epoch=1, latency=4.0))
    assert gate(judged(both, 28, rules), "latency_p99_ratio").observed == pytest.approx(1.25)
    live = pd.concat([answers([1.0] * 400, version="1", epoch=2), answers([1.0] * 400, version="2", epoch=3, latency=1.5)])
    live["batch"] = np.arange(800)
    watched = judged(heard(live, [1.0] * 400, against=shadow([1.0] * 400, epoch=3, latency=9.0)), 28, rules, WATCH)
    assert gate(watched, "latency_p99_ratio").observed == pytest.approx(1.5)


def test_under_watch_the_new_champions_failures_of_this_epoch_are_its_error_rate() -> None:
    live = answers([1.0] * 400, version="2", epoch=3)
    said = heard(live, [1.0] * 400, against=shadow([1.0] * 400, epoch=3))
    rules = watch_rules(SPEC)
    assert gate(judged(said, 28, rules, WATCH), "error_rate").outcome is Outcome.PASS
    assert gate(judged(replace(said, failures=failures(40)), 28, rules, WATCH), "error_rate").outcome is Outcome.FAIL
    assert gate(judged(replace(said, failures=failures(40, epoch=2)), 28, rules, WATCH), "error_rate").outcome is Outcome.PASS


def test_a_worse_new_champion_fails_its_watch_on_the_same_kind_of_evidence() -> None:
    errors = 10 + np.random.default_rng(3).normal(size=(2, 24 * 6))
    said = heard(answers(errors[0] + 2, version="2", epoch=3), [0.0] * 144, against=shadow(errors[1], epoch=3))
    found = gate(judged(said, 6, watch_rules(SPEC), WATCH))
    assert found.outcome is Outcome.FAIL
    assert found.observed == pytest.approx(-2.0, abs=0.3)
    assert "more absolute_error per request than version 1" in found.reason


def test_the_watch_has_blocks_enough_within_its_time_and_never_asks_for_better() -> None:
    rules = watch_rules(SPEC)
    assert rules.block == timedelta(days=7) / 16
    assert watch_rules(SPEC.model_copy(update={"watch": timedelta(days=60)})).block == DAY
    eager = SPEC.model_copy(update={"stages": [SPEC.stages[0].model_copy(update={"margin": -5.0})]})
    assert (stage_rules(eager, 0).margin, watch_rules(eager).margin) == (-5.0, 0.0)


def test_the_boundary_follows_from_the_spec_and_the_sentence_names_it() -> None:
    said = world(28, 2.0)
    bounded = stage_rules(RolloutSpec.model_validate({"stages": [STAGE | {"bounds": [0, 20], "boundary": "bernstein"}]}), 0)
    found = gate(judged(said, 28, bounded))
    assert "by the empirical-Bernstein boundary for losses between 0 and 20 the gain lies between" in found.reason
    assert (found.lower, found.upper) != (gate(judged(said, 28)).lower, gate(judged(said, 28)).upper)
    for more, name in (
        ({"bounds": [0, 20]}, "asymptotic"),  # 28 blocks
        ({"bounds": [0, 20], "block": "30m"}, "bernstein"),  # 1,344 blocks
        ({"bounds": [0, 20], "block": "30m", "boundary": "asymptotic"}, "asymptotic"),
        ({"block": "30m"}, "asymptotic"),  # no bound is known
        ({"loss": "brier", "block": "30m"}, "bernstein"),
    ):
        assert stage_rules(RolloutSpec.model_validate({"stages": [STAGE | more]}), 0).boundary == name


def test_under_empirical_bernstein_bounds_many_blocks_of_a_bounded_loss_decide() -> None:
    stage = STAGE | {"bounds": [0, 20], "block": "1h", "rehearse": "60d", "min_blocks": 100}
    rules = stage_rules(RolloutSpec.model_validate({"stages": [stage]}), 0)
    assert rules.boundary == "bernstein"
    for gain, outcome in ((2.0, Outcome.PASS), (-2.0, Outcome.FAIL), (0.0, Outcome.INCONCLUSIVE)):
        assert gate(judged(world(60, gain), 60, rules)).outcome is outcome


def test_a_loss_beyond_its_bounds_counts_as_the_bound() -> None:
    said = world(28, 0.0, noise=0.1)
    said.judged.loc[100, "prediction"] = 1e9
    rules = stage_rules(RolloutSpec.model_validate({"stages": [STAGE | {"bounds": [0, 34]}]}), 0)
    assert gate(judged(said, 28, rules)).observed == pytest.approx(-24 / 672, abs=0.02)  # 10 against 34, once


def test_a_bernstein_boundary_for_a_loss_without_bounds_and_bounds_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="needs a bounded loss"):
        RolloutSpec.model_validate({"stages": [STAGE | {"boundary": "bernstein"}]})
    with pytest.raises(ValueError, match="not in order"):
        RolloutSpec.model_validate({"stages": [STAGE | {"bounds": [3, 1]}]})


@pytest.mark.parametrize("gain", [2.0, -2.0])
def test_below_the_coverage_of_labels_nothing_is_decided_for_or_against_the_candidate(gain: float) -> None:
    said = world(28, gain)
    few = replace(said, feedback=said.feedback.iloc[::3])
    rules = replace(RULES, min_label_coverage=0.5)
    found = judged(few, 28, rules)
    assert (gate(found).outcome, gate(found, "label_coverage").outcome) == (Outcome.INCONCLUSIVE, Outcome.INCONCLUSIVE)
    assert gate(found).reason.endswith("; too few labels to decide on that")
    assert gate(found, "label_coverage").observed == pytest.approx(1 / 3, abs=0.01)
    assert gate(judged(few, 28, replace(rules, min_label_coverage=0.3))).outcome is (Outcome.PASS if gain > 0 else Outcome.FAIL)


def test_labels_that_came_only_where_the_candidate_is_good_are_found_out() -> None:
    said = world(28, 2.0)
    hot = np.arange(672) % 2 == 0
    asked = said.answers[["request_id", "row"]].assign(temp=np.where(hot, 30.0, 10.0), event_time=said.answers["event_time"])
    some = replace(said, feedback=said.feedback[hot], asked=lambda: asked)
    rules = replace(RULES, min_label_coverage=0.4)
    found = judged(some, 28, rules)
    assert gate(found).outcome is Outcome.PASS
    assert gate(found, "label_bias").outcome is Outcome.INCONCLUSIVE
    assert "in temp (stability index" in gate(found, "label_bias").reason
    assert worst(judged(some, 28, replace(rules, on_label_bias="warn")).verdicts) is Outcome.PASS


def test_a_slice_in_which_the_candidate_is_worse_fails_though_it_is_better_in_the_mean() -> None:
    said = world(28, 4.0)
    night = np.arange(672) % 24 < 6
    said.judged.loc[night, "prediction"] += 12.0
    kinds = said.answers[["request_id", "row"]].assign(shift=np.where(night, "night", "day"))
    sliced = SPEC.guardrails.model_copy(update={"worst_slice": SliceGuardrail(column="shift", margin=1.0)})
    found = judged(replace(said, asked=lambda: kinds), 28, replace(RULES, guardrails=sliced))
    assert (gate(found).outcome, gate(found, "worst_slice shift").outcome) == (Outcome.PASS, Outcome.FAIL)
    assert "where shift is 'night'" in gate(found, "worst_slice shift").reason
    assert gate(judged(said, 28, replace(RULES, guardrails=sliced)), "worst_slice shift").outcome is Outcome.INCONCLUSIVE  # nothing logged


def test_where_the_bounds_are_tightest_follows_from_the_spec_alone() -> None:
    assert RULES.tightest_at == 28
    assert stage_rules(RolloutSpec.model_validate({"stages": [STAGE | {"rehearse": "0s"}]}), 0).tightest_at == 50


def test_the_rules_follow_from_the_state() -> None:
    state = replace(fresh_state("p"), phase=Phase.RUNNING, stage=0, route=Route(1, None, None))
    assert rules_of(SPEC, state) == RULES
    assert rules_of(SPEC, replace(state, phase=Phase.WATCHING, stage=None)) == watch_rules(SPEC)


def test_the_steps_are_what_each_look_would_have_said() -> None:
    said = world(28, 0.5)
    steps = judged(said, 28).steps
    assert (steps.version, steps.blocks[0], steps.blocks[-1]) == ("2", 2, 28)
    for days in (8, 15, 28):
        look = gate(judged(said, days))
        place = steps.blocks.index(days)
        assert (look.observed, look.lower, look.upper) == (steps.mean[place], steps.lower[place], steps.upper[place])


@pytest.mark.parametrize("margin", [0.0, 0.4])
def test_looked_at_after_every_block_a_rollout_without_a_difference_is_decided_in_at_most_alpha(margin: float) -> None:
    """At the boundary of a margin too: 200 rollouts of 40 days, errors that hang together within a day."""
    decided, random = 0, np.random.default_rng(8)
    rules = replace(RULES, margin=margin)
    for _ in range(200):
        day = np.repeat(random.normal(size=(2, 40)), 24, axis=1)
        errors = 10 + day + random.standard_t(4, size=(2, 960)) + np.array([[0.0], [margin]])
        steps = judged(heard(answers(errors[0]), [0.0] * 960, shadow(errors[1])), 40, rules).steps
        late = slice(RULES.min_blocks - 2, None)
        decided += bool((np.array(steps.lower[late]) > -margin).any() or (np.array(steps.upper[late]) < -margin).any())
    assert decided / 200 <= SPEC.alpha
