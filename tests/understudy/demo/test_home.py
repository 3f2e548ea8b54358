"""A demonstration begins afresh, and never removes what it did not make."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.settings import read_settings
from contracts.errors import UsageError
from understudy.demo.home import begin_afresh


def test_state_of_an_earlier_demonstration_goes_and_migrated_databases_come_back(tmp_path: Path) -> None:
    home = tmp_path / "home"
    begin_afresh(read_settings(home))
    (home / "traffic" / "ad_clicks").mkdir(parents=True)
    (home / "ledger.db").write_text("old")
    (home / "mlflow.db").write_text("used")
    (home / "templates").mkdir()
    (home / "templates" / "mlflow.db").write_text("empty")
    begin_afresh(read_settings(home))
    assert not (home / "ledger.db").exists()
    assert not (home / "traffic").exists()
    assert (home / "mlflow.db").read_text() == "empty"


def test_a_folder_with_files_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    (tmp_path / "ledger.db").write_text("mine too")
    with pytest.raises(UsageError, match=r"thesis\.tex, which no demonstration made"):
        begin_afresh(read_settings(tmp_path))
    assert (tmp_path / "ledger.db").read_text() == "mine too"


@pytest.mark.parametrize("place", ["traffic", "data-repo"])
def test_another_pipelines_data_in_the_demonstrations_home_is_left_alone(tmp_path: Path, place: str) -> None:
    begin_afresh(read_settings(tmp_path))
    (tmp_path / place / "sales").mkdir(parents=True)
    with pytest.raises(UsageError, match="pipeline 'sales'"):
        begin_afresh(read_settings(tmp_path))
    assert (tmp_path / place / "sales").is_dir()
