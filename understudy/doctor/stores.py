"""Where truth is kept: the ledger, the data repository's remote, MLflow's database."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from adapters.settings import Settings
from understudy.doctor.finding import Finding, ok, wrong

_SECONDS = 2
_SQLITE = "sqlite:///"


def look_at_stores(settings: Settings) -> Iterator[Finding]:
    """Yield what was found; nothing is created or migrated."""
    yield _database("ledger", settings.ledger_url, "UNDERSTUDY_LEDGER_URL")
    yield _remote(settings.dvc_remote)
    if settings.mlflow_uri.startswith(_SQLITE):
        yield _database("mlflow db", settings.mlflow_uri, "MLFLOW_TRACKING_URI")


def _database(subject: str, url: str, variable: str) -> Finding:
    if url.startswith(_SQLITE):
        return _sqlite(subject, Path(url.removeprefix(_SQLITE)))
    from sqlalchemy import create_engine, text
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    try:
        shown = make_url(url).render_as_string(hide_password=True)
        engine = create_engine(url, connect_args={"connect_timeout": _SECONDS})
    except (ArgumentError, NoSuchModuleError) as error:
        return wrong(
            subject, f"{variable} is not an address of a database: {str(error).splitlines()[0]}.", "postgresql+psycopg://USER@HOST/NAME"
        )
    except ImportError as error:
        return wrong(
            subject, f"{variable} names a driver that is not installed: {error}.", "Write it as postgresql+psycopg://USER@HOST/NAME"
        )
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        why = str(getattr(error, "orig", error)).strip().splitlines()[0]
        return wrong(
            subject, f"{shown} cannot be opened: {why}.", "Start the database, or mend the address, user or password.", outside=True
        )
    finally:
        engine.dispose()
    return ok(subject, shown)


def _sqlite(subject: str, path: Path) -> Finding:
    if not path.exists():
        return ok(subject, f"{path} (made when it is needed)")
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=1)
        try:
            tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        return wrong(subject, f"{path} cannot be read as a database: {error}.", "Restore it from a backup, or move it away to begin anew.")
    if not os.access(path, os.W_OK):
        return wrong(subject, f"{path} cannot be written.", "Give the right to write it to the user who runs Understudy.")
    return ok(subject, f"{path}, {tables} tables")


def _remote(remote: str) -> Finding:
    if remote.startswith("s3://"):
        return _bucket(remote)
    if "://" in remote:
        return ok("dvc remote", f"{remote} (not looked at)")
    there = Path(remote)
    while not there.exists():
        there = there.parent
    if not os.access(there, os.W_OK):
        return wrong("dvc remote", f"{there} cannot be written.", "Mend UNDERSTUDY_DVC_REMOTE, or give yourself the right to write.")
    return ok("dvc remote", remote + ("" if Path(remote).exists() else " (made when it is needed)"))


def _bucket(remote: str) -> Finding:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

    bucket = urlsplit(remote).netloc
    config = Config(connect_timeout=_SECONDS, read_timeout=_SECONDS, retries={"max_attempts": 0})
    try:
        boto3.client("s3", config=config).head_bucket(Bucket=bucket)
    except (NoCredentialsError, PartialCredentialsError) as error:
        return wrong("dvc remote", f"{remote}: {error}.", "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile.")
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "?")
        said = {"404": "there is no such bucket", "403": "these credentials may not use it"}.get(code, f"it answers with {code}")
        return wrong("dvc remote", f"{remote}: {said}.", "Make the bucket, or mend AWS_* and AWS_ENDPOINT_URL.")
    except (BotoCoreError, ValueError) as error:
        return wrong("dvc remote", f"{remote} cannot be reached: {error}.", "Look at the network and AWS_ENDPOINT_URL.", outside=True)
    return ok("dvc remote", f"{remote}, the bucket is there")
