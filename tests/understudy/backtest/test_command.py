"""`understudy backtest`: one JSON document, a page, progress on stderr, and clear refusals."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.understudy.backtest.tiny import SPEC, rows, settings_of
from understudy.main import main


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings_of(tmp_path)
    rows().to_csv(tmp_path / "rows.csv", index=False)
    monkeypatch.setenv("TINY_ROWS", str(tmp_path / "rows.csv"))
    return tmp_path


def run(place: Path, *more: str, as_json: bool = False) -> int:
    shown = ["--json"] if as_json else []
    try:
        main([*shown, "--home", str(place / "home"), "--pipelines", str(place / "pipelines"), "backtest", "tiny", *more])
    except SystemExit as left:
        return int(left.code or 0)
    return 0


def test_it_prints_one_document_tells_its_progress_and_writes_a_page(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = place / "out" / "report.html"
    short = ("--from", "2026-01-20", "--until", "2026-01-30", "--step", "2d", "--policy", "every:4d", "--policy", "drift")
    assert run(place, *short, "--report", str(page), as_json=True) == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert [one["policy"] for one in document["costs"]][:3] == ["never", "every:4d", "drift"]  # all are held against never
    assert document["costs"][0]["relative"] == 1.0
    assert document["until"].startswith("2026-01-30")
    assert "every:4d: 5 of 5 steps" in said.err
    html = page.read_text()
    assert html.count("<svg") == 2
    assert document["recommendation"].split(":")[0] in html
    assert "http" not in html.replace("http://www.w3.org", "").replace("http://purl.org", "").replace("https://matplotlib.org", "").replace(
        "http://creativecommons.org", ""
    )
    assert not (place / "home").exists()  # it reads history and leaves nothing behind


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--policy", "often"), "'often' is no policy"),
        (("--policy", "every:1d"), "Give --step 1d"),
        (("--step", "soon"), "not a duration"),
        (("--step", "0d"), "a step takes some time"),
        (("--from", "2030-01-01"), "the history is from 2026-01-01"),
        (("--from", "2026-01-01T01:00:00"), "No label is known by 2026-01-01 01:00"),
        (("--from", "2026-01-01T20:00:00"), "train.holdout"),
        (("--from", "spring"), "does not match the formats"),
    ],
)
def test_a_mistake_exits_2_with_what_to_do(place: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], said: str) -> None:
    assert run(place, *more) == 2
    told = capsys.readouterr()
    assert said in " ".join(told.err.split())
    assert told.out == ""


def test_a_first_model_that_does_not_meet_its_gates_is_no_champion(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    strict: dict[str, Any] = {**SPEC, "gates": [{"metric": "mae", "max": 0.01}]}
    settings_of(place, strict)
    assert run(place, "--policy", "never", "--from", "2026-01-20", "--step", "2d") == 2
    assert "does not meet its gates: mae" in " ".join(capsys.readouterr().err.split())
