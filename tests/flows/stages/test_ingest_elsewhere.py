"""Ingest from where rows usually are: a database and a web server; only what is new comes, and an unchanged file is not sent again."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from adapters.data_repo import DataRepo
from adapters.pipeline_files import load_pipeline
from adapters.settings import Settings, read_settings
from contracts.errors import SpecError
from flows.stages.ingest import IngestResult, ingest
from tests.file_site import serving
from tests.flows.stages.test_ingest import SPEC, table


def settings_of(folder: Path, source: dict[str, Any]) -> Settings:
    pipeline = folder / "pipelines" / "sales"
    pipeline.mkdir(parents=True)
    (pipeline / "pipeline.yaml").write_text(json.dumps({**SPEC, "source": source}))
    (pipeline / "params.yaml").write_text("seed: 1\n")
    return read_settings(folder / "home", folder / "pipelines")


def run(settings: Settings) -> IngestResult:
    return ingest(settings, load_pipeline(settings, "sales"))


def test_a_tables_new_rows_become_a_snapshot_and_all_come_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROWS_URL", f"sqlite:///{tmp_path / 'rows.db'}")
    settings = settings_of(tmp_path, {"kind": "sql", "url_env": "ROWS_URL", "table": "sales"})
    with pytest.raises(SpecError, match="is not there"):
        run(settings)
    for hours in (40, 48, 48):
        with closing(sqlite3.connect(tmp_path / "rows.db")) as database:
            table(hours).to_sql("sales", database, index=False, if_exists="replace")
        done = run(settings)
    assert done.new_rows == 0
    assert [one.rows for one in DataRepo(settings).snapshots("sales")] == [40, 48]
    assert DataRepo(settings).frame(done.snapshot)["id"].tolist() == list(range(48))


def test_a_file_on_a_server_is_sent_again_only_when_it_changed(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    with serving(tmp_path / "site") as site:
        settings = settings_of(tmp_path, {"kind": "http", "url": f"{site.url}/rows.csv"})
        new = []
        for hours in (40, 40, 48):
            if not new or hours > 40:
                table(hours).to_csv(site.folder / "rows.csv", index=False)
            new.append(run(settings).new_rows)
        assert new == [40, 0, 8]
        assert [status for _, status, _ in site.asked] == [200, 304, 200]
        assert len(list((settings.home / "sources" / "sales").rglob("rows.csv"))) == 1
