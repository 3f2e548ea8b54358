"""Refits a registered version from its lineage alone, and says what differs where the bytes do."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from adapters.code_version import changed_between, changed_files
from adapters.data_repo import DataRepo
from adapters.environment import environment_text
from adapters.machine import machine_text
from adapters.model_cache import cached_package
from adapters.package_store import load_package, read_files
from adapters.pipeline_files import Pipeline
from adapters.recorded_code import own_code
from adapters.registry import Registered, Registry
from adapters.settings import Settings
from contracts.errors import OutsideError
from contracts.lineage import Lineage
from flows.scoring.blocks import in_blocks
from flows.stages.differences import Predictions, changed_lines, compare_predictions, file_differences, some
from flows.stages.fit import FitResult, fit_stage
from flows.stages.refit_elsewhere import AS_IT_IS, Checkout, Wanted, files_differ, own_code_then, recorded_checkout, refit_there
from flows.stages.register import lineage_of
from flows.stages.report import CHANGED, ENVIRONMENT, MACHINE, PIPELINE, PREDICTIONS, recorded_pipeline
from flows.stages.work import Work

_RUNNING = "The refit ran with the running code; the recorded commit {}."


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What a refit gave.

    Attributes:
        recorded, refitted: digests of the registered package and of this one.
        predictions: of the refit beside those recorded; None where none were.
        differs: what is not as it was, one sentence each; it may differ and the bytes be the same.
        code: which code the refit ran with, in one sentence.
    """

    pipeline: str
    version: str
    recorded: str
    refitted: str
    predictions: Predictions | None
    differs: tuple[str, ...]
    code: str = ""

    @property
    def same(self) -> bool:
        """Whether the bytes and the answers are the same."""
        return self.recorded == self.refitted and (self.predictions is None or not self.predictions.differing)


def reproduce(
    settings: Settings, pipeline: str, version: str, tell: Callable[[str], None] = lambda _: None, wanted: Wanted = AS_IT_IS
) -> Reproduction:
    """Fit the recorded snapshot with the recorded spec, parameters and feature code, and compare bytes and answers.

    Nothing but the data repository, the DVC remote, the registry and the repository of the code is read; the home may be empty. Where the
    recorded commit has Understudy's own code and can be had, that code refits.

    Args:
        settings: where everything is.
        pipeline, version: what is fitted again.
        tell: takes one sentence for each step.
        wanted: what else is to be as it was.

    Raises:
        UsageError: there is no such version, or its snapshot is not in the data repository.
        OutsideError: registry or data could not be read.
    """
    registry = Registry(settings)
    one = registry.registered(pipeline, version)
    tell(f"Version {version} was fitted on snapshot {one.lineage.snapshot} at commit {one.lineage.commit or 'none'}.")
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "report"
        place.mkdir()
        report = registry.fetch_report(one, "", place)
        recorded = recorded_pipeline(settings, report / PIPELINE, pipeline)
        code: Checkout | str = "The refit ran with the running code, as was asked."
        if not wanted.here:
            code = recorded_checkout(_place(settings, pipeline), one, report, wanted.code, Path(name) / "code")
        found = code if isinstance(code, Checkout) else None
        failed = []
        if wanted.environment or (found is not None and found.holds_understudy):
            try:
                return _elsewhere(settings, one, report, code, wanted, Path(name) / "environment", tell)
            except OutsideError as error:
                if wanted.environment:
                    raise
                failed = [error.message]
        differs = failed + _before_the_fit(settings, recorded, one, report)
        said = code if isinstance(code, str) else _RUNNING.format("was not what refitted" if failed else "has only the pipelines")
        if found is not None and (other := files_differ(settings, found, recorded)):
            differs.append(other)
        for sentence in (said, *differs):
            tell(sentence)
        return replace(_here(settings, recorded, one, report, Path(name), tell, differs), code=said)


