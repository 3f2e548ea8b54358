"""A version as a wheel: `NAME_model.predict(frame)`; it needs what the model was fitted with, and nothing of Understudy."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from pathlib import Path

from adapters.registry.mlflow_model import LOADER
from understudy.export.source import Source, write_file

_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same version gives the same wheel
_PARTS = Path(__file__).with_name("wheel_parts")


def write_wheel(source: Source, folder: Path) -> Path:
    """Write the wheel into a folder and return where it is."""
    return write_file(folder / f"{source.module}-{source.version}-py3-none-any.whl", wheel_bytes(source))


def wheel_bytes(source: Source) -> bytes:
    """Return the wheel: the package's files, the code that loads them, and metadata with pinned requirements."""
    info, module = f"{source.module}-{source.version}.dist-info", source.module
    files = {f"{module}/package/{name}": content for name, content in source.files.items()}
    files[f"{module}/loader.py"] = LOADER.read_bytes()
    for name in ("init", "main"):
        files[f"{module}/__{name}__.py"] = (_PARTS / f"{name}.py.txt").read_bytes()
    files[f"{module}/lineage.json"] = _lineage(source)
    files[f"{info}/METADATA"] = _metadata(source)
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: understudy\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    lines = [f"{name},sha256={_hash(content)},{len(content)}" for name, content in sorted(files.items())]
    files[f"{info}/RECORD"] = ("\n".join([*lines, f"{info}/RECORD,,"]) + "\n").encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in [*(one for one in sorted(files) if not one.endswith("RECORD")), f"{info}/RECORD"]:
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), files[name], zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _hash(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _lineage(source: Source) -> bytes:
    model, lineage = source.registered.model, source.registered.lineage
    known = {
        "pipeline": source.pipeline,
        "version": model.version,
        "digest": model.digest,
        "snapshot": lineage.snapshot,
        "cutoff": model.cutoff.isoformat(),
        "commit": lineage.commit,
        "spec_digest": lineage.spec_digest,
        "environment_digest": lineage.environment,
        "needs": source.needs,
    }
    return (json.dumps(known, indent=2) + "\n").encode()


def _metadata(source: Source) -> bytes:
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {source.module.replace('_', '-')}",
        f"Version: {source.version}",
        f"Summary: Version {source.registered.model.version} of the model '{source.pipeline}', as it was approved",
        f"Requires-Python: >={source.python}",
        *(f"Requires-Dist: {one}" for one in source.needs),
    ]
    return ("\n".join(lines) + "\n").encode()
