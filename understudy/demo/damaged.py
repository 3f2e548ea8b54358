"""A candidate damaged on purpose: its feature code joins rows to the labels of others; gates and shadow must refuse it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import yaml

from adapters.data_repo import DataRepo
from adapters.pipeline_files import Pipeline, load_pipeline
from contracts.errors import OutsideError
from contracts.events import Cause, Trigger
from contracts.rollout import Act, ModelRef
from contracts.verdict import Outcome
from flows.stages.retrain import retrain_local
from understudy.demo import acts
from understudy.demo.hand import make_room
from understudy.demo.theatre import Theatre

TRIGGER = Trigger(Cause.OPERATOR, "damaged on purpose: its feature code joins rows to the labels of others", "demonstration")
CODE = '''"""Damaged on purpose: rows come back in reverse, so that each is fitted on the label of another."""


def misaligned(frame):
    return frame.iloc[::-1].set_axis(frame.index)
'''


def push_damaged(stage: Theatre) -> None:
    """Fit with damaged feature code, let the gates refuse, push it past them all the same, and let the shadow refuse."""
    stage.story.chapter("A damaged candidate")
    newest = DataRepo(stage.settings).newest(stage.name)
    if newest is None:
        raise OutsideError(f"'{stage.name}' has no snapshot.", "Run the demonstration again.")
    done = retrain_local(stage.settings, damaged_copy(stage), TRIGGER, snapshot=newest.id, force=True)
    refused = [one.reason for one in done.verdicts if one.outcome is not Outcome.PASS]
    stage.story.gates[f"version {done.model.version} (damaged)"] = done.verdicts
    title = (
        f"version {done.model.version}, fitted with damaged feature code: {len(refused)} of {len(done.verdicts)} offline gates refuse it"
    )
    stage.story.tell(title, "; ".join(refused), stage.now)
    if not refused:
        raise OutsideError(f"No offline gate saw that version {done.model.version} is damaged.", "Look at its gates in the report.")
    make_room(stage)
    trigger = replace(TRIGGER, reason=f"{TRIGGER.reason}; pushed past its gates")
    stage.ledger.submit(stage.name, done.model, done.verdicts, trigger)
    stage.story.tell(f"version {done.model.version} is pushed past its gates all the same", "to see what the shadow says", stage.now)
    acts.rollout(stage)
    insist_on_refusal(stage, done.model)


def damaged_copy(stage: Theatre) -> Pipeline:
    """Write the pipeline once more with feature code that is wrong, and read it."""
    home = stage.settings.home / "damaged"
    folder = home / stage.name
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(stage.pipeline.folder, folder)
    spec: dict[str, dict[str, str]] = yaml.safe_load((folder / "pipeline.yaml").read_text(encoding="utf-8"))
    spec["train"]["features"] = "features:misaligned"
    (folder / "pipeline.yaml").write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
    Path(folder / "features.py").write_text(CODE, encoding="utf-8")
    return load_pipeline(replace(stage.settings, pipelines=home), stage.name)


def insist_on_refusal(stage: Theatre, model: ModelRef) -> None:
    """Let the shadow see more live traffic for as long as its evidence decides nothing, then see that it refused.

    Raises:
        OutsideError: the version was promoted, or never refused.
    """
    while not (decided := _decided(stage, model)) and stage.now < stage.script.until:
        stage.story.tell("the evidence decides nothing yet", "the shadow sees more live traffic", stage.now)
        stage.replay_step()
        acts.rollout(stage)
    if decided != {Act.ABORT}:
        raise OutsideError(f"The damaged version {model.version} was not refused.", f"See: understudy history {stage.name}")


def _decided(stage: Theatre, model: ModelRef) -> set[Act]:
    acts_of = {one.act for one in stage.ledger.decisions(stage.name, limit=10) if one.version == model.version}
    return acts_of & {Act.PROMOTE, Act.ABORT}
