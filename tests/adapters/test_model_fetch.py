"""A package's folder is fetched whole from a directory and over S3, and what is absent is said plainly."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest

from adapters.model_fetch import fetch
from contracts.errors import OutsideError, UsageError

FILES = {"package.json": b"{}", "model.skops": bytes(range(256))}


def _read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_byte_of_a_folder_comes_along_even_with_a_space_in_its_name(tmp_path: Path) -> None:
    source = tmp_path / "with space"
    source.mkdir()
    for name, content in FILES.items():
        (source / name).write_bytes(content)
    fetch(source.as_uri(), tmp_path / "here", "")
    assert _read(tmp_path / "here") == FILES


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # botocore and moto call datetime.utcnow
def test_every_byte_of_a_folder_comes_along_over_s3(tmp_path: Path, s3_server: str) -> None:
    client = boto3.client("s3")
    client.create_bucket(Bucket="models")
    for name, content in {**FILES, "deeper/other": b"x"}.items():
        client.put_object(Bucket="models", Key=f"a/package/{name}", Body=content)
    fetch("s3://models/a/package", tmp_path / "here", "")
    assert _read(tmp_path / "here") == FILES
    with pytest.raises(OutsideError, match="could not be read"):
        fetch("s3://absent/a", tmp_path / "there", "")


def test_what_is_absent_or_unknown_is_said(tmp_path: Path) -> None:
    with pytest.raises(OutsideError, match="There is no file below"):
        fetch((tmp_path / "absent").as_uri(), tmp_path / "here", "")
    with pytest.raises(UsageError, match="cannot be fetched"):
        fetch("ftp://there/x", tmp_path / "here", "")
    with pytest.raises(UsageError, match="needs an MLflow server"):
        fetch("mlflow-artifacts:/1/models", tmp_path / "here", "sqlite:///x.db")
    with pytest.raises(OutsideError, match="did not give"):
        fetch("mlflow-artifacts:/1/models", tmp_path / "here", "http://127.0.0.1:9")
