"""A file over HTTP, from a real server that knows ETag, If-Range and Range: fetched once, taken up where it broke, refused in words."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pandas as pd
import pytest

from adapters.sources import http, read_rows
from adapters.sources.http import download
from contracts.errors import DigestMismatch, OutsideError, SpecError
from contracts.spec import Columns, HttpSource
from tests.file_site import Site, serving

COLUMNS = Columns.model_validate({"time": "at", "target": "y", "features": {"numeric": ["x"]}})
FIRST = "at,x,y\n2026-01-01T00:00:00,1.5,1\n2026-01-01T01:00:00,2.5,2\n"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "site").mkdir()
    with serving(tmp_path / "site") as one:
        (one.folder / "rows.csv").write_text(FIRST)
        yield one


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_WAITS", (0.0, 0.0, None))


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "kept"


def source(site: Site, path: str = "rows.csv", **more: object) -> HttpSource:
    return HttpSource.model_validate({"kind": "http", "url": f"{site.url}/{path}", **more})


def test_only_new_rows_are_given_and_an_unchanged_file_is_not_sent_again(site: Site, kept: Path) -> None:
    rows = read_rows(source(site), COLUMNS, None, None, kept)
    assert rows["y"].tolist() == [1, 2]
    again = read_rows(source(site), COLUMNS, datetime(2026, 1, 1, 0, tzinfo=UTC), None, kept)
    assert again["y"].tolist() == [2]
    assert [(status, sent) for _, status, sent in site.asked] == [(200, len(FIRST)), (304, 0)]


def test_a_changed_file_is_taken_and_the_old_copy_goes(site: Site, kept: Path) -> None:
    first = download(source(site), kept)
    (site.folder / "rows.csv").write_text(FIRST + "2026-01-01T02:00:00,3.5,3\n")
    assert read_rows(source(site), COLUMNS, None, None, kept)["y"].tolist() == [1, 2, 3]
    assert not first.exists()
    assert len(list(kept.rglob("rows.csv"))) == 1


def test_without_an_etag_the_time_of_the_change_is_asked_for(site: Site, kept: Path) -> None:
    site.hide = {b"etag"}
    download(source(site), kept)
    download(source(site), kept)
    assert site.asked[1][0]["if-modified-since"]
    assert site.asked[1][1] == 304


def test_without_any_validator_the_file_is_fetched_each_time(site: Site, kept: Path) -> None:
    site.hide = {b"etag", b"last-modified"}
    download(source(site), kept)
    (site.folder / "rows.csv").write_text(FIRST.replace("1.5", "9.5"))
    assert read_rows(source(site), COLUMNS, None, None, kept)["x"].tolist() == [9.5, 2.5]


def _large(site: Site) -> bytes:
    content = "at,x,y\n" + "".join(f"2026-01-01T00:00:00.{number:06d},{number}.5,{number}\n" for number in range(100_000))
    (site.folder / "rows.csv").write_text(content)
    return content.encode()


def test_a_broken_download_goes_on_where_it_ended(site: Site, kept: Path) -> None:
    content = _large(site)
    site.break_after = [1_000_000, 500_000]
    path = download(source(site), kept)
    assert path.read_bytes() == content
    assert [status for _, status, _ in site.asked] == [200, 206, 206]
    assert sum(sent for _, _, sent in site.asked) < len(content) * 1.2  # what lay in buffers when it broke comes twice


def test_it_goes_on_in_the_next_run_and_not_with_a_file_that_changed(site: Site, kept: Path) -> None:
    content = _large(site)
    site.break_after = [1_000_000, 500_000, 500_000]
    with pytest.raises(OutsideError, match="could not be downloaded"):
        download(source(site), kept)
    assert not list(kept.rglob("rows.csv"))  # half a file is never taken for a whole one
    assert (kept / "part").stat().st_size > 500_000
    (site.folder / "rows.csv").write_bytes(content.replace(b".5,", b".25,"))
    assert download(source(site), kept).read_bytes() == content.replace(b".5,", b".25,")
    assert site.asked[-1][1] == 200


def test_a_part_that_is_the_whole_file_already_is_no_trap(site: Site, kept: Path) -> None:
    content = _large(site)
    site.break_after = [1_000_000] * 3
    with pytest.raises(OutsideError):
        download(source(site), kept)
    (kept / "part").write_bytes(content)
    assert download(source(site), kept).read_bytes() == content
    assert [status for _, status, _ in site.asked][-2:] == [416, 200]


def test_a_copy_that_lost_bytes_on_disk_is_fetched_again(site: Site, kept: Path) -> None:
    download(source(site), kept).write_text("at,x,y\n")
    assert len(read_rows(source(site), COLUMNS, None, None, kept)) == 2


def test_bytes_that_are_not_those_asked_for_are_refused_each_time(site: Site, kept: Path) -> None:
    good = hashlib.sha256(FIRST.encode()).hexdigest()
    assert download(source(site, sha256=good), kept).read_text() == FIRST
    for _ in range(2):
        with pytest.raises(DigestMismatch, match=r"not that of source\.sha256"):
            download(source(site, sha256="0" * 64), kept)


@pytest.mark.parametrize("hidden", [set(), {b"content-length"}])
def test_a_file_over_the_limit_is_refused_also_where_its_length_is_not_told(site: Site, kept: Path, hidden: set[bytes]) -> None:
    _large(site)
    site.hide = hidden
    with pytest.raises(SpecError, match=r"larger than the 1 MB that source\.max_megabytes allows"):
        download(source(site, max_megabytes=1), kept)
    assert not (kept / "part").exists()


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        (401, SpecError, "answers 401: it wants to know who asks. Name a variable with a valid header in source.authorization_env"),
        (404, SpecError, "answers 404: there is no such file. Mend source.url"),
        (503, OutsideError, "answers 503 Service Unavailable. Look at the server"),
    ],
)
def test_an_answer_without_the_file_is_said_in_words(site: Site, kept: Path, code: int, error: type[Exception], message: str) -> None:
    site.answer = code
    with pytest.raises(error, match=message):
        download(source(site), kept)


def test_a_server_that_is_not_there_is_named(kept: Path) -> None:
    with pytest.raises(OutsideError, match=r"http://127\.0\.0\.1:9/rows\.csv could not be downloaded"):
        download(HttpSource(kind="http", url="http://127.0.0.1:9/rows.csv"), kept)


def test_secrets_come_from_the_environment_and_are_neither_said_nor_kept(site: Site, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = source(site, "rows.csv?token=${ROWS_TOKEN}", authorization_env="ROWS_AUTHORIZATION")
    with pytest.raises(SpecError, match="environment variable ROWS_TOKEN, which is unset"):
        download(asked, kept)
    monkeypatch.setenv("ROWS_TOKEN", "hush-a")
    monkeypatch.setenv("ROWS_AUTHORIZATION", "Bearer hush-b")
    download(asked, kept)
    assert site.asked[-1][0]["authorization"] == "Bearer hush-b"
    assert not [path for path in kept.rglob("*") if path.is_file() and "hush" in path.read_text()]
    site.answer = 404
    with pytest.raises(SpecError) as caught:
        download(asked, kept)
    assert "hush" not in str(caught.value)


def test_the_kind_is_told_by_the_name_or_by_the_format(site: Site, kept: Path) -> None:
    (site.folder / "export").write_bytes(gzip.compress(FIRST.encode()))
    with pytest.raises(SpecError, match=r"does not tell what kind of file it is. Name it in source\.format"):
        download(source(site, "export"), kept)
    assert len(read_rows(source(site, "export", format="csv.gz"), COLUMNS, None, None, kept)) == 2
    pd.DataFrame({"at": ["2026-01-01"], "x": [1.0], "y": [1]}).to_parquet(site.folder / "rows.parquet")
    assert len(read_rows(source(site, "rows.parquet"), COLUMNS, None, None, kept)) == 1


def test_a_look_takes_no_bytes_of_the_file(site: Site, kept: Path) -> None:
    assert http.look(source(site), kept) == f"rows.csv, {len(FIRST)} bytes"
    assert not kept.exists()
    site.answer = 404
    with pytest.raises(SpecError, match="there is no such file"):
        http.look(source(site), kept)
    with pytest.raises(OutsideError, match="does not answer"):
        http.look(HttpSource(kind="http", url="http://127.0.0.1:9/rows.csv"), kept)


def test_the_site_here_is_what_a_plain_client_sees(site: Site) -> None:
    answer = httpx.get(f"{site.url}/rows.csv", headers={"Range": "bytes=0-1"})
    assert (answer.status_code, answer.content) == (206, b"at")
