"""A candidate damaged on purpose: fitted on labels that were shuffled; the gates must refuse it, and so must the shadow."""

from __future__ import annotations

import uuid
from dataclasses import replace

import numpy as np
import pandas as pd

from adapters.data_repo import DataRepo
from adapters.package_store import write_package
from adapters.parquet_files import write_parquet
from contracts.errors import OutsideError
from contracts.events import Cause, Trigger
from contracts.package import package_digest
from contracts.rollout import Act, ModelRef
from contracts.snapshot import Snapshot
from contracts.verdict import Outcome, Verdict
from flows.stages.evaluate import evaluate_stage
from flows.stages.fit import FitResult, read_rows
from flows.stages.gate import gate_stage
from flows.stages.register import register_stage
from flows.stages.work import Work, work_folder
from training.fit import fit
from understudy.demo import acts
from understudy.demo.theatre import Theatre

TRIGGER = Trigger(Cause.OPERATOR, "damaged on purpose: its labels were shuffled", "demonstration")


def push_damaged(stage: Theatre) -> None:
    """Fit on shuffled labels, let the gates refuse, push it past them all the same, and let the shadow refuse."""
    stage.story.chapter("A damaged candidate")
    model, verdicts = _fit_damaged(stage)
    refused = [one.reason for one in verdicts if one.outcome is not Outcome.PASS]
    stage.story.gates[f"version {model.version} (damaged)"] = verdicts
    said = "; ".join(refused) or "they did not see it"
    stage.story.tell(f"version {model.version}, fitted on shuffled labels: refused by {len(refused)} offline gates", said, stage.now)
    stage.ledger.submit(stage.name, model, verdicts, replace(TRIGGER, reason=f"{TRIGGER.reason}; pushed past its gates"))
    stage.story.tell(f"version {model.version} is pushed past its gates all the same", "to see what the shadow says", stage.now)
    acts.rollout(stage)
    _insist_on_refusal(stage, model)


def _insist_on_refusal(stage: Theatre, model: ModelRef) -> None:
    decided = [one.act for one in stage.ledger.decisions(stage.name, limit=10) if one.version == model.version]
    if Act.PROMOTE in decided or Act.ABORT not in decided:
        raise OutsideError(f"The damaged version {model.version} was not refused.", f"See: understudy history {stage.name}")


def _fit_damaged(stage: Theatre) -> tuple[ModelRef, tuple[Verdict, ...]]:
    settings, pipeline, name = stage.settings, stage.pipeline, stage.name
    repo = DataRepo(settings)
    snapshot = repo.newest(name)
    if snapshot is None:
        raise OutsideError(f"'{name}' has no snapshot.", "Run the demonstration again.")
    with work_folder(settings, name, uuid.uuid4().hex[:12]) as folder:
        fitted = _fit_stage(stage, repo, snapshot, Work(folder))
        evaluation = evaluate_stage(settings, pipeline, fitted, stage.state.champion, folder)
        verdicts = gate_stage(pipeline, evaluation, folder)
        damaged = replace(pipeline, spec_digest=f"damaged-{pipeline.spec_digest[:48]}")  # another lineage than an honest fit's
        return register_stage(settings, damaged, fitted, evaluation, verdicts, TRIGGER, folder).model, verdicts


def _fit_stage(stage: Theatre, repo: DataRepo, snapshot: Snapshot, work: Work) -> FitResult:
    """Do what the fit stage does, on rows whose labels were shuffled; the rows held out keep theirs."""
    spec = stage.pipeline.spec
    rows = read_rows(repo, snapshot, spec)
    honest = fit(rows, spec, stage.pipeline.params, stage.pipeline.feature_code)
    done = fit(_shuffled(rows, spec.columns.target), spec, stage.pipeline.params, stage.pipeline.feature_code)
    write_package(work.package, done.files)
    write_parquet(honest.held_out, work.held_out)
    return FitResult(snapshot.id, done.cutoff, done.fitted_rows, len(honest.held_out), package_digest(done.files))


def _shuffled(rows: pd.DataFrame, target: str) -> pd.DataFrame:
    order = np.random.default_rng(0).permutation(len(rows))
    return rows.assign(**{target: rows[target].to_numpy()[order]})
