"""Packages on disk: written once, loaded only when every byte is the one approved."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adapters.onnx_runtime import UNPROVED, Proved, proved_model
from contracts.errors import DigestMismatch, UsageError
from contracts.package import FEATURES, MANIFEST, MODEL, ColumnType, Manifest, package_digest

_ALLOWED = ("sklearn.", "numpy.", "scipy.", "builtins.", "functools.partial", "collections.")  # what a manifest may declare trusted
_DTYPES: dict[ColumnType, str] = {"float": "float64", "int": "float64", "str": "object", "bool": "bool"}


@dataclass(frozen=True, slots=True)
class LoadedPackage:
    """A package whose bytes were checked, ready to answer.

    Attributes:
        digest: digest of the bytes that were loaded.
        proved: what else may answer for the model.
    """

    manifest: Manifest
    digest: str
    model: Any
    build: Callable[[pd.DataFrame], pd.DataFrame] | None
    proved: Proved = UNPROVED

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Answer rows.

        Args:
            frame: the manifest's columns, in any order, beside others that are ignored.

        Returns:
            float64: (n,) values for regression, (n,) probabilities of the second class for binary, (n, k) for multiclass.

        Raises:
            UsageError: a column is missing or holds what its type does not allow.
        """
        inputs = coerce(frame, self.manifest)
        built = inputs if self.build is None else self.build(inputs)
        if self.manifest.task == "regression":
            return np.asarray(self.model.predict(built), dtype=np.float64)
        chances = np.asarray(self.model.predict_proba(built), dtype=np.float64)
        return chances[:, 1] if self.manifest.task == "binary" else chances


def coerce(frame: pd.DataFrame, manifest: Manifest) -> pd.DataFrame:
    """Return the manifest's columns with the types the model was fitted on.

    Raises:
        UsageError: names the column and, where there is one, the row.
    """
    check_columns(frame.columns, manifest)
    return pd.DataFrame({name: _column(frame[name], kind, name) for name, kind in manifest.columns.items()}, index=frame.index)


def check_columns(given: Container[str], manifest: Manifest) -> None:
    """See that every column the model needs is there.

    Raises:
        UsageError: names the first that is missing.
    """
    missing = [name for name in manifest.columns if name not in given]
    if missing:
        raise UsageError(f"Column '{missing[0]}' is missing.", f"The model needs: {', '.join(manifest.columns)}.")


def _column(values: pd.Series, kind: ColumnType, name: str) -> pd.Series:
    if kind == "str":
        return values.astype("object").where(values.notna(), np.nan)  # NaN is what stood for missing when the model was fitted
    try:
        return values.astype(np.dtype(_DTYPES[kind]))
    except (TypeError, ValueError):
        row = next((number for number, one in enumerate(values) if not _is_number(one)), 0)
        found = values.iloc[row]
        raise UsageError(f"Column '{name}', row {row}: {found!r} is not of type {kind}.", "Send a number or null.") from None


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return value is None
    return not isinstance(value, str)


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the files of a package folder by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def folder_digest(folder: Path) -> str:
    """Return the digest of a package folder."""
    return package_digest(read_files(folder))


def write_package(folder: Path, files: dict[str, bytes]) -> Path:
    """Write a package's files into a folder of its own and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def load_package(folder: Path, expected_digest: str, model: Any = None) -> LoadedPackage:
    """Check a package's bytes, then load it; nothing is unpickled and no code runs before the check.

    Args:
        model: its model, where that was loaded from the same bytes already.

    Raises:
        DigestMismatch: the bytes are not the ones approved, or declare types outside scikit-learn, NumPy and SciPy.
    """
    files = read_files(folder)
    digest = package_digest(files)
    if digest != expected_digest:
        raise DigestMismatch(
            f"The package in {folder} has digest {digest[:12]} and not the approved {expected_digest[:12]}: it is not loaded.",
            "Fetch it again from the registry; if it differs there too, find out who changed it.",
        )
    return load_files(files, digest, model)


def load_files(files: dict[str, bytes], digest: str, model: Any = None) -> LoadedPackage:
    """Load a package from its checked bytes."""
    import skops.io

    manifest = Manifest.model_validate_json(files[MANIFEST])
    foreign = [name for name in manifest.trusted if not name.startswith(_ALLOWED)]
    if foreign:
        raise DigestMismatch(
            f"The package declares the type '{foreign[0]}' trusted, which is not allowed.", "Use scikit-learn's own types."
        )
    if model is None:
        model = skops.io.loads(files[MODEL], trusted=list(manifest.trusted))
    return LoadedPackage(manifest, digest, model, _feature_function(files, manifest, digest), proved_model(files))


def _feature_function(files: dict[str, bytes], manifest: Manifest, digest: str) -> Callable[[pd.DataFrame], pd.DataFrame] | None:
    if manifest.features is None:
        return None
    name = f"understudy_features_{digest[:16]}"
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(files[FEATURES], f"{name}.py", "exec"), module.__dict__)  # noqa: S102 - the bytes were approved by digest
    function: Callable[[pd.DataFrame], pd.DataFrame] = getattr(module, manifest.features.partition(":")[2])
    return function
