"""Tables below each other are as if they had been read as one."""

from __future__ import annotations

import pandas as pd

from adapters.joined import joined


def test_an_empty_column_takes_the_kind_it_has_elsewhere() -> None:
    first = pd.DataFrame({"n": [None, None], "t": [None, None], "b": [None, None]}, dtype="object")
    second = pd.DataFrame({"n": [1], "t": ["x"], "b": [True]})
    rows = joined([first, second])
    assert rows["n"].dtype == "float64"
    assert rows["t"].dtype == "str"
    assert rows["b"].isna().tolist() == [True, True, False]
    assert rows.index.tolist() == [0, 1, 2]


def test_one_table_is_itself_and_a_column_that_only_some_have_is_empty_elsewhere() -> None:
    one = pd.DataFrame({"n": [1]})
    assert joined([one]) is one
    assert joined([one, pd.DataFrame({"n": [2], "z": ["x"]})])["z"].isna().tolist() == [True, False]
