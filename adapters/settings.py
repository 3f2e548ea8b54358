"""Settings: read once from the environment and from the addresses that `understudy up` wrote."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.errors import UsageError


@dataclass(frozen=True, slots=True)
class Settings:
    """Where everything is; paths are absolute, addresses are None where nothing is up."""

    home: Path
    pipelines: Path
    ledger_url: str
    data_repo: Path
    dvc_remote: str
    traffic: Path
    model_cache: Path
    mlflow_uri: str
    mlflow_artifacts: Path
    prefect_api_url: str | None
    gateway_url: str | None
    webhook_url: str | None
    webhook_secret: str | None
    prefect_auth: str | None = None

    @property
    def services_file(self) -> Path:
        """The file in which `understudy up` writes its addresses."""
        return self.home / "run" / "services.json"


def _services(home: Path) -> dict[str, Any]:
    path = home / "run" / "services.json"
    if not path.exists():
        return {}
    content = json.loads(path.read_text())
    return content if isinstance(content, dict) else {}


def _secret(home: Path) -> str | None:
    named = os.environ.get("UNDERSTUDY_WEBHOOK_SECRET_FILE")
    path = Path(named) if named else home / "webhook.secret"
    if path.exists():
        return path.read_text().strip()
    if named:
        raise UsageError(f"The webhook secret file '{named}' does not exist.", "Create it, or unset UNDERSTUDY_WEBHOOK_SECRET_FILE.")
    return None


def read_settings(home: Path | None = None, pipelines: Path | None = None) -> Settings:
    """Read the environment; arguments win over it.

    Raises:
        UsageError: a file named by the environment does not exist.
    """
    env = os.environ
    root = (home or Path(env.get("UNDERSTUDY_HOME", ".understudy"))).absolute()
    up = _services(root)
    return Settings(
        home=root,
        pipelines=(pipelines or Path(env.get("UNDERSTUDY_PIPELINES", "pipelines"))).absolute(),
        ledger_url=env.get("UNDERSTUDY_LEDGER_URL", f"sqlite:///{root / 'ledger.db'}"),
        data_repo=Path(env.get("UNDERSTUDY_DATA_REPO", root / "data-repo")).absolute(),
        dvc_remote=env.get("UNDERSTUDY_DVC_REMOTE", str(root / "dvc-remote")),
        traffic=root / "traffic",
        model_cache=root / "model-cache",
        mlflow_uri=env.get("MLFLOW_TRACKING_URI") or up.get("mlflow") or f"sqlite:///{root / 'mlflow.db'}",
        mlflow_artifacts=root / "mlartifacts",
        prefect_api_url=env.get("PREFECT_API_URL") or up.get("prefect_api"),
        gateway_url=env.get("UNDERSTUDY_GATEWAY_URL") or up.get("gateway"),
        webhook_url=env.get("UNDERSTUDY_WEBHOOK_URL") or up.get("webhook"),
        webhook_secret=_secret(root),
        prefect_auth=env.get("PREFECT_API_AUTH_STRING"),
    )
