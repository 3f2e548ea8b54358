"""Brings a package's folder from where the registry keeps it; the caller checks the digest."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx

from contracts.errors import OutsideError, UsageError

_SECONDS = 60.0


def fetch(uri: str, destination: Path, mlflow_uri: str) -> None:
    """Copy every file of a package's folder into a destination.

    Args:
        uri: `file://`, `mlflow-artifacts:/` or `s3://`.
        destination: a folder, made where it is missing.
        mlflow_uri: address of the MLflow server; used for `mlflow-artifacts:/` only.

    Raises:
        UsageError: the kind of address is not known, or needs a server and there is none.
        OutsideError: the folder is not there or could not be read; trying again may help.
    """
    parts = urlsplit(uri)
    if parts.scheme == "file":
        files = _from_folder(Path(unquote(parts.path)))
    elif parts.scheme == "mlflow-artifacts":
        files = _from_server(unquote(parts.path).strip("/"), mlflow_uri)
    elif parts.scheme == "s3":
        files = _from_bucket(parts.netloc, unquote(parts.path).strip("/"))
    else:
        raise UsageError(f"'{uri}' cannot be fetched.", "Known are file://, mlflow-artifacts:/ and s3://.")
    if not files:
        raise OutsideError(f"There is no file below {uri}.", "Look whether the artifact store still has it.")
    destination.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (destination / name).write_bytes(content)


def _from_folder(folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        return {}
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def _from_server(path: str, mlflow_uri: str) -> dict[str, bytes]:
    if not mlflow_uri.startswith(("http://", "https://")):
        raise UsageError(f"'mlflow-artifacts:/{path}' needs an MLflow server, but '{mlflow_uri}' is none.", "Set MLFLOW_TRACKING_URI.")
    base = f"{mlflow_uri.rstrip('/')}/api/2.0/mlflow-artifacts/artifacts"
    try:
        with httpx.Client(timeout=_SECONDS) as client:
            listed = client.get(base, params={"path": path}).raise_for_status().json()
            names = [Path(entry["path"]).name for entry in listed.get("files", []) if not entry.get("is_dir")]
            return {name: client.get(f"{base}/{path}/{name}").raise_for_status().content for name in names}
    except httpx.HTTPError as error:
        raise OutsideError(f"The MLflow server at {mlflow_uri} did not give {path}: {error}.", "Look whether it is up.") from error


def _from_bucket(bucket: str, prefix: str) -> dict[str, bytes]:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client = boto3.client("s3")
        found = client.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/", Delimiter="/").get("Contents", [])
        return {Path(one["Key"]).name: client.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in found}
    except (BotoCoreError, ClientError) as error:
        raise OutsideError(f"s3://{bucket}/{prefix} could not be read: {error}.", "Check AWS_ENDPOINT_URL and the credentials.") from error
