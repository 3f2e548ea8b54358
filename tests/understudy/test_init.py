"""init: a sample becomes a pipeline that loads, whose suite passes, and that never learns from the answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from adapters.checks import run_suite
from adapters.pipeline_files import load_pipeline
from adapters.settings import read_settings
from adapters.sources import read_new_rows
from contracts.spec import PipelineSpec
from understudy.main import main

Init = Callable[..., dict]


def sales(rows: int = 2400, start: str = "2026-01-01") -> pd.DataFrame:
    draw = np.random.default_rng(7)
    times = pd.date_range(start, periods=rows, freq="h")
    frame = pd.DataFrame(
        {
            "id": range(100, 100 + rows),
            "at": times.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "price": draw.normal(10, 2, rows).round(3),
            "weekday": times.day_of_week,
            "shop": draw.choice(["north", "south", "O'Hare: #1"], rows),
            "country": "AT",
            "note": [f"remark {number}" for number in range(rows)],
        }
    )
    return frame.assign(sold=(20 - frame["price"] + frame["weekday"] + draw.normal(0, 1, rows)).round(2))


@pytest.fixture
def init(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Init:
    """Write a frame as a file, run init on it in an empty folder, and return what --json printed."""
    monkeypatch.chdir(tmp_path)

    def run(frame: pd.DataFrame | str, *args: str, name: str = "shop", **how: object) -> dict:
        path = Path("rows.csv")
        if isinstance(frame, pd.DataFrame):
            frame.to_csv(path, index=False, **how)  # type: ignore[call-overload]  # options of to_csv pass through
        else:
            path = Path(frame)
        main(["--json", "init", name, "--data", str(path), *args])
        said: dict = json.loads(capsys.readouterr().out)
        return said

    return run


def refused(init: Init, capsys: pytest.CaptureFixture[str], *args: object, **how: object) -> str:
    with pytest.raises(SystemExit) as left:
        init(*args, **how)
    assert left.value.code == 2
    return " ".join(capsys.readouterr().err.split())


def kinds(said: dict) -> dict[str, str]:
    return {one["column"]: one["kind"] for one in said["features"]}


def test_what_is_written_says_what_was_decided_and_is_read_back_by_every_command(init: Init) -> None:
    said = init(sales(), "--target", "sold")
    written = load_pipeline(read_settings(), "shop")
    assert written.spec == PipelineSpec.model_validate(said["spec"])
    assert written.spec.columns.key == ["id"]
    assert kinds(said) == {"price": "numeric", "weekday": "categorical", "shop": "categorical"}
    assert {one["column"] for one in said["left_out"]} == {"country", "note"}
    rows = read_new_rows(written.spec, None, None)
    assert len(rows) == 2400
    assert Path("pipelines/shop/pipeline.yaml").read_text().count("#") > 20


def test_the_proposed_suite_passes_on_the_file_it_came_from(init: Init) -> None:
    init(sales().mask(lambda frame: frame.index.to_series() % 7 == 0).assign(at=sales()["at"], sold=sales()["sold"]), "--target", "sold")
    suite = json.loads(Path("pipelines/shop/suite.json").read_text())
    answer = run_suite(suite, pd.read_csv("rows.csv"))
    assert [one.reason for one in answer.results if not one.success] == []
    assert len(answer.results) > 8


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found_even_among_quoted_text(init: Init, separator: str) -> None:
    said = init(sales().assign(shop="a,b; c\td|e"), "--target", "sold", sep=separator)
    assert said["spec"]["source"]["delimiter"] == separator
    assert len(read_new_rows(load_pipeline(read_settings(), "shop").spec, None, None)) == 2400


def test_a_column_of_hours_completes_a_column_of_dates_and_stays_a_feature(init: Init) -> None:
    frame = sales()
    frame = frame.assign(day=frame["at"].str[:10], hr=frame["at"].str[11:13].astype(int)).drop(columns="at")
    said = init(frame, "--target", "sold", "--time", "day")
    assert said["spec"]["columns"]["time"] == {"from": ["day", "hr"], "format": "%Y-%m-%d %H"}
    assert kinds(said)["hr"] == "numeric"
    assert "day" not in kinds(said)


def test_year_month_day_in_columns_of_their_own_make_the_time(init: Init) -> None:
    frame = sales()
    times = pd.to_datetime(frame["at"])
    frame = frame.assign(year=times.dt.year, month=times.dt.month, day=times.dt.day).drop(columns="at")
    assert init(frame, "--target", "sold")["spec"]["columns"]["time"] == {"from": ["year", "month", "day"], "format": "%Y %m %d"}


@pytest.mark.parametrize(
    "pattern", ["%d.%m.%Y %H:%M", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%Y/%m/%d %I:%M %p", "%d-%b-%Y %H:%M", "%Y%m%d %H:%M"]
)
def test_other_ways_to_write_a_time_are_found(init: Init, pattern: str) -> None:
    frame = sales().assign(at=pd.to_datetime(sales()["at"]).dt.strftime(pattern))
    said = init(frame, "--target", "sold")
    assert said["spec"]["columns"]["time_format"] == pattern
    assert (said["first"], said["last"]) == ("2026-01-01T00:00:00+00:00", "2026-04-10T23:00:00+00:00")


def test_of_two_orderly_readings_of_a_date_the_denser_is_taken_and_the_other_is_mentioned(init: Init) -> None:
    frame = sales(200).assign(at=pd.date_range("2026-01-01", periods=200, freq="h").strftime("%d/%m/%Y"))
    said = init(frame, "--target", "sold", "--time", "at")
    assert said["spec"]["columns"]["time_format"] == "%d/%m/%Y"
    assert "day and month could be read the other way round" in next(one["why"] for one in said["decided"] if one["key"] == "columns.time")


def test_numbers_of_any_size_are_taken(init: Init) -> None:
    huge = np.random.default_rng(4).normal(size=2400)
    said = init(sales().assign(huge=huge * 1e307, tiny=huge**3 / 1e300, endless=np.where(huge > 2, np.inf, huge)), "--target", "sold")
    assert {"huge", "tiny", "endless"} <= set(kinds(said))


def test_without_a_time_it_says_what_is_needed(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(init, capsys, sales().drop(columns="at"), "--target", "sold")
    assert "rows.csv has no column that says when a row happened (weekday: without a year that is no time). Understudy orders" in said
    assert "name it with --time" in said
    assert not Path("pipelines").exists()


def test_of_several_times_one_must_be_named(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    frame = sales().assign(billed_at=sales()["at"])
    assert "several columns that read as times: at, billed_at. Name the one that counts with --time." in refused(
        init, capsys, frame, "--target", "sold"
    )
    said = init(frame, "--target", "sold", "--time", "billed_at")
    assert "at" not in kinds(said)


@pytest.mark.parametrize(
    ("change", "args", "message"),
    [
        ({}, ("--target", "sol"), "rows.csv has no column 'sol'. Did you mean 'sold'?"),
        ({}, ("--target", "sold", "--time", "shop"), "which reads as no time. Write times as ISO 8601"),
        ({"at": 1_700_000_000}, ("--target", "sold", "--time", "at"), "holds numbers such as 1700000000"),
        ({}, ("--target", "at", "--time", "at"), "'at' is named as target and as time."),
        ({"sold": 3}, ("--target", "sold"), "The target 'sold' has 1 different value(s): there is nothing to predict."),
        ({}, ("--target", "sold", "--task", "binary"), "so it is not binary. Use --task multiclass or regression."),
        ({}, ("--target", "shop", "--task", "regression"), "is not a number, so it cannot be a regression."),
        ({}, ("--target", "note"), "is text with 2400 different values: too many classes."),
        ({"event_time": 1}, ("--target", "sold"), "has a column 'event_time', a name used by Understudy itself."),
        ({"price": "1,5", "weekday": 1, "shop": "x"}, ("--target", "sold"), "could be a feature: 'price': it is 1,5 in every row;"),
        ({"at": "2026-01-01"}, ("--target", "sold"), "The rows have only 1 different time(s)."),
    ],
)
def test_what_cannot_be_guessed_is_said_in_one_sentence(
    init: Init, capsys: pytest.CaptureFixture[str], change: dict, args: tuple[str, ...], message: str
) -> None:
    assert message in refused(init, capsys, sales().assign(**change), *args)


def test_a_name_that_cannot_be_one_gets_a_better_one(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Such as 'my_shop'." in refused(init, capsys, sales(), "--target", "sold", name="My shop")


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda frame: frame["sold"], "it equals sold"),
        (lambda frame: -3 * frame["sold"] + np.sin(frame["id"]) / 10, "it follows sold in a straight line"),
        (lambda frame: np.exp(frame["sold"] / 3) + 1, "it decides sold alone"),
    ],
)
def test_a_column_that_tells_the_answer_is_left_out_and_said(
    init: Init, made: Callable[[pd.DataFrame], pd.Series], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = sales()
    main_said = init(frame.assign(copy=made(frame)), "--target", "sold")
    (leak,) = [one for one in main_said["left_out"] if one["leak"]]
    assert (leak["column"], why in leak["why"]) == ("copy", True)
    assert "copy" not in kinds(main_said)
    assert "#   copy: it" in Path("pipelines/shop/pipeline.yaml").read_text()


@pytest.mark.parametrize("sign", ["+", "-", "×"])
def test_two_columns_that_make_the_target_together_are_both_left_out(init: Init, sign: str) -> None:
    frame = sales()
    part = np.random.default_rng(1).uniform(1, 9, len(frame))
    other = {"+": frame["sold"] - part, "-": frame["sold"] + part, "×": frame["sold"] / part}[sign]
    said = init(frame.assign(one=other, two=part), "--target", "sold")
    assert {one["column"]: one["why"] for one in said["left_out"] if one["leak"]} == dict.fromkeys(
        ("one", "two"), f"one {sign} two is sold"
    )


def test_any_number_of_columns_that_sum_to_the_target_are_left_out(init: Init) -> None:
    frame = sales()
    parts = pd.DataFrame(np.random.default_rng(1).uniform(1, 9, (len(frame), 3)), columns=["web", "shops", "returns"])
    frame = frame.join(parts).assign(phone=frame["sold"] - parts["web"] - parts["shops"] + parts["returns"])
    said = init(frame, "--target", "sold")
    leaks = {one["column"]: one["why"] for one in said["left_out"] if one["leak"]}
    assert leaks == dict.fromkeys(("web", "shops", "phone", "returns"), "web + shops + phone - returns is sold")
    assert "price" in kinds(said)


def test_columns_that_sum_to_the_target_with_weights_are_left_out(init: Init) -> None:
    frame = sales()
    parts = pd.DataFrame(np.random.default_rng(1).uniform(1, 9, (len(frame), 2)), columns=["big", "small"])
    said = init(frame.join(parts).assign(rest=(frame["sold"] - 10 * parts["big"] - 2 * parts["small"]) / 3), "--target", "sold")
    assert {one["why"] for one in said["left_out"] if one["leak"]} == {"a weighted sum of big, small, rest is sold"}


def test_a_text_class_that_another_column_repeats_is_a_leak(init: Init) -> None:
    bought = np.random.default_rng(2).choice(["yes", "no"], 2400, p=[0.1, 0.9])
    said = init(sales().assign(bought=bought, refund=np.where(bought == "yes", "open", "none")), "--target", "bought")
    assert said["spec"]["task"] == "binary"
    assert [one["column"] for one in said["left_out"] if one["leak"]] == ["refund"]
    assert said["spec"]["rollout"]["stages"][0]["loss"] == "log_loss"


def test_noise_is_no_leak(init: Init) -> None:
    said = init(sales(), "--target", "sold")
    assert (said["suspects"], [one for one in said["left_out"] if one["leak"]]) == ({}, [])


@pytest.mark.parametrize(
    ("values", "task"), [([0, 1], "binary"), ([1, 2, 3], "multiclass"), (["a", "b", "c"], "multiclass"), ([0.5, 1.5, 2.5], "regression")]
)
def test_the_task_is_told_by_the_target(init: Init, values: list, task: str) -> None:
    assert init(sales().assign(answer=np.resize(values, 2400)), "--target", "answer")["spec"]["task"] == task


@pytest.mark.parametrize(
    ("rows", "step", "block", "holdout", "window"),
    [
        (20_000, "h", "1d", "14d", "180d"),
        (400, "h", "1h", "2d", "all"),
        (700, "D", "1d", "56d", "all"),
        (300, "W", "7d", "336d", "all"),
        (5000, "s", "1m", "20m", "all"),
    ],
)
def test_durations_follow_span_and_spacing(init: Init, rows: int, step: str, block: str, holdout: str, window: str) -> None:
    times = pd.date_range("2020-01-01", periods=rows, freq=step).strftime("%Y-%m-%dT%H:%M:%SZ")
    spec = init(sales(rows).assign(at=times), "--target", "sold")["spec"]
    assert (spec["rollout"]["stages"][0]["block"], spec["train"]["holdout"], spec["train"]["window"]) == (block, holdout, window)
    assert spec["clock"] == "wall"


def test_a_pipeline_that_is_there_is_not_overwritten_without_force(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    init(sales(), "--target", "sold")
    Path("pipelines/shop/params.yaml").write_text("seed: 5\n")
    assert "exists already; nothing was written. Choose another name, or overwrite it with --force." in refused(
        init, capsys, sales(), "--target", "sold"
    )
    assert Path("pipelines/shop/params.yaml").read_text() == "seed: 5\n"
    init(sales(), "--target", "sold", "--force")
    assert yaml.safe_load(Path("pipelines/shop/params.yaml").read_text())["seed"] == 0


def test_names_that_yaml_could_misread_come_back_as_they_are(init: Init) -> None:
    odd = ["yes", "null", "a: b", "# no comment", "1e3", "it's", 'quo"te', "über", "- dash", "{brace", "two\nlines"]
    draw = np.random.default_rng(3)
    frame = sales().assign(**{name: draw.normal(size=2400) for name in odd})
    said = init(frame.rename(columns={"sold": "on", "at": "no"}), "--target", "on")
    spec = load_pipeline(read_settings(), "shop").spec
    assert spec == PipelineSpec.model_validate(said["spec"])
    assert {*odd} <= {*spec.columns.features.numeric}


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv.gz"])
def test_other_kinds_of_file_are_read_too(init: Init, suffix: str) -> None:
    frame = sales().assign(tags=[["x"]] * 2400) if suffix != ".csv.gz" else sales()
    path = f"other{suffix}"
    if suffix == ".parquet":
        frame.assign(at=pd.to_datetime(frame["at"])).to_parquet(path)
    elif suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False)
    said = init(path, "--target", "sold")
    assert set(kinds(said)) == {"price", "weekday", "shop"}
    assert len(read_new_rows(load_pipeline(read_settings(), "shop").spec, None, None)) == 2400


def test_bike_sharing_as_it_is(init: Init, real_data: Path) -> None:
    said = init(str(real_data / "bike_sharing" / "hour.csv"), "--target", "cnt", "--time", "dteday", name="mymodel")
    assert said["spec"]["columns"]["time"] == {"from": ["dteday", "hr"], "format": "%Y-%m-%d %H"}
    assert said["spec"]["columns"]["key"] == ["instant"]
    assert [one["column"] for one in said["left_out"] if one["leak"]] == ["casual", "registered"]
    assert len(kinds(said)) == 12
    frame = pd.read_csv(real_data / "bike_sharing" / "hour.csv")
    answer = run_suite(json.loads(Path("pipelines/mymodel/suite.json").read_text()), frame)
    assert [one.reason for one in answer.results if not one.success] == []


def test_bank_marketing_has_no_time_and_with_one_asks_about_duration(
    init: Init, real_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = real_data / "bank_marketing" / "bank-additional-full.csv"
    assert "(month, day_of_week: without a year that is no time)" in refused(init, capsys, str(path), "--target", "y", name="bank")
    frame = pd.read_csv(path, sep=";")
    frame.insert(0, "called_at", pd.date_range("2008-05-01", "2010-11-30", periods=len(frame)).strftime("%Y-%m-%d %H:%M"))
    said = init(frame, "--target", "y", name="bank", sep=";")
    assert (said["spec"]["task"], said["spec"]["columns"]["time"], list(said["suspects"])) == ("binary", "called_at", ["duration"])
