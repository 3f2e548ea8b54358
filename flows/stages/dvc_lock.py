"""What dvc.lock says of a retrain, also where no DVC ran it: each stage's command, and what it read and wrote, by digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from contracts.snapshot import Snapshot
from flows.stages.fit import FitResult
from flows.stages.work import Work, write_json

CODE = Path(__file__).parents[2]  # where dvc.yaml and the packages that it names are
DVC_LOCK = "dvc/dvc.lock"  # in a version's report
BEFORE_REGISTER = ("ingest", "fit", "evaluate", "gate")  # what decides a version; what comes after it only says where it is
_Find = Callable[[str], Path]


def write_results(work: Work, snapshot: Snapshot, fitted: FitResult) -> None:
    """Write what the stages `ingest` and `fit` found, as `dvc repro` keeps it; evaluation and gates write theirs themselves."""
    write_ingested(work, snapshot)
    write_json(work.result("fit"), fitted)


def write_ingested(work: Work, snapshot: Snapshot) -> None:
    """Write which snapshot the retrain is about."""
    write_json(
        work.result("ingest"), {"id": snapshot.id, "digest": snapshot.digest, "rows": snapshot.rows, "watermark": snapshot.watermark}
    )


def dvc_lock(pipeline: str, files: Path, work: Work, code: Path = CODE, stages: Sequence[str] = BEFORE_REGISTER) -> str | None:
    """Return the text of a dvc.lock: what DVC would have written for these stages, had it run them.

    Args:
        pipeline: its name.
        files: the folder with pipeline.yaml.
        work: where the stages left their files.
        code: where dvc.yaml is.
        stages: which of its stages.

    Returns:
        None where there is no dvc.yaml: Understudy was installed without one. A file that a stage can do without, and that is not there
        (a pipeline without a suite), is left out.
    """
    if not (code / "dvc.yaml").is_file():
        return None
    known = yaml.safe_load((code / "dvc.yaml").read_text(encoding="utf-8").replace("${pipeline}", pipeline))["stages"]
    places = {f"build/retrain/{pipeline}/": work.folder, f"pipelines/{pipeline}/": files}

    def find(path: str) -> Path:
        return next((place / path.removeprefix(start) for start, place in places.items() if path.startswith(start)), code / path)

    found = {name: _stage(known[name], find) for name in stages}
    return yaml.safe_dump({"schema": "2.0", "stages": found}, sort_keys=False)


def _stage(stage: dict[str, Any], find: _Find) -> dict[str, Any]:
    found: dict[str, Any] = {"cmd": stage["cmd"], "deps": _digests(stage["deps"], find)}
    if "params" in stage:
        files = [next(iter(one)) for one in stage["params"]]
        found["params"] = {path: dict(sorted(yaml.safe_load(find(path).read_text(encoding="utf-8")).items())) for path in files}
    outs = [one for kind in ("outs", "metrics", "plots") for one in stage.get(kind, ())]
    return found | ({"outs": _digests(outs, find)} if outs else {})


def _digests(entries: Sequence[Any], find: _Find) -> list[dict[str, Any]]:
    paths = sorted(next(iter(one)) if isinstance(one, dict) else one for one in entries)
    return [{"path": path, "hash": "md5", **_digest(find(path))} for path in paths if find(path).exists()]


def _digest(path: Path) -> dict[str, Any]:
    """Return what DVC says of a file, or of a folder: there the digest of the sorted list of its files."""
    if path.is_file():
        return {"md5": _md5(path.read_bytes()), "size": path.stat().st_size}
    files = sorted((one.relative_to(path).as_posix(), one) for one in path.rglob("*") if one.is_file() and "__pycache__" not in one.parts)
    listed = [{"md5": _md5(one.read_bytes()), "relpath": name} for name, one in files]
    digest = _md5(json.dumps(listed, sort_keys=True).encode())
    return {"md5": f"{digest}.dir", "size": sum(one.stat().st_size for _, one in files), "nfiles": len(files)}


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
