"""Writes a package as a true MLflow model: signature, input example, pinned requirements, and the code that loads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adapters.environment import pinned_requirements
from adapters.registry.connection import quiet_import
from contracts.package import MANIFEST, ColumnType, Manifest

LOADER = Path(__file__).with_name("understudy_package.py")
PACKAGE_PATH = "data/package"  # where MLflow puts the package below the model; given by the name of the package's folder
_KINDS: dict[ColumnType, tuple[str, str]] = {  # MLflow's name, pandas' name
    "float": ("double", "float64"),
    "int": ("long", "int64"),
    "str": ("string", "object"),
    "bool": ("boolean", "bool"),
}


def write_mlflow_model(folder: Path, package: Path, example: pd.DataFrame, *, model_id: str, run_id: str, digest: str) -> None:
    """Write the model into a folder that does not exist yet.

    Args:
        folder: where to.
        package: a folder named `package`.
        example: rows with the package's input columns, as clients send them.
        model_id: MLflow's id of the logged model.
        run_id: MLflow's run it belongs to.
        digest: of the package.
    """
    with quiet_import():
        import mlflow.pyfunc
        from mlflow.models import Model

    manifest = Manifest.model_validate_json((package / MANIFEST).read_bytes())
    mlflow.pyfunc.save_model(
        path=str(folder),
        mlflow_model=Model(model_id=model_id, model_uuid=model_id, run_id=run_id),
        loader_module=LOADER.stem,
        code_paths=[str(LOADER)],
        data_path=str(package),
        signature=_signature(manifest),
        input_example=_sent(example, manifest),
        pip_requirements=pinned_requirements(),
        metadata={"package_digest": digest},
    )


def _signature(manifest: Manifest) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec

    inputs = Schema([ColSpec(DataType[_KINDS[kind][0]], name) for name, kind in manifest.columns.items()])
    shape = (-1, len(manifest.classes)) if manifest.task == "multiclass" else (-1,)
    return ModelSignature(inputs, Schema([TensorSpec(np.dtype("float64"), shape)]))


def _sent(example: pd.DataFrame, manifest: Manifest) -> pd.DataFrame:
    """Return the example with the types of the signature; a row with a gap in a whole number cannot be an example."""
    whole = [name for name, kind in manifest.columns.items() if kind == "int"]
    rows = example.dropna(subset=whole)
    return pd.DataFrame({name: rows[name].astype(np.dtype(_KINDS[kind][1])) for name, kind in manifest.columns.items()})
