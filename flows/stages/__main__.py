"""`python -m flows.stages NAME PIPELINE`: one stage of the retrain as a process of its own, as dvc.yaml runs it.

Results go from stage to stage as files below build/retrain/PIPELINE; the ledger, the data repository and the registry are those of
UNDERSTUDY_HOME, as everywhere.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from adapters.pipeline_files import Pipeline, load_pipeline
from adapters.settings import Settings, read_settings
from contracts.errors import UnderstudyError, UsageError
from contracts.events import Cause, Trigger
from contracts.rollout import ModelRef
from contracts.verdict import Outcome, Verdict
from flows.stages.dvc_lock import write_ingested
from flows.stages.fit import FitResult
from flows.stages.retrain import STAGES, champion_of
from flows.stages.work import Work, read_json, write_json
from training.compare import Evaluation

_TRIGGER = Trigger(Cause.OPERATOR, "dvc repro", "dvc")
_LOCK = Path("dvc.lock")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Context:
    settings: Settings
    pipeline: Pipeline
    work: Work

    def read(self, stage: str, kind: type[_T]) -> _T:
        path = self.work.result(stage)
        if not path.is_file():
            raise UsageError(f"{path} does not exist: stage '{stage}' has not run.", "Run: dvc repro")
        return read_json(path, kind)

    def verdicts(self) -> tuple[Verdict, ...]:
        return self.read("gate", tuple[Verdict, ...])


def _ingest(here: _Context) -> None:
    found = STAGES["ingest"](here.settings, here.pipeline)
    write_ingested(here.work, found.snapshot)


def _fit(here: _Context) -> None:
    snapshot = here.read("ingest", dict[str, Any])["id"]
    write_json(here.work.result("fit"), STAGES["fit"](here.settings, here.pipeline, snapshot, here.work.folder))


def _evaluate(here: _Context) -> None:
    champion = champion_of(here.settings, here.pipeline.spec.name)
    STAGES["evaluate"](here.settings, here.pipeline, here.read("fit", FitResult), champion, here.work.folder)


def _gate(here: _Context) -> None:
    for one in STAGES["gate"](here.pipeline, here.read("evaluate", Evaluation), here.work.folder):
        print(f"{'met' if one.outcome is Outcome.PASS else 'NOT met'}: {one.reason}.")


def _register(here: _Context) -> None:
    fitted, evaluation = here.read("fit", FitResult), here.read("evaluate", Evaluation)
    version = STAGES["register"](here.settings, here.pipeline, fitted, evaluation, here.verdicts(), _TRIGGER, here.work.folder)
    write_json(here.work.result("register"), version.model)
    print(f"Version {version.model.version} is registered.")


def _submit(here: _Context) -> None:
    model = here.read("register", ModelRef)
    _keep_lock(here, model)
    asks = STAGES["submit"](here.settings, here.pipeline.spec.name, model, here.verdicts(), _TRIGGER)
    print(f"Version {model.version} {'asks to become champion' if asks else 'is not submitted: a gate was not met'}.")


def _keep_lock(here: _Context, model: ModelRef) -> None:
    """Keep DVC's own record of the run with the version: the stages up to this one, with the digest of all that they read and wrote."""
    if not _LOCK.is_file():
        return  # somebody runs the stage by hand
    from adapters.registry import Registry

    with TemporaryDirectory() as folder:
        shutil.copy(_LOCK, folder)
        Registry(here.settings).keep_report(here.pipeline.spec.name, model.version, Path(folder), "dvc")


_RUN: dict[str, Callable[[_Context], None]] = {
    "ingest": _ingest,
    "fit": _fit,
    "evaluate": _evaluate,
    "gate": _gate,
    "register": _register,
    "submit": _submit,
}


def main(arguments: list[str]) -> int:
    """Run one stage and return the exit code of the error tree, 0 where it is done."""
    if len(arguments) != 2 or arguments[0] not in _RUN:
        print(f"usage: python -m flows.stages {'|'.join(_RUN)} PIPELINE", file=sys.stderr)
        return 2
    stage, name = arguments
    try:
        settings = read_settings()
        work = Work(Path("build") / "retrain" / name)
        work.folder.mkdir(parents=True, exist_ok=True)
        _RUN[stage](_Context(settings, load_pipeline(settings, name), work))
    except UnderstudyError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
