"""A pipeline brings expectations of its own, and Great Expectations' tools edit its suite."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from adapters.checks import run_suite
from adapters.expectations import _great_expectations
from contracts.errors import SpecError
from contracts.expectation import RowSeverity
from data_checks.quarantine import split

_PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "check-your-data.md"
FRAME = pd.DataFrame({"hr": [0, 7, 24], "temp": [0.1, 0.5, 0.9]})


def shown(after: str) -> str:
    """Return the Python code that the page shows under a heading."""
    found = re.search(r"```python\n(.*?)```", _PAGE.read_text().split(f"## {after}")[1], re.DOTALL)
    assert found is not None
    return found.group(1)


def suite(kind: str, severity: str = "row", **kwargs: object) -> dict:
    return {"name": "s", "expectations": [{"type": kind, "kwargs": kwargs, "meta": {"severity": severity}}]}


def test_a_class_of_the_pipeline_judges_rows_as_the_page_shows(tmp_path: Path) -> None:
    code = tmp_path / "expectations.py"
    code.write_text(shown("An expectation of your own"))
    answer = run_suite(suite("expect_hours_of_a_day", column="hr"), FRAME, tmp_path / "docs", code)
    assert (answer.results[0].rows, answer.results[0].severity) == ((2,), RowSeverity.ROW)
    assert split(FRAME, answer).quarantined["hr"].tolist() == [24]
    assert answer.docs is not None
    assert "hr" in Path(answer.docs).read_text()


def test_of_two_pipelines_each_has_its_own_class_of_one_name(tmp_path: Path) -> None:
    for name, most in (("one", 23), ("two", 5)):
        (tmp_path / name).mkdir()
        text = shown("An expectation of your own").replace("max_value: int = 23", f"max_value: int = {most}")
        (tmp_path / name / "expectations.py").write_text(text)
    found = [
        run_suite(suite("expect_hours_of_a_day", column="hr"), FRAME, None, tmp_path / name / "expectations.py").results[0].rows
        for name in ("one", "two", "one")
    ]
    assert found == [(2,), (1, 2), (2,)]


@pytest.mark.parametrize(
    ("text", "message"), [(None, "does not exist."), ("import nothing_of_this_name", "does not run: ModuleNotFoundError")]
)
def test_a_module_that_cannot_be_used_is_named(tmp_path: Path, text: str | None, message: str) -> None:
    code = tmp_path / "expectations.py"
    if text is not None:
        code.write_text(text)
    with pytest.raises(SpecError, match=message) as caught:
        run_suite(suite("expect_hours_of_a_day", column="hr"), FRAME, None, code)
    assert str(code) in str(caught.value)


def test_the_librarys_own_tools_edit_a_suite_as_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _great_expectations()
    folder = tmp_path / "pipelines" / "mymodel"
    folder.mkdir(parents=True)
    path = folder / "suite.json"
    path.write_text(json.dumps(suite("expect_column_values_to_be_between", "batch", column="hr", max_value=23)))
    monkeypatch.chdir(tmp_path)
    exec(compile(shown("Change the suite"), "page", "exec"), {})
    answer = run_suite(json.loads(path.read_text()), FRAME)
    assert [(one.kind, one.severity) for one in answer.results] == [
        ("expect_column_values_to_be_between", RowSeverity.BATCH),
        ("expect_column_mean_to_be_between", RowSeverity.WARN),
    ]
