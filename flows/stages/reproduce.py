"""Refits a registered version from its lineage alone, and says what differs where the bytes do."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from adapters.data_repo import DataRepo
from adapters.environment import environment_text
from adapters.model_cache import cached_package
from adapters.package_store import read_files
from adapters.pipeline_files import Pipeline
from adapters.registry import Registered, Registry
from adapters.settings import Settings
from flows.stages.fit import fit_stage
from flows.stages.register import lineage_of
from flows.stages.report import ENVIRONMENT, PIPELINE, recorded_pipeline
from flows.stages.work import Work


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What a refit gave.

    Attributes:
        recorded, refitted: digests of the registered package and of this one.
        differs: what is not as it was, one sentence each; it may differ and the bytes be the same.
    """

    pipeline: str
    version: str
    recorded: str
    refitted: str
    differs: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether the bytes are the same."""
        return self.recorded == self.refitted


def reproduce(settings: Settings, pipeline: str, version: str) -> Reproduction:
    """Fit the recorded snapshot with the recorded spec, parameters and feature code, and compare the bytes.

    Raises:
        UsageError: there is no such version, or its snapshot is not in the data repository.
        OutsideError: registry or data could not be read.
    """
    registry = Registry(settings)
    one = registry.registered(pipeline, version)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = registry.fetch_report(one, PIPELINE, folder)
        recorded = recorded_pipeline(settings, files, pipeline)
        environment = registry.fetch_report(one, ENVIRONMENT, folder).read_text(encoding="utf-8")
        fitted = fit_stage(settings, recorded, one.lineage.snapshot, folder / "work")
        differs = _lineage_differences(settings, recorded, one, environment)
        if fitted.digest != one.model.digest:
            differs += _file_differences(read_files(cached_package(settings, one.model)), read_files(Work(folder / "work").package))
    return Reproduction(pipeline, version, one.model.digest, fitted.digest, tuple(differs))


def _lineage_differences(settings: Settings, recorded: Pipeline, one: Registered, environment: str) -> list[str]:
    """Compare what is recorded with what is here; the commit and the tree are those of the pipelines in use now."""
    data = DataRepo(settings).get(recorded.spec.name, one.lineage.snapshot)
    now = lineage_of(replace(recorded, folder=_place(settings, recorded.spec.name)), data)
    then, found = one.lineage, []
    if then.data_digest != now.data_digest:
        found.append(f"Snapshot {then.snapshot} has data digest {now.data_digest[:12]}; recorded is {then.data_digest[:12]}.")
    if then.spec_digest != now.spec_digest:
        found.append(f"The recorded pipeline files have spec digest {now.spec_digest[:12]}; recorded is {then.spec_digest[:12]}.")
    if then.environment != now.environment:
        changed = _changed_lines(environment, environment_text())
        found.append(f"The environment digest is {now.environment[:12]}; recorded is {then.environment[:12]}: {changed}.")
    if then.commit != now.commit:
        found.append(f"The code is at commit {now.commit or 'none'}; recorded is {then.commit or 'none'}.")
    if then.clean is False:
        found.append("The tree was dirty when the version was fitted, so its commit does not say everything.")
    if now.clean is False:
        found.append("The tree is dirty now.")
    return found


def _place(settings: Settings, pipeline: str) -> Path:
    here = settings.pipelines / pipeline
    return here if here.is_dir() else settings.pipelines


def _changed_lines(then: str, now: str) -> str:
    before, after = set(then.splitlines()), set(now.splitlines())
    changed = [*(f"-{line}" for line in sorted(before - after)), *(f"+{line}" for line in sorted(after - before))]
    return ", ".join(changed[:8]) + (f" and {len(changed) - 8} more" if len(changed) > 8 else "")


def _file_differences(then: dict[str, bytes], now: dict[str, bytes]) -> list[str]:
    """Name the first file of the package that differs, and where."""
    for name in sorted({*then, *now}):
        old, new = then.get(name), now.get(name)
        if old == new:
            continue
        if old is None or new is None:
            return [f"Package file {name} is only in the {'refit' if old is None else 'registered package'}."]
        at = next((place for place, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
        return [f"Package file {name} differs first at byte {at} ({len(old)} bytes registered, {len(new)} refitted)."]
    return []
