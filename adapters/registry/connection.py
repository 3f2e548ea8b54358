"""How MLflow is reached; imported when it is needed, told not to call home, and its errors made ours."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from contracts.errors import OutsideError

# MLflow's own settings, read from the environment when it is imported or asked
_LIMITS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",  # requirements are given; nothing is read from the working directory
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # stdout is the command's own document
}


def is_server(uri: str) -> bool:
    """Return whether MLflow is a server, and not a database used in this process."""
    return uri.startswith(("http://", "https://"))


def connect(uri: str) -> Any:
    """Return an MLflow client; nothing of MLflow's global state is changed."""
    for name, value in _LIMITS.items():
        os.environ.setdefault(name, value)
    with quiet_import():
        from mlflow import MlflowClient
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    with told(uri):
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


@contextmanager
def quiet_import() -> Iterator[None]:
    """Import MLflow's modules inside: what they warn of is their own, nothing a user could mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def told(uri: str) -> Iterator[None]:
    """Turn what MLflow and its HTTP client raise into an error that says where and what to do.

    Raises:
        OutsideError: MLflow could not be reached, or refused.
    """
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # MLflow's own use of its libraries, nothing a user could mend
            yield
    except (MlflowException, RequestException) as error:
        said = str(error).strip().splitlines()[0].rstrip(".")
        raise OutsideError(f"MLflow at {uri} failed: {said}.", "Look whether it is up (MLFLOW_TRACKING_URI); then try again.") from error
