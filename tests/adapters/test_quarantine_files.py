"""The files of a quarantine are those that hold rows, whatever a release that was killed left beside them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from adapters.quarantine_files import QuarantineFiles
from adapters.settings import read_settings
from contracts.columns import EVENT_TIME


def test_what_a_release_has_only_begun_is_not_set_aside_a_second_time(tmp_path: Path) -> None:
    files = QuarantineFiles(read_settings(tmp_path), "sales")
    rows = pd.DataFrame({EVENT_TIME: pd.to_datetime(["2026-01-01", "2026-01-02"], utc=True)})
    files.keep([rows], None)
    before = files.aside()
    assert len(before) == 1
    files.begin_release({before[0]: rows[:1]}, {"id": "r1"})
    assert files.aside() == before
    files.finish_release({"id": "r1"})
    assert files.aside() == before
    assert len(pd.read_parquet(before[0])) == 1
