"""A demonstration begins afresh, and never removes what it did not make."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from adapters.settings import read_settings
from contracts.errors import UsageError
from understudy.demo.home import begin_afresh, keep_templates

ROOT = Path(__file__).parents[3]
LAYERS = ("adapters", "flows", "monitoring", "rollout", "serving", "training", "understudy", "webhook")


def made_in_a_home() -> set[str]:
    """Read our code for what it makes right in a home: `home / "name"`, and what lies beside the data repository."""
    code = "\n".join(path.read_text() for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))
    settings = (ROOT / "adapters" / "settings.py").read_text()
    named = set(re.findall(r"\bhome / \"([\w.-]+)\"", code)) | set(re.findall(r"\broot / [\"']([\w.-]+)[\"']", settings))
    beside = re.findall(r"_root\.with_name\(f\"\{self\._root\.name\}([\w.]+)\"\)", code)
    databases = [name for name in named if name.endswith(".db")] + re.findall(r"home / '([\w-]+\.db)'", code)
    return (
        named | {f"data-repo{end}" for end in beside} | {f"{name}{end}" for name in databases for end in ("", "-journal", "-wal", "-shm")}
    )


def test_whatever_our_code_makes_in_a_home_may_lie_there_after_a_kill(tmp_path: Path) -> None:
    made = made_in_a_home()
    assert {"staging", "sources", "ledger.db-journal", "mlflow.db-journal", "data-repo.building", "run"} <= made
    for name in made:
        (tmp_path / name).touch()
    (tmp_path / "run").unlink()
    begin_afresh(read_settings(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} <= {"templates", "webhook.secret", "prefect.auth", "run"}


def test_half_a_kept_database_is_no_hindrance(tmp_path: Path) -> None:
    begin_afresh(read_settings(tmp_path))
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "mlflow.db.part").write_text("half of a database that a kill left behind" * 200)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as made:
        made.execute("CREATE TABLE runs (id)")
    keep_templates(read_settings(tmp_path))
    with closing(sqlite3.connect(tmp_path / "templates" / "mlflow.db")) as kept:
        assert kept.execute("SELECT name FROM sqlite_master").fetchall() == [("runs",)]


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
