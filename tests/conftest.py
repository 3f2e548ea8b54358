"""Shared fixtures: where the real data is, a real Prefect server, a real MLflow server, an S3 API, a browser."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.browser import browser
from tests.mlflow_server import mlflow_database, mlflow_server
from tests.prefect_server import prefect_database, prefect_server
from tests.s3_server import s3_address, s3_server

__all__ = ["browser", "mlflow_database", "mlflow_server", "prefect_database", "prefect_server", "real_data", "s3_address", "s3_server"]


def pytest_configure() -> None:
    """Let shadow processes that tests start have their share: the tests beside them leave no core free."""
    os.environ.setdefault("UNDERSTUDY_SHADOW_NICE", "0")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip by name what takes long, unless UNDERSTUDY_SLOW is 1."""
    if os.environ.get("UNDERSTUDY_SLOW") == "1":
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="UNDERSTUDY_SLOW is not 1: the slow tests are CI's"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real data, or skip by name where UNDERSTUDY_REAL_DATA is unset."""
    folder = os.environ.get("UNDERSTUDY_REAL_DATA")
    if not folder:
        pytest.skip("UNDERSTUDY_REAL_DATA is unset: the real data sets are not here")
    return Path(folder).resolve()
