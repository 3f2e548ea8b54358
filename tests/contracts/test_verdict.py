"""The worst verdict speaks for many, and nothing measured is no pass."""

from __future__ import annotations

from contracts.verdict import Outcome, Verdict, worst


def _verdict(outcome: Outcome) -> Verdict:
    return Verdict("gate", outcome, None, None, 0, "because")


def test_outcomes_are_ordered_from_pass_to_fail() -> None:
    assert Outcome.PASS < Outcome.INCONCLUSIVE < Outcome.ERROR < Outcome.FAIL


def test_one_fail_among_passes_is_a_fail() -> None:
    assert worst([_verdict(Outcome.PASS), _verdict(Outcome.FAIL), _verdict(Outcome.ERROR)]) is Outcome.FAIL


def test_nothing_measured_is_inconclusive() -> None:
    assert worst([]) is Outcome.INCONCLUSIVE
