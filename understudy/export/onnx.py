"""A version as ONNX: the file that its package holds, where it was proved to answer as the model does."""

from __future__ import annotations

from pathlib import Path

from contracts.errors import UsageError
from contracts.package import ONNX
from understudy.export.source import Source, write_file


def write_onnx(source: Source, folder: Path) -> Path:
    """Write the ONNX file into a folder and return where it is.

    Raises:
        UsageError: the version's package holds none: it was not proved to be the same, or was fitted before there were any.
    """
    if ONNX not in source.files:
        raise UsageError(
            f"Version {source.registered.model.version} of '{source.pipeline}' has no ONNX that was proved to answer as the model does.",
            "Take --format wheel.",
        )
    return write_file(folder / f"{source.module}-{source.registered.model.version}.onnx", source.files[ONNX])
