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


def hours(*which: int, reason: str = "x") -> pd.DataFrame:
    times = [pd.Timestamp("2026-01-01", tz="UTC") + pd.Timedelta(hours=one) for one in which]
    return pd.DataFrame({EVENT_TIME: pd.to_datetime(times), "id": which, "quarantine_reasons": reason})


def there(files: QuarantineFiles) -> list[int]:
    return sorted(one for path in files.aside() for one in pd.read_parquet(path)["id"])


def test_of_an_ingest_that_was_killed_late_and_new_rows_are_in_one_file_when_the_next_one_has_them_too(tmp_path: Path) -> None:
    files = QuarantineFiles(read_settings(tmp_path), "sales")
    files.keep([hours(1, 4, 9)], None)
    watermark = (pd.Timestamp("2026-01-01", tz="UTC") + pd.Timedelta(hours=10)).to_pydatetime()
    files.keep([hours(5, 11), hours(12), hours(7)], watermark)  # killed here: 5 and 7 are late
    assert there(files) == [1, 4, 5, 7, 9, 11, 12]
    files.keep([hours(5, 7, 12, 13, reason="y").astype({"id": float})], watermark)  # 11 was mended meanwhile
    assert there(files) == [1, 4, 5, 7, 9, 12, 13]
    for path in files.aside():
        assert len(pd.read_parquet(path)), "no file is empty"
    files.keep([hours(5, 7, 12, 13, reason="y").astype({"id": float})], watermark)
    assert there(files) == [1, 4, 5, 7, 9, 12, 13], "the same once more"
