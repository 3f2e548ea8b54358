"""One demonstration from an empty home to the report; whatever happens, what it started is stopped, unless it is to be kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from adapters.ledger import Ledger
from adapters.pipeline_files import Pipeline, load_pipeline
from adapters.settings import Settings, read_settings
from adapters.sources.file_kinds import read_table
from adapters.sources.times import time_columns
from adapters.traffic_frames import answers
from adapters.traffic_log import TrafficLog
from contracts.errors import OutsideError, UsageError
from understudy import runs
from understudy.demo import acts
from understudy.demo.damaged import push_damaged
from understudy.demo.hand import roll_back
from understudy.demo.home import begin_afresh, keep_templates
from understudy.demo.report import write_report
from understudy.demo.script import AD_CLICKS, BIKE_DEMAND, Script
from understudy.demo.story import Story
from understudy.demo.theatre import Theatre
from understudy.services.detached import addresses, start_detached, stop

BIKE_DATA = "UNDERSTUDY_BIKE_DATA"  # the variable that pipelines/bike_demand names


def play(settings: Settings, data: Path | None, *, keep: bool, script: Script | None = None) -> Path:
    """Play the whole loop and return the report.

    Args:
        data: the bike-sharing file (hour.csv) for the real pipeline; None for the simulated one.
        keep: leave everything running at the end.
        script: another stretch of time than the whole.

    Raises:
        UsageError: the file is not the one the pipeline reads, or the home holds state of somebody else.
        OutsideError: a part did not start, or something did not happen that had to.
    """
    script = script or (AD_CLICKS if data is None else BIKE_DEMAND)
    if data is not None:
        os.environ[BIKE_DATA] = str(data.absolute())
    pipeline = load_pipeline(settings, script.pipeline)
    if data is not None:
        _check_columns(data, pipeline)
    story = Story(script.pipeline)
    if stop(settings):
        story.tell("stopped what an earlier run had left up")
    begin_afresh(settings)
    with _everything_up(settings, story, keep=keep):
        return _perform(read_settings(settings.home, settings.pipelines), pipeline, script, story)


def _check_columns(data: Path, pipeline: Pipeline) -> None:
    columns = pipeline.spec.columns
    missing = sorted({*time_columns(columns), *columns.key, columns.target, *columns.features.all} - set(read_table(data).columns))
    if missing:
        raise UsageError(
            f"{data} has no column '{missing[0]}': it is not the bike-sharing file that this demonstration replays.",
            f"For data of your own: understudy init NAME --data {data} --target COLUMN",
        )


@contextmanager
def _everything_up(settings: Settings, story: Story, *, keep: bool) -> Iterator[None]:
    story.chapter("Everything comes up")
    finished = False
    try:
        start_detached(settings, tied=not keep)
        yield
        finished = True
    finally:
        if keep and finished:
            story.tell("everything stays up", "stop it with: understudy down")
        else:
            stop(settings)


def _perform(settings: Settings, pipeline: Pipeline, script: Script, story: Story) -> Path:
    for name, url in addresses(settings).items():
        if name in {"prefect", "mlflow", "gateway"}:
            story.links[{"prefect": "Prefect", "mlflow": "MLflow", "gateway": "Gateway"}[name]] = url
            story.tell(f"{name} is up", url)
    if settings.prefect_auth:
        story.tell("Prefect's password", f"the line in {settings.home / 'prefect.auth'}; it is asked for once")
    keep_templates(settings)
    ledger = Ledger(settings.ledger_url)
    try:
        with runs.open_prefect(settings) as prefect:
            stage = Theatre(settings, pipeline, script, story, ledger, prefect, script.history_until)
            acts.first_champion(stage)
            acts.live(stage, interlude=push_damaged)
            roll_back(stage)
            acts.rollout(stage)  # the next tick settles it
            return _conclude(stage)
    finally:
        ledger.close()


def exposed_rows(stage: Theatre) -> dict[str, int]:
    """Return how many rows users were answered by versions that were still under judgement, by version."""
    rows = answers(TrafficLog(stage.settings.traffic / stage.name))
    champions = rows[rows["arm"] == "champion"].groupby("epoch")["version"].first()
    met = (rows["arm"] == "candidate") & (rows["version"] != rows["epoch"].map(champions))  # the champion stands in for one that fails
    return {str(version): int(count) for version, count in rows.loc[met, "version"].value_counts().items()}


def _conclude(stage: Theatre) -> Path:
    story = stage.story
    story.decisions = stage.ledger.decisions(stage.name, limit=100_000)
    rows = pd.concat(story.served)
    served, once = float(rows["served"].mean()), float(rows["once"].mean())
    story.numbers = {
        "served_error": round(served, 4),
        "fitted_once_error": round(once, 4),
        "ratio": round(served / once, 4),
        "requests": stage.requests,
        "rows": stage.rows,
        "failed_requests": stage.failed,
        "versions": len(stage.ledger.submissions(stage.name, waiting=False)),
        "seconds": round(story.seconds, 1),
        **story.numbers,
    }
    story.numbers["exposed_rows"] = exposed_rows(stage)
    told = [f"version {version}: {count} of {stage.rows} rows" for version, count in story.numbers["exposed_rows"].items()]
    story.tell("users met candidates in A/B and bandit stages", "; ".join(told) or "none", stage.now)
    report = write_report(story, stage.settings.home, measure=stage.script.measure, every=stage.script.every)
    said = f"served {served:.4g}, fitted once {once:.4g}: {served / once:.2f} of it; {stage.requests} requests, {stage.failed} failed"
    story.tell(stage.script.measure, said)
    story.tell("the report", str(report))
    if stage.failed:
        raise OutsideError(f"{stage.failed} of {stage.requests} requests failed.", f"Look at {report} and the gateway's log.")
    return report
