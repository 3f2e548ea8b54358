"""Settings: read once from the environment and from the addresses that `understudy up` wrote."""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.shadow_limits import USUAL_SHADOW, ShadowLimits, read_shadow_limits
from adapters.traffic_rules import USUAL, TrafficRules, read_traffic_rules
from contracts.errors import UsageError

_LEAST_LOST_AFTER = 10.0  # Prefect looks for what did not happen every few seconds, and takes no less than this


@dataclass(frozen=True, slots=True)
class Settings:
    """Where everything is; paths are absolute, addresses are None where nothing is up.

    Attributes:
        data_repo_url: git URL of the shared data repository; `data_repo` is then its working copy on this machine.
        dask: address of a Dask scheduler; wins over the specs.
        lost_after: seconds without a heartbeat after which Prefect's server calls a run lost; 0: it does not look.
        notify_url, notify_email: where Prefect tells people what happened: a Slack-compatible webhook, an Apprise `mailto://` address.
    """

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
    prefect_auth: str | None = field(default=None, repr=False)
    tokens_file: Path | None = None
    gateway_token: str | None = field(default=None, repr=False)
    lost_after: float = 90.0
    notify_url: str | None = field(default=None, repr=False)
    notify_email: str | None = field(default=None, repr=False)
    data_repo_url: str | None = None
    dask: str | None = None
    traffic_rules: TrafficRules = USUAL
    shadow_limits: ShadowLimits = USUAL_SHADOW

    @property
    def services_file(self) -> Path:
        """The file in which `understudy up` writes its addresses."""
        return self.home / "run" / "services.json"

    @property
    def environment(self) -> dict[str, str]:
        """What a process of our own is told, so that it finds the same home, pipelines and ledger."""
        return {"UNDERSTUDY_HOME": str(self.home), "UNDERSTUDY_PIPELINES": str(self.pipelines), "UNDERSTUDY_LEDGER_URL": self.ledger_url}

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


def _value_or_file(variable: str, what: str) -> str | None:
    """Return what a variable says, or what is in the file that VARIABLE_FILE names."""
    path = _named_file(f"{variable}_FILE", f"{what} file")
    value = os.environ.get(variable) or (path.read_text() if path else "")
    return value.strip() or None


def _prefect_auth(home: Path) -> str | None:
    """Return what Prefect's API asks for: the environment's, or, for the server that `understudy up` started, the one it made."""
    path = home / "prefect.auth"
    if "PREFECT_API_AUTH_STRING" in os.environ or "PREFECT_API_URL" in os.environ or not path.exists():
        return os.environ.get("PREFECT_API_AUTH_STRING") or None
    return path.read_text().strip() or None


def _seconds(variable: str, default: float, least: float) -> float:
    said = os.environ.get(variable)
    try:
        value = float(said) if said else default
    except ValueError:
        value = math.nan
    if not value >= least:
        raise UsageError(f"{variable} is '{said}'.", f"Give it a number of seconds, at least {least:g}, or unset it.")
    return value


def _lost_after() -> float:
    """Return the setting; by default the SQLite server of `up` does not look: it stalls where every event is a write more."""
    if os.environ.get("UNDERSTUDY_LOST_AFTER") == "0":
        return 0.0
    own = not os.environ.get("PREFECT_API_URL") and not os.environ.get("UNDERSTUDY_PREFECT_DATABASE_URL")
    return _seconds("UNDERSTUDY_LOST_AFTER", 0.0 if own else 90.0, 0.0 if own else _LEAST_LOST_AFTER)


def _git_url(said: str) -> str | None:
    """Return what names a repository elsewhere: `https://…`, `ssh://…`, `file://…` or `user@host:path`; None for a folder."""
    return said if "://" in said or re.match(r"[\w.-]+@[\w.-]+:", said) else None


def read_settings(home: Path | None = None, pipelines: Path | None = None) -> Settings:
    """Read the environment; arguments win over it.

    Raises:
        UsageError: a file named by the environment does not exist.
    """
    env = os.environ
    root = (home or Path(env.get("UNDERSTUDY_HOME", ".understudy"))).absolute()
    up = _services(root)
    shared = _git_url(env.get("UNDERSTUDY_DATA_REPO", ""))
    return Settings(
        home=root,
        pipelines=(pipelines or Path(env.get("UNDERSTUDY_PIPELINES", "pipelines"))).absolute(),
        ledger_url=env.get("UNDERSTUDY_LEDGER_URL", f"sqlite:///{root / 'ledger.db'}"),
        data_repo=root / "data-repo" if shared else Path(env.get("UNDERSTUDY_DATA_REPO") or root / "data-repo").absolute(),
        dvc_remote=env.get("UNDERSTUDY_DVC_REMOTE", str(root / "dvc-remote")),
        traffic=root / "traffic",
        model_cache=root / "model-cache",
        mlflow_uri=env.get("MLFLOW_TRACKING_URI") or up.get("mlflow") or f"sqlite:///{root / 'mlflow.db'}",
        mlflow_artifacts=root / "mlartifacts",
        prefect_api_url=env.get("PREFECT_API_URL") or up.get("prefect_api"),
        gateway_url=env.get("UNDERSTUDY_GATEWAY_URL") or up.get("gateway"),
        webhook_url=env.get("UNDERSTUDY_WEBHOOK_URL") or up.get("webhook"),
        webhook_secret=_secret(root),
        prefect_auth=_prefect_auth(root),
        tokens_file=_named_file("UNDERSTUDY_TOKENS_FILE", "tokens file"),
        gateway_token=_value_or_file("UNDERSTUDY_TOKEN", "token"),
        lost_after=_lost_after(),
        notify_url=_value_or_file("UNDERSTUDY_NOTIFY_URL", "notification address"),
        notify_email=_value_or_file("UNDERSTUDY_NOTIFY_EMAIL", "notification e-mail"),
        data_repo_url=shared,
        dask=env.get("UNDERSTUDY_DASK") or None,
        traffic_rules=read_traffic_rules(),
        shadow_limits=read_shadow_limits(),
    )
