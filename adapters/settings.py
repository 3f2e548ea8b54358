"""Settings: read once from the environment and from the addresses that `understudy up` wrote."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
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
    tokens_file: Path | None = None
    gateway_token: str | None = field(default=None, repr=False)

    @property
    def services_file(self) -> Path:
        """The file in which `understudy up` writes its addresses."""
        return self.home / "run" / "services.json"

    @property
    def gateway_headers(self) -> dict[str, str]:
        """What a call to the gateway carries: the token, where there is one."""
        return {} if self.gateway_token is None else {"Authorization": f"Bearer {self.gateway_token}"}


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


def _named_file(variable: str, what: str) -> Path | None:
    named = os.environ.get(variable)
    if not named:
        return None
    path = Path(named).absolute()
    if not path.is_file():
        raise UsageError(f"The {what} '{named}' does not exist.", f"Create it, or unset {variable}.")
    return path


def _gateway_token() -> str | None:
    path = _named_file("UNDERSTUDY_TOKEN_FILE", "token file")
    token = os.environ.get("UNDERSTUDY_TOKEN") or (path.read_text() if path else "")
    return token.strip() or None


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
        tokens_file=_named_file("UNDERSTUDY_TOKENS_FILE", "tokens file"),
        gateway_token=_gateway_token(),
    )
