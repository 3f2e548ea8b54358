"""The fourth stage: the spec's offline gates; one that is not met is a value, not an error."""

from __future__ import annotations

from pathlib import Path

from adapters.pipeline_files import Pipeline
from contracts.verdict import Outcome, Verdict, worst
from flows.stages.work import Work, write_json
from training.compare import Evaluation
from training.gates import judge_all


def gate_stage(pipeline: Pipeline, evaluation: Evaluation, workdir: Path) -> tuple[Verdict, ...]:
    """Hold an evaluation against every gate and write the verdicts as JSON."""
    verdicts = judge_all(pipeline.spec.gates, evaluation)
    write_json(Work(workdir).result("gate"), verdicts)
    return verdicts


def all_passed(verdicts: tuple[Verdict, ...]) -> bool:
    """Return whether every gate was met; no verdict at all is no."""
    return worst(verdicts) is Outcome.PASS
