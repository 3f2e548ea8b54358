"""The table of `understudy check`: what fails first, nothing that holds unless asked for, and readable however narrow the terminal is."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from contracts.check_line import CheckLine
from contracts.checks import Checks
from contracts.verdict import Outcome, Verdict
from data_checks.check_lines import history_lines
from understudy.commands.check_table import print_checks

HOLDS = CheckLine("temp", "be between", "row", "pass", "0 of 90 rows", "min_value=0", (), "temp holds.")
LATE = CheckLine("table", "freshness", "warn", "fail", "3 d", "2 d", (), "Warning only: the newest row is 3 d old.")
BAD = CheckLine("weathersit", "be in set", "row", "fail", "2 of 90 rows", "value_set=[1, 2]", ("11 (row 3)", "12 (row 9)"), "x")
UNKNOWN = CheckLine("table", "volume", "batch", "inconclusive", "", "", (), "Not judged: there is no snapshot before this batch.")


def printed(width: int, *lines: CheckLine, everything: bool = False) -> str:
    out = io.StringIO()
    print_checks(90, list(lines), everything=everything, console=Console(file=out, width=width, highlight=False))
    return out.getvalue()


@pytest.mark.parametrize("width", [40, 80, 140])
def test_every_fact_of_a_failing_check_is_there_at_any_width_and_no_word_is_cut(width: int) -> None:
    said = printed(width, HOLDS, UNKNOWN, BAD, LATE)
    words = " ".join(said.split())
    for fact in ("weathersit", "row", "fail", "11 (row 3)", "12 (row 9)", "the newest row is 3 d old", "there is no snapshot"):
        assert fact in words
    assert words.count("weathersit") >= 1
    assert "temp" not in words
    assert words.startswith("90 rows, 4 checks: 2 fail, 1 inconclusive, 1 pass.")
    assert words.index("weathersit") < words.index("volume"), "what fails comes first"


def test_in_a_table_a_check_is_one_row_whose_brackets_are_not_taken_for_markup() -> None:
    row = next(line for line in printed(140, BAD).splitlines() if "weathersit" in line)
    assert " ".join(row.split()) == "weathersit be in set row fail 2 of 90 rows value_set=[1, 2] 11 (row 3)"


def test_what_holds_is_listed_last_when_asked_for() -> None:
    said = printed(140, HOLDS, BAD, everything=True)
    assert said.index("weathersit") < said.index("temp")
    assert "0 of 90 rows" in said


def test_a_failed_warning_is_a_failure_that_refuses_nothing() -> None:
    checks = Checks.model_validate(
        {"freshness": {"max_age": "1d", "severity": "warn"}, "distribution": {"severity": "batch"}, "association": {"severity": "batch"}}
    )
    verdicts = [
        Verdict("freshness", Outcome.PASS, 90_000.0, 86_400.0, 1, "Warning only: old."),
        Verdict("distribution(temp)", Outcome.FAIL, 0.5, 0.25, 90, "moved."),
        Verdict("association", Outcome.INCONCLUSIVE, None, None, 0, "Not judged."),
    ]
    age, moved, tied = history_lines(checks, verdicts)
    assert (age.outcome, age.severity, age.observed, age.limit, age.refuses) == ("fail", "warn", "1 d 1 h", "1 d", False)
    assert (moved.column, moved.expectation, moved.observed, moved.limit, moved.refuses) == ("temp", "distribution", "50.0%", "25.0%", True)
    assert (tied.outcome, tied.observed, tied.refuses) == ("inconclusive", "", False)
