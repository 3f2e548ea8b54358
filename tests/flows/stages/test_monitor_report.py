"""The report of a monitor run: everything found in it, pictures of what moved, nothing from outside, a bounded number of places."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as Xml

import numpy as np
import pandas as pd

from contracts.events import Finding, Severity
from contracts.spec import Features
from flows.stages.monitor_report import slot, write_monitor_report

FEATURES = Features(numeric=["a"], categorical=["kind"])
NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
FOUND = (
    Finding("data_drift", "a", Severity.WARN, 0.3, 0.1, 0.001, 500, "a moved <b>far</b>"),
    Finding("data_drift", "kind", Severity.INFO, 0.01, 0.1, 0.9, 500, "kind is as in the reference"),
    Finding("error_drift", "log_loss", Severity.RETRAIN, 0.5, 0.1, 0.0, 900, "log_loss rose"),
    Finding("labels", "coverage", Severity.INFO, None, None, None, 0, "none is due"),
    Finding("rewards", "mean", Severity.INFO, float("inf"), -0.1, None, 10, "no bounds"),
)


def frames() -> tuple[pd.DataFrame, pd.DataFrame]:
    random = np.random.default_rng(0)
    then, now = (pd.DataFrame({"a": random.normal(at, 1, 300), "kind": random.choice(["x", "y"], 300)}) for at in (0, 2))
    return then, now.assign(kind="z")


def test_a_run_leaves_its_findings_two_pictures_and_a_page_that_shows_them_gravest_first(tmp_path: Path) -> None:
    write_monitor_report(tmp_path, {"pipeline": "ads", "champion": "3", "until": NOW}, FOUND, FEATURES, frames())
    told = json.loads((tmp_path / "findings.json").read_text())
    assert (told["pipeline"], told["champion"]) == ("ads", "3")
    assert [(one["monitor"], one["severity"], one["observed"]) for one in told["findings"]] == [
        ("data_drift", "warn", 0.3), ("data_drift", "info", 0.01), ("error_drift", "retrain", 0.5), ("labels", "info", None),
        ("rewards", "info", None),
    ]  # fmt: skip
    page = (tmp_path / "index.html").read_text()
    assert page.index("log_loss rose") < page.index("a moved") < page.index("kind is as in")
    assert "&lt;b&gt;far" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    for name in ("effects.svg", "columns.svg"):
        assert f'src="{name}"' in page
        assert Xml.parse(tmp_path / name).getroot().tag.endswith("svg")


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_monitor_report(tmp_path / name, {"pipeline": "ads"}, FOUND, FEATURES, frames())
    assert (tmp_path / "one" / "findings.json").read_bytes() == (tmp_path / "two" / "findings.json").read_bytes()
    assert (tmp_path / "one" / "index.html").read_bytes() == (tmp_path / "two" / "index.html").read_bytes()


def test_nothing_measured_is_a_page_without_pictures(tmp_path: Path) -> None:
    write_monitor_report(tmp_path, {"pipeline": "ads"}, FOUND[3:4], FEATURES, frames())
    assert {path.name for path in tmp_path.iterdir()} == {"findings.json", "index.html"}
    assert "<img" not in (tmp_path / "index.html").read_text()


def test_a_column_that_holds_nothing_any_more_is_drawn_too(tmp_path: Path) -> None:
    then, now = frames()
    write_monitor_report(tmp_path, {"pipeline": "ads"}, FOUND, FEATURES, (then, now.drop(columns="a")))
    assert (tmp_path / "columns.svg").is_file()


def test_the_places_are_48_one_an_hour() -> None:
    places = [slot(NOW + timedelta(hours=hour)) for hour in range(200)]
    assert len(set(places)) == 48
    assert len(set(places[:48])) == 48
    assert places[0] == places[48]