def _here(
    settings: Settings, recorded: Pipeline, one: Registered, report: Path, place: Path, tell: Callable[[str], None], differs: list[str]
) -> Reproduction:
    """Refit in this process."""
    work = Work(place / "work")
    fitted = fit_stage(settings, recorded, one.lineage.snapshot, work.folder)
    tell(f"Fitted {fitted.fitted_rows} rows up to {fitted.cutoff.isoformat()}.")
    differs = differs + _machine_differences(report)
    if fitted.digest != one.model.digest:
        differs += file_differences(read_files(cached_package(settings, one.model)), read_files(work.package))
    predictions = _predictions(report, work, fitted)
    return Reproduction(recorded.spec.name, one.model.version, one.model.digest, fitted.digest, predictions, tuple(differs))


def _elsewhere(
    settings: Settings, one: Registered, report: Path, code: Checkout | str, wanted: Wanted, place: Path, tell: Callable[[str], None]
) -> Reproduction:
    """Refit in a process of its own, with the recorded code or in the recorded environment."""
    found = code if isinstance(code, Checkout) else None
    said = code if isinstance(code, str) else _RUNNING.format("has only the pipelines")
    if found is not None and found.holds_understudy:
        said = f"The refit ran with the recorded commit {found.commit[:12]}, checked out from {found.source}."
    tell(said)
    name = next(one.name for one in (report / PIPELINE).iterdir())
    there = refit_there(settings, one, name, report, found, wanted, place)
    answers = there["predictions"]
    predictions = None if answers is None else Predictions(**answers)
    return Reproduction(name, one.model.version, one.model.digest, there["refitted"], predictions, tuple(there["differs"]), said)


def _before_the_fit(settings: Settings, recorded: Pipeline, one: Registered, report: Path) -> list[str]:
    """Compare what is recorded with what is here; the commit and the tree are those of the pipelines in use now."""
    place = _place(settings, recorded.spec.name)
    data = DataRepo(settings).get(recorded.spec.name, one.lineage.snapshot)
    now = lineage_of(replace(recorded, folder=place), data)
    then, found = one.lineage, []
    if then.data_digest != now.data_digest:
        found.append(f"Snapshot {then.snapshot} has data digest {now.data_digest[:12]}; recorded is {then.data_digest[:12]}.")
    if then.spec_digest != now.spec_digest:
        found.append(f"The recorded pipeline files have spec digest {now.spec_digest[:12]}; recorded is {then.spec_digest[:12]}.")
    if then.environment != now.environment:
        changed = some(changed_lines((report / ENVIRONMENT).read_text(encoding="utf-8"), environment_text()))
        found.append(f"The environment digest is {now.environment[:12]}; recorded is {then.environment[:12]}: {changed}.")
    if then.commit != now.commit:
        found.append(f"The code is at commit {now.commit or 'none'}; recorded is {then.commit or 'none'}{_between(place, then, now)}.")
    own = own_code_then(report)
    if own is not None and own != own_code():
        found.append(f"Understudy's own code is at commit {own_code()}; recorded is {own}.")
    if then.clean is False:
        listed = report / CHANGED
        names = f" ({some(listed.read_text(encoding='utf-8').splitlines())})" if listed.is_file() else ""
        found.append(f"The tree was dirty when the version was fitted, so its commit does not say everything{names}.")
    if now.clean is False:
        found.append(f"The tree is dirty now: {some(changed_files(place))}.")
    return found


def _between(place: Path, then: Lineage, now: Lineage) -> str:
    if then.commit is None or now.commit is None:
        return ""
    changed = changed_between(place, then.commit, now.commit)
    return ", which is not in this repository" if changed is None else f", and these files differ: {some(changed) or 'none'}"


def _machine_differences(report: Path) -> list[str]:
    then = report / MACHINE
    changed = changed_lines(then.read_text(encoding="utf-8"), machine_text()) if then.is_file() else []
    return [f"The machine is another: {some(changed)}."] if changed else []


def _predictions(report: Path, work: Work, fitted: FitResult) -> Predictions | None:
    """Let the refit answer the rows whose answers were recorded."""
    if not (report / PREDICTIONS).is_file():
        return None
    answers = in_blocks(load_package(work.package, fitted.digest), pd.read_parquet(work.held_out))
    return compare_predictions(pd.read_parquet(report / PREDICTIONS), answers)


def _place(settings: Settings, pipeline: str) -> Path:
    here = settings.pipelines / pipeline
    return here if here.is_dir() else settings.pipelines
