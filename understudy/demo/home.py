"""The demonstration's home: begun afresh each time, and only where a demonstration made it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import httpx

from adapters.settings import Settings
from contracts.errors import OutsideError, UsageError

MARKER = "demo.json"
_STATE = (
    "ledger.db", "ledger.db-wal", "ledger.db-shm", "traffic", "data-repo", "data-repo.lock", "dvc-remote", "quarantine", "work", "shadow",
    "monitor", "model-cache", "data-docs", "checks", "locks", "damaged", "logs", "report.html", "report.json",
)  # fmt: skip
_KEPT = {"prefect", "mlflow.db", "mlartifacts", "webhook.secret", "run", MARKER}  # migrated databases: they save half a minute


def begin_afresh(settings: Settings) -> None:
    """Remove what an earlier demonstration left in this home; the servers' databases stay.

    Raises:
        UsageError: the home holds state that no demonstration made; nothing was removed.
    """
    home = settings.home
    if home.exists() and not (home / MARKER).exists() and any(path.name not in _KEPT for path in home.iterdir()):
        raise UsageError(
            f"{home} holds state that no demonstration made; it is left alone.",
            "Give the demonstration another home: understudy --home DIR demo",
        )
    home.mkdir(parents=True, exist_ok=True)
    (home / MARKER).write_text(json.dumps({"made_by": "understudy demo"}) + "\n")
    for name in _STATE:
        _remove(home / name)


def forget_versions(mlflow_url: str, pipeline: str) -> None:
    """Delete the pipeline's versions in MLflow, so that this demonstration begins with version 1.

    Raises:
        OutsideError: the MLflow server refused.
    """
    where = f"{mlflow_url}/api/2.0/mlflow/registered-models/delete"
    try:
        answer = httpx.request("DELETE", where, json={"name": pipeline}, timeout=30, trust_env=False)
    except httpx.HTTPError as error:
        raise OutsideError(f"MLflow at {mlflow_url} did not answer: {error}.", "Look into its log.") from error
    if answer.status_code not in {httpx.codes.OK, httpx.codes.NOT_FOUND}:
        raise OutsideError(f"MLflow at {mlflow_url} did not delete '{pipeline}': {answer.text[:200]}", "Look into its log.")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
