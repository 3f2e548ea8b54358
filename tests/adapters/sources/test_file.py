"""Files become rows with an event time in UTC; every mistake is named with column and row."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from adapters.sources import read_rows
from adapters.sources.file import matching_files
from contracts.errors import SpecError
from contracts.spec import Columns, FileSource

TABLE = pd.DataFrame({"at": ["2026-01-01T00:00:00", "2026-01-01T01:00:00", "2026-01-01T02:00:00"], "x": [1.5, 2.5, 3.5], "y": [1, 2, 3]})


def columns(**more: object) -> Columns:
    return Columns.model_validate({"time": "at", "target": "y", "features": {"numeric": ["x"]}, **more})


def read(path: Path | str, after: datetime | None = None, until: datetime | None = None, **more: object) -> pd.DataFrame:
    return read_rows(FileSource(kind="file", path=str(path)), columns(**more), after, until)


def read_as(path: Path, **source: object) -> pd.DataFrame:
    return read_rows(FileSource.model_validate({"kind": "file", "path": str(path), **source}), columns())


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet", "a.jsonl", "a.jsonl.gz", "a.tsv"])
def test_every_kind_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("parquet"):
        TABLE.to_parquet(path)
    elif "jsonl" in name:
        TABLE.to_json(path, orient="records", lines=True)
    else:
        TABLE.to_csv(path, index=False, sep="\t" if "tsv" in name else ",")
    rows = read(path)
    assert rows["x"].tolist() == [1.5, 2.5, 3.5]
    assert str(rows["event_time"].dtype) == "datetime64[us, UTC]"
    assert rows["event_time"].iloc[2] == pd.Timestamp("2026-01-01T02:00Z")


def test_only_rows_after_the_watermark_and_until_the_end_are_read(tmp_path: Path) -> None:
    TABLE.to_csv(tmp_path / "a.csv", index=False)
    rows = read(tmp_path / "a.csv", datetime(2026, 1, 1, 0, tzinfo=UTC), datetime(2026, 1, 1, 1, tzinfo=UTC))
    assert rows["y"].tolist() == [2]


def test_globs_are_read_in_order_of_time(tmp_path: Path) -> None:
    TABLE.iloc[2:].to_csv(tmp_path / "1.csv", index=False)
    TABLE.iloc[:2].to_csv(tmp_path / "2.csv", index=False)
    assert read(tmp_path / "*.csv")["y"].tolist() == [1, 2, 3]


def test_the_environment_is_read_in_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    TABLE.to_csv(tmp_path / "a.csv", index=False)
    monkeypatch.setenv("FOLDER_OF_ROWS", str(tmp_path))
    assert matching_files("${FOLDER_OF_ROWS}/a.csv") == [tmp_path / "a.csv"]
    monkeypatch.delenv("FOLDER_OF_ROWS")
    with pytest.raises(SpecError, match="environment variable FOLDER_OF_ROWS, which is unset"):
        matching_files("${FOLDER_OF_ROWS}/a.csv")


def test_a_naive_time_is_in_the_named_zone_and_a_zoned_one_is_not(tmp_path: Path) -> None:
    frame = TABLE.assign(at=["2026-07-01 12:00", "2026-07-01T12:00:00Z", "2026-07-01T12:00:00+05:00"])
    frame.to_csv(tmp_path / "a.csv", index=False)
    rows = read(tmp_path / "a.csv", timezone="Europe/Vienna").sort_values("y")
    assert [time.hour for time in rows["event_time"]] == [10, 12, 7]


def test_clocks_set_forward_or_back_lose_no_row(tmp_path: Path) -> None:
    frame = TABLE.assign(at=["2026-03-29 02:30", "2026-10-25 02:30", "2026-10-25 03:30"])
    frame.to_csv(tmp_path / "a.csv", index=False)
    assert [str(time)[11:16] for time in read(tmp_path / "a.csv", timezone="Europe/Vienna")["event_time"]] == ["01:00", "00:30", "02:30"]


def test_a_time_is_put_together_from_columns(tmp_path: Path) -> None:
    pd.DataFrame({"day": ["2026-01-02", "2026-01-02"], "hr": [3, 14], "x": [1, 2], "y": [1, 2]}).to_csv(tmp_path / "a.csv", index=False)
    rows = read(tmp_path / "a.csv", time={"from": ["day", "hr"], "format": "%Y-%m-%d %H"})
    assert [time.hour for time in rows["event_time"]] == [3, 14]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (TABLE.assign(at=["2026-01-01", "soon", "2026-01-02"]), "row 2: column 'at' is 'soon', which cannot be read as an ISO 8601 time"),
        (TABLE.assign(at=["2026-01-01", None, "2026-01-02"]), "row 2: column 'at' is empty"),
        (TABLE.rename(columns={"x": "xx"}), "has no column 'x'. Did you mean 'xx'?"),
        (TABLE.assign(event_time=1), "has a column 'event_time', a name used by Understudy itself"),
    ],
)
def test_mistakes_in_a_file_are_named(tmp_path: Path, frame: pd.DataFrame, message: str) -> None:
    frame.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(SpecError) as caught:
        read(tmp_path / "a.csv")
    assert message in str(caught.value)


def test_missing_broken_and_unknown_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="matches no file"):
        read(tmp_path / "absent.csv")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"at,x,y\n")[:10])
    (tmp_path / "a.parquet").write_bytes(b"no")
    (tmp_path / "a.xls").write_bytes(b"no")
    (tmp_path / "empty.csv").write_bytes(b"")
    for name, message in [
        ("a.csv.gz", "cannot be read"),
        ("a.parquet", "cannot be read"),
        ("a.xls", "no kind"),
        ("empty.csv", "cannot be read"),
    ]:
        with pytest.raises(SpecError, match=message):
            read(tmp_path / name)
    TABLE.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(SpecError, match="'Mars/North' is not a known time zone"):
        read(tmp_path / "a.csv", timezone="Mars/North")


def test_other_encodings_and_decimal_commas_are_read_when_named_and_refused_when_not(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    text = "at;x;y;town\n2026-01-01;1,5;1;Köln\n2026-01-02;2,5;2;Łódź\n"
    path.write_text(text, encoding="utf-16")
    rows = read_as(path, delimiter=";", decimal=",", encoding="utf-16")
    assert (rows["x"].tolist(), rows["town"].tolist()) == ([1.5, 2.5], ["Köln", "Łódź"])
    with pytest.raises(SpecError, match=r"is not text in utf-8.*source\.encoding, such as latin-1"):
        read_as(path, delimiter=";", decimal=",")
    path.write_text(text.replace("Łódź", "Bonn"), encoding="utf-8-sig")
    assert read_as(path, delimiter=";", decimal=",")["x"].tolist() == [1.5, 2.5], "a byte order mark is no part of the first name"
    with pytest.raises(SpecError, match=r"column 'x' is numeric by pipeline\.yaml, and is text such as '1,5'.*source\.decimal"):
        read_as(path, delimiter=";")
    with pytest.raises(SpecError, match=r"""where ';' stands between columns, write source\.delimiter: ";\""""):
        read_as(path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"encoding": "klingon"}, "no text encoding is called 'klingon'"),
        ({"decimal": ","}, "delimiter and decimal are the same sign"),
        ({"lateness": "3d", "retention": "2d"}, "retention must be longer than source.lateness"),
    ],
)
def test_contradictions_in_a_source_are_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FileSource.model_validate({"kind": "file", "path": "a.csv", **given})
