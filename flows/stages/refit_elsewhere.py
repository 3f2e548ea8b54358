"""Refits a version with its recorded code: the commit is checked out, and Understudy runs there as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adapters.code_version import code_version
from adapters.pipeline_files import Pipeline, load_pipeline, with_window
from adapters.recorded_code import check_out, safe_address
from adapters.recorded_environment import build_environment
from adapters.registry import Registered
from adapters.settings import Settings
from contracts.errors import OutsideError, UnderstudyError
from flows.stages.report import CODE, ENVIRONMENT

HERE = "UNDERSTUDY_REFIT_HERE"  # a process that was started in the recorded code fits with it, and looks no further
_OURS = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of the recorded circumstances is to be brought back.

    Attributes:
        code: where the recorded commit is, an address or a folder; None: the repository around the pipelines, then the recorded origin.
        here: fit with the running code, whatever commit it is.
        environment: build the recorded environment, and fit in it.
    """

    code: str | None = None
    here: bool = False
    environment: bool = False


AS_IT_IS = Wanted()


@dataclass(frozen=True, slots=True)
class Checkout:
    """The recorded commit in a folder of its own; `where` is the pipeline's folder in it, `source` an address without secrets."""

    root: Path
    where: Path
    commit: str
    source: str

    @property
    def holds_understudy(self) -> bool:
        """Whether the commit has Understudy's own code, and not only the pipelines."""
        return (self.root / "flows" / "stages" / "reproduce.py").is_file() and (self.root / "understudy" / "__main__.py").is_file()


def recorded_checkout(here: Path, one: Registered, report: Path, asked: str | None, into: Path) -> Checkout | str:
    """Check out the commit that a version was fitted at.

    Args:
        here: the pipeline's folder on this machine.
        one, report: the version, and its report.
        asked: the only place to look at; None for the usual ones.
        into: a folder that is not there yet.

    Returns:
        a sentence instead, where the code that runs is the recorded one, or the recorded one cannot be had.
    """
    commit = one.lineage.commit
    if commit is None:
        return "No commit was recorded: the refit ran with the running code."
    if asked is None and code_version(here) == (commit, True):
        return f"The refit ran with the running code, which is at the recorded commit {commit[:12]}."
    known = _recorded(report)
    sources = [asked] if asked is not None else [str(here), known.get("origin", "none")]
    reasons = []
    for number, source in enumerate(_local(one) for one in sources if one != "none"):
        root = into / str(number)
        try:
            check_out(source, commit, root)
        except OutsideError as error:
            reasons.append(error.message)
            continue
        return Checkout(root, root / known.get("folder", f"pipelines/{here.name}"), commit, safe_address(source))
    return f"The refit ran with the running code. {' '.join(reasons)}"


def _recorded(report: Path) -> dict[str, str]:
    file = report / CODE
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return {name: value for name, _, value in (line.partition("==") for line in lines)}


def own_code_then(report: Path) -> str | None:
    """Return what was recorded of Understudy's own code; None in versions that do not say."""
    return _recorded(report).get("understudy")


def _local(source: str) -> str:
    """Return the root of the repository around a folder, or an address as it is."""
    folder = Path(source)
    around = next((one for one in (folder.absolute(), *folder.absolute().parents) if (one / ".git").exists()), None)
    return str(around if folder.is_dir() and around is not None else source)


def files_differ(settings: Settings, found: Checkout, recorded: Pipeline) -> str | None:
    """Return one sentence where the pipeline's files at the recorded commit are not those that were fitted."""
    try:
        there = load_pipeline(replace(settings, pipelines=found.where.parent), found.where.name)
        same = with_window(there, recorded.window).spec_digest == recorded.spec_digest
    except UnderstudyError as error:
        return f"The pipeline's files at commit {found.commit[:12]} cannot be read: {error.message}"
    return None if same else f"The pipeline's files at commit {found.commit[:12]} are not those that were fitted."


def refit_there(
    settings: Settings, one: Registered, pipeline: str, report: Path, found: Checkout | None, wanted: Wanted, place: Path
) -> dict[str, Any]:
    """Let Understudy reproduce the version in a process of its own, and return the JSON that it prints.

    Args:
        found: the code that it runs with; None, or one without Understudy's own: the running code.
        place: for the environment, where it is wanted.

    Raises:
        UnderstudyError: the environment could not be built, or the process did not come to an answer.
    """
    theirs = found is not None and found.holds_understudy
    code = found.root if found is not None and theirs else _OURS
    pipelines = found.where.parent if found is not None and theirs else settings.pipelines
    text = (report / ENVIRONMENT).read_text(encoding="utf-8")
    python = str(build_environment(text, code, place)) if wanted.environment else sys.executable
    where = ["--home", str(settings.home), "--pipelines", str(pipelines)]
    command = [python, "-P", "-m", "understudy", *where, "--json", "reproduce", pipeline, one.model.version]
    done = subprocess.run(command, env=_environment(settings, code), capture_output=True, text=True, check=False)  # noqa: S603  # no shell
    try:
        said: dict[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError:
        said = {}
    if "refitted" not in said:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise OutsideError(f"Understudy in a process of its own did not reproduce it: {last}", "Run it there by hand.")
    return said


def _environment(settings: Settings, code: Path) -> dict[str, str]:
    """Return this process's environment, with the code that is to run and with addresses that hold in any folder."""
    told = {"PYTHONPATH": str(code), HERE: "1", "UNDERSTUDY_DATA_REPO": settings.data_repo_url or str(settings.data_repo)}
    told |= {"UNDERSTUDY_DVC_REMOTE": settings.dvc_remote, "MLFLOW_TRACKING_URI": settings.mlflow_uri}
    return {**os.environ, **settings.environment, **told}
