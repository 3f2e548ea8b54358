"""The report that the registry keeps with a version: pipeline files, checks, gates, measures, plots, environment."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd

from adapters.code_version import changed_files
from adapters.environment import environment_text
from adapters.machine import machine_text
from adapters.pipeline_files import Pipeline, load_pipeline, with_window
from adapters.recorded_code import code_text
from adapters.registry.records import DATA_DOCS
from adapters.settings import Settings
from contracts.errors import Conflict
from contracts.snapshot import Snapshot
from flows.stages.checked import checks_of
from flows.stages.dvc_lock import DVC_LOCK, dvc_lock
from flows.stages.plots import draw_evaluation
from flows.stages.work import Work, write_json

ENVIRONMENT = "environment.txt"
MACHINE = "machine.txt"
CODE = "code.txt"
CHANGED = "changed_files.txt"  # where the tree was not as committed
PREDICTIONS = "predictions.parquet"
PIPELINE = "pipeline"
WINDOW = "window.txt"  # beside pipeline.yaml, where somebody asked for another training window


def write_report(settings: Settings, pipeline: Pipeline, snapshot: Snapshot, work: Work) -> Path:
    """Put everything the registry keeps beside the model into `work.report` and return it.

    Raises:
        Conflict: the pipeline's files changed while the retrain ran.
    """
    shutil.rmtree(work.report, ignore_errors=True)
    _copy_pipeline(settings, pipeline, work.report / PIPELINE / pipeline.spec.name)
    (work.report / ENVIRONMENT).write_text(environment_text(), encoding="utf-8")
    (work.report / MACHINE).write_text(machine_text(), encoding="utf-8")
    (work.report / CODE).write_text(code_text(pipeline.folder), encoding="utf-8")
    if changed := changed_files(pipeline.folder):
        (work.report / CHANGED).write_text("\n".join(changed), encoding="utf-8")
    shutil.copyfile(work.predictions, work.report / PREDICTIONS)
    for stage in ("evaluate", "gate"):
        shutil.copyfile(work.result(stage), work.report / f"{stage}.json")
    _copy_checks(settings, snapshot, work.report)
    if lock := dvc_lock(pipeline.spec.name, pipeline.folder, work):
        (work.report / DVC_LOCK).parent.mkdir()
        (work.report / DVC_LOCK).write_text(lock, encoding="utf-8")
    shutil.copyfile(work.error_over_time, work.report / work.error_over_time.name)
    draw_evaluation(pipeline.spec.task, pd.read_parquet(work.answers), pd.read_csv(work.error_over_time), work.report / "plots")
    return work.report


def _copy_pipeline(settings: Settings, pipeline: Pipeline, target: Path) -> None:
    """Copy the files that decide the fit, and make sure that they are those that were fitted."""
    target.mkdir(parents=True)
    module, checks = (pipeline.spec.train.features or "").partition(":")[0], pipeline.spec.checks
    source = getattr(pipeline.spec.source, "module", None)
    for name in ("pipeline.yaml", "params.yaml", checks.suite, f"{checks.expectations}.py", f"{module}.py", f"{source}.py"):
        file = pipeline.folder / name
        if file.is_file() and file.parent == pipeline.folder:
            shutil.copyfile(file, target / file.name)
    if pipeline.window is not None:
        (target / WINDOW).write_text(pipeline.window, encoding="utf-8")
    if recorded_pipeline(settings, target.parent, pipeline.spec.name).spec_digest != pipeline.spec_digest:
        raise Conflict(f"The files of pipeline '{pipeline.spec.name}' changed while it was fitted.", "Retrain again.")


def recorded_pipeline(settings: Settings, folder: Path, name: str) -> Pipeline:
    """Return the pipeline that a report holds, with the training window that was asked for."""
    asked = folder / name / WINDOW
    window = asked.read_text(encoding="utf-8") if asked.is_file() else None
    return with_window(load_pipeline(replace(settings, pipelines=folder), name), window)


def _copy_checks(settings: Settings, snapshot: Snapshot, report: Path) -> None:
    found = checks_of(settings, snapshot)
    if found is None:
        return
    write_json(report / "checks.json", found)
    if found.docs is not None and Path(found.docs).is_file():
        (report / DATA_DOCS).parent.mkdir()
        shutil.copyfile(found.docs, report / DATA_DOCS)
