"""A column that appears, disappears or changes its type is answered by the spec's rule, and the sentence names all there is to know."""

from __future__ import annotations

import pandas as pd
import pytest

from contracts.source import ColumnRules
from data_checks.column_rule import fit_columns
from data_checks.schema import kind_of

BEFORE = {"n": "int64", "t": "str", "b": "bool", "at": "datetime64[us, UTC]"}
ROWS = pd.DataFrame({"n": [1, 2], "t": ["x", "y"], "b": [True, False], "at": pd.to_datetime(["2026-01-01", "2026-01-02"], utc=True)})


def rule(**more: str) -> ColumnRules:
    return ColumnRules.model_validate(more)


def test_the_same_columns_or_no_snapshot_change_nothing() -> None:
    for before in (BEFORE, {}):
        fitted = fit_columns(before, ROWS, rule())
        pd.testing.assert_frame_equal(fitted.rows, ROWS)
        assert (len(fitted.misfits), fitted.filled, fitted.conflicts) == (0, (), ())


def test_a_wider_number_fits_and_an_empty_column_keeps_its_kind() -> None:
    fitted = fit_columns(BEFORE, ROWS.assign(n=[1.5, None], t=[None, None]), rule())
    assert fitted.rows["n"].tolist()[0] == 1.5
    assert (kind_of(str(fitted.rows["t"].dtype)), fitted.conflicts) == ("text", ())
    assert fit_columns(BEFORE, ROWS.assign(n=pd.Series([None, None], dtype="str")), rule()).rows["n"].dtype == "float64"


def test_a_column_that_appears() -> None:
    more = ROWS.assign(z=1)
    assert "z" in fit_columns(BEFORE, more, rule()).rows
    assert "z" not in fit_columns(BEFORE, more, rule(appears="ignore")).rows
    (said,) = fit_columns(BEFORE, more, rule(appears="refuse")).conflicts
    assert said == "column 'z' (number) was never there before (source.on_change.appears: add or ignore would take it)."


def test_a_column_that_disappears() -> None:
    (said,) = fit_columns(BEFORE, ROWS.drop(columns="t"), rule()).conflicts
    assert said == "column 't' is missing; it was text (source.on_change.disappears: fill would take it)."
    for name, dtype in BEFORE.items():
        fitted = fit_columns(BEFORE, ROWS.drop(columns=name), rule(disappears="fill"))
        assert fitted.filled == (name,)
        assert fitted.rows[name].isna().all()
        assert fit_columns({name: dtype}, fitted.rows[[name]], rule()).conflicts == (), "it still has its kind"


def test_a_column_that_changes_its_type_is_refused_with_both_types_and_a_value() -> None:
    (said,) = fit_columns(BEFORE, ROWS.assign(n=["7", "many"]), rule()).conflicts
    assert said == (
        "column 'n' was number and is text: int64, now str, such as 'many' in row 2 (source.on_change.type: convert would take it)."
    )


@pytest.mark.parametrize(
    ("name", "now", "kept"),
    [
        ("n", ["7", "many"], 7.0),
        ("b", ["True", "perhaps"], True),
        ("at", ["2026-02-03T00:00:00Z", "soon"], pd.Timestamp("2026-02-03", tz="UTC")),
    ],
)
def test_converting_sets_aside_only_rows_that_cannot_be(name: str, now: list[str], kept: object) -> None:
    fitted = fit_columns(BEFORE, ROWS.assign(**{name: now}), rule(type="convert"))
    assert fitted.rows[name].tolist() == [kept]
    assert fitted.misfits[name].tolist() == [now[1]], "as it came"
    assert fitted.misfits["quarantine_reasons"].tolist() == [f"column_type({name})"]


def test_a_number_where_text_was_is_written_as_text() -> None:
    fitted = fit_columns(BEFORE, ROWS.assign(t=[1, 2]), rule(type="convert"))
    assert (fitted.rows["t"].tolist(), len(fitted.misfits)) == (["1", "2"], 0)
